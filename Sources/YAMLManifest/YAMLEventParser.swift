import CLibYAML
import SyncDomain

/// One run of libyaml's parser over a document that stays where it is.
///
/// libyaml keeps the address of the parser and of the input. The parser and the event are therefore allocated here
/// once and freed once; the input belongs to the caller, who makes the parser inside `withUnsafeBufferPointer` and
/// lets it end there.
@safe
struct YAMLEventParser: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let event: UnsafeMutablePointer<yaml_event_t>
    private let input: UnsafeBufferPointer<UInt8>
    /// What libyaml counts as its first byte; after a byte order mark.
    private let start: Int

    /// - Parameter input: must not move or end before this does.
    /// - Throws: ``YAMLFailure`` if there is no memory for a parser.
    init(_ input: UnsafeBufferPointer<UInt8>) throws(YAMLFailure) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw YAMLFailure(mark: SourceMark(line: 1, column: 1), message: "there is no memory for a YAML parser")
        }
        unsafe self.parser = unsafe parser
        unsafe event = .allocate(capacity: 1)
        unsafe event.initialize(to: yaml_event_t())
        unsafe self.input = unsafe input
        // libyaml skips a byte order mark too, but then counts it as a column.
        start = unsafe input.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress.map { unsafe $0 + start }, input.count - start)
    }

    deinit {
        unsafe yaml_event_delete(event)
        unsafe yaml_parser_delete(parser)
        unsafe event.deallocate()
        unsafe parser.deallocate()
    }

    /// Reads the next event; what the last one held is freed.
    ///
    /// - Throws: ``YAMLFailure`` for what is not YAML or not UTF-8. Do not call again then, nor after the end.
    mutating func next() throws(YAMLFailure) -> yaml_event_type_t {
        unsafe yaml_event_delete(event)
        guard unsafe yaml_parser_parse(parser, event) == 1 else { throw failure() }
        return unsafe event.pointee.type
    }

    /// Where the event starts: at its anchor or tag, if it has one.
    var mark: SourceMark { unsafe SourceMark(event.pointee.start_mark) }

    /// The anchor of a scalar, a sequence or a mapping; or the name that an alias has.
    var anchor: String? {
        switch unsafe event.pointee.type {
        case YAML_ALIAS_EVENT: unsafe string(event.pointee.data.alias.anchor)
        case YAML_SCALAR_EVENT: unsafe string(event.pointee.data.scalar.anchor)
        case YAML_SEQUENCE_START_EVENT: unsafe string(event.pointee.data.sequence_start.anchor)
        case YAML_MAPPING_START_EVENT: unsafe string(event.pointee.data.mapping_start.anchor)
        default: nil
        }
    }

    /// The tag of a scalar, a sequence or a mapping, resolved to its full name.
    var tag: String? {
        switch unsafe event.pointee.type {
        case YAML_SCALAR_EVENT: unsafe string(event.pointee.data.scalar.tag)
        case YAML_SEQUENCE_START_EVENT: unsafe string(event.pointee.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT: unsafe string(event.pointee.data.mapping_start.tag)
        default: nil
        }
    }

    /// Whether the scalar is written without quotes, and not as a block.
    var isPlain: Bool { unsafe event.pointee.data.scalar.style == YAML_PLAIN_SCALAR_STYLE }

    /// Appends the scalar's text, which is UTF-8 with its escapes undone.
    func appendScalar(to text: inout [UInt8]) {
        unsafe text.append(
            contentsOf: UnsafeBufferPointer(
                start: event.pointee.data.scalar.value, count: event.pointee.data.scalar.length))
    }

    /// Bytes of the scalar's text.
    var scalarByteCount: Int { unsafe event.pointee.data.scalar.length }

    private func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe text.map { unsafe String(cString: $0) }
    }

    private func failure() -> YAMLFailure {
        let bytes = unsafe Span(_unsafeElements: input).extracting(start...)
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? ""
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) }
        switch unsafe parser.pointee.error {
        case YAML_MEMORY_ERROR:
            return YAMLFailure(
                mark: unsafe SourceMark(parser.pointee.mark), message: "there is no memory to read this manifest")
        case YAML_READER_ERROR:
            // The reader's errors have no mark.
            let offset = unsafe Int(clamping: parser.pointee.problem_offset)
            return YAMLFailure(
                mark: TextPlace.mark(ofByte: offset, in: bytes),
                message: YAMLFailure.readerMessage(problem, value: unsafe Int(parser.pointee.problem_value)))
        default:
            let mark = unsafe SourceMark(parser.pointee.problem_mark)
            let contextMark = unsafe SourceMark(parser.pointee.context_mark)
            return YAMLFailure(
                mark: mark,
                message: YAMLFailure.syntaxMessage(
                    problem, context: context.map { ($0, contextMark) },
                    isTab: TextPlace.byte(at: mark, in: bytes) == UInt8(ascii: "\t")))
        }
    }
}

extension SourceMark {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }
}
