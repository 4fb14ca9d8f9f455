import SyncDomain
import Testing

@Suite struct SuggestionTests {
    @Test(arguments: [
        ("aply", "apply"), ("VERIFY", "verify"), ("vlaidate", "validate"), ("pln", "plan"), ("gd", "gc"), ("xyz", nil),
        ("", nil), (String(repeating: "a", count: 5000), nil),
    ])
    func theNearestNameIsMeantIfItIsNear(_ text: String, _ meant: String?) {
        #expect(Suggestion.nearest(to: text, among: ["validate", "plan", "apply", "verify", "gc"]) == meant)
    }

    @Test(arguments: [
        ("whisper/tny", "whisper/tiny"), ("wisper/larg-v3", "whisper/large-v3"), ("tiny", "whisper/tiny"),
        ("Whisper/Tiny", "whisper/tiny"), ("ht", nil), ("v3", nil), ("other/thing", nil),
    ])
    func aNameIsMeantByItsSpellingOrItsEnd(_ text: String, _ meant: String?) throws {
        let names = try ["demucs/ht", "old/ht", "whisper/large-v3", "whisper/tiny"].map(ModelName.init)
        #expect(ModelName.suggestion(for: text, among: names)?.text == meant)
    }

    @Test(arguments: [
        ("wisper/*", "whisper/*"), ("whisper", "whisper/*"), ("whisper/tinny", "whisper/tiny"), ("vad", "tag:vad"),
        ("tag:vda", "tag:vad"), ("tag:o\u{1B}", nil), ("zzz*", nil),
    ])
    func aPatternThatPicksNothingIsHeldAgainstNamesFoldersAndTags(_ text: String, _ meant: String?) throws {
        let models = [
            Model(name: try ModelName("whisper/tiny"), tags: ["speech", "o\u{1B}d"]),
            Model(name: try ModelName("silero"), tags: ["vad"]),
        ]
        #expect(ModelSelector.suggestion(for: text, among: models) == meant)
    }
}
