import Testing

@testable import modelsync

@Suite struct DisplayTextTests {
    @Test(
        arguments: [
            ("model.bin", 9), ("", 0), ("音声認識.bin", 12), ("ﾊﾝｶｸ", 4), ("Ａ", 2), ("한국어", 6),
            ("\u{1112}\u{1161}\u{11AB}", 2),
            ("cafe\u{301}", 4), ("e\u{301}\u{302}\u{303}", 1), ("🎵", 2), ("🇫🇷", 2), ("1\u{20E3}", 1), ("ก็", 1), ("🫨", 2),
            ("→", 1),
        ] as [(String, Int)])
    func theWidthIsThatOfTheTerminal(text: String, columns: Int) {
        #expect(DisplayText.width(DisplayText.clean(text)) == columns)
    }

    @Test(
        arguments: [
            ("plain name.bin", "plain name.bin"), ("a\u{1B}[2Jb", "a?[2Jb"), ("a\nb\r\tc\u{7F}\u{9B}1m", "a?b??c??1m"),
            ("a\u{2028}b\u{2029}", "a?b?"), ("gpj.\u{202E}exe", "gpj.exe"), ("a\u{200B}b\u{FEFF}c\u{AD}", "abc"),
            ("❤\u{FE0F}", "❤"), ("👩\u{200D}👧", "👩👧"), ("cafe\u{301}", "cafe\u{301}"),
        ] as [(String, String)])
    func nothingIsLeftThatATerminalObeys(text: String, shown: String) {
        #expect(DisplayText.clean(text).unicodeScalars.elementsEqual(shown.unicodeScalars))
    }

    @Test(
        arguments: [
            ("whisper/large-v3/model.bin", 26, "whisper/large-v3/model.bin"),
            ("whisper/large-v3/model.bin", 25, "..sper/large-v3/model.bin"),
            ("whisper/large-v3/model.bin", 11, "..model.bin"), ("whisper/large-v3/model.bin", 10, "model...in"),
            ("m/model-00001-of-00002.safetensors", 21, "model-00001-of-..sors"),
            ("m/model-00001-of-00002.safetensors", 17, "model-00001-..ors"),
            ("model.bin", 4, "mo.."), ("model.bin", 3, "m.."), ("model.bin", 1, "."), ("model.bin", 0, ""), ("", 0, ""),
            // A wide character that would stand on the edge goes as a whole.
            ("m/音声/認識.bin", 12, "../認識.bin"), ("m/音声/認識.bin", 10, "..認識.bin"), ("m/認識モデル.bin", 9, "認識モ..n"),
            // What belongs to a character goes and stays with it.
            ("m/n/abcde\u{301}\u{302}f", 8, "..abcde\u{301}\u{302}f"), ("aaaaaaaa🇫🇷", 8, "aaaaa.."),
            ("aaaaa🇫🇷aaa", 9, "aaaaa..a"),
        ] as [(String, Int, String)])
    func aCutNameKeepsWhatTellsItFromOthers(text: String, columns: Int, shown: String) {
        let cut = DisplayText.fitted(text, columns: columns)
        #expect(cut == shown)
        #expect(DisplayText.width(cut) <= columns)
    }
}
