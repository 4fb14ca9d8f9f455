import SyncDomain
import Testing

@Suite struct ModelSelectorTests {
    @Test(arguments: [
        ("a/b", true), ("a/*", true), ("*", true), ("*b", true), ("a*b", true), ("a?b", true), ("???", true),
        ("**", true),
        ("a/b*", true), ("*a/b*", true), ("", false), ("a", false), ("A/B", false), ("b/*", false), ("????", false),
        ("a/b?", false), ("*c*", false), ("a/[b]", false), ("tag:x", true), ("tag:y", false), ("tag:", false),
    ])
    func globsAndTagsPickModels(_ pattern: String, _ isMatch: Bool) throws {
        let model = Model(name: try ModelName("a/b"), tags: ["x"])
        #expect(ModelSelector(pattern).matches(model) == isMatch)
    }

    @Test func manyStarsAreMatchedInNoTime() throws {
        let model = Model(name: try ModelName(String(repeating: "a", count: 239)))
        #expect(!ModelSelector(String(repeating: "*a", count: 100) + "*b").matches(model))
    }
}
