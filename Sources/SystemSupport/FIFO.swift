/// A queue: in at the end, out at the front, both in constant time.
package struct FIFO<Element> {
    /// Nil where an element was taken: it must not live on here with all that it holds, descriptors or its own owner.
    private var elements: [Element?] = []
    /// Elements before it have been taken: dropping them one by one from the front would move the rest each time.
    private var next = 0

    package init() {}

    package var count: Int { elements.count - next }

    /// Whether one of those that wait is such.
    package func contains(where isSuch: (Element) -> Bool) -> Bool {
        elements[next...].contains { $0.map(isSuch) ?? false }
    }

    package mutating func append(_ element: Element) { elements.append(element) }

    /// The first element; nil where there is none.
    package mutating func take() -> Element? {
        guard next < elements.count else { return nil }
        let element = elements[next].take()
        next += 1
        if next * 2 > elements.count {
            elements.removeFirst(next)
            next = 0
        }
        return element
    }
}
