import Dispatch
import SyncDomain
import YAMLManifest

/// libFuzzer's entry: decodes the bytes as a local and as a remote manifest, and checks what came out as a whole.
///
/// Traps, and so is reported with the input, where a draft with no issue is not what the types promise.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzManifest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let remote = try? SourceURL("https://h/a/m.yaml") else { preconditionFailure("it is valid") }
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        for base in [URLBase.folder("/srv"), .url(remote)] { await check(bytes, base) }
        done.signal()
    }
    done.wait()
    return 0
}

/// Read in one go and in parts of a node or more, the same must come out.
private func check(_ bytes: [UInt8], _ base: URLBase) async {
    let (draft, issues) = await YAMLManifestDecoder().decode(bytes, path: "m.yaml", base: base)
    let inParts = await YAMLManifestDecoder(partNodes: 1).decode(bytes, path: "m.yaml", base: base)
    precondition(inParts.issues.description == issues.description)
    precondition(inParts.draft.models.map(\.model) == draft.models.map(\.model))
    for (one, other) in zip(inParts.draft.models, draft.models) {
        precondition(one.fileMarks.map(\.path) == other.fileMarks.map(\.path))
        precondition(one.fileMarks.map(\.digest) == other.fileMarks.map(\.digest))
    }
    do throws(ManifestIssues) {
        check(try Manifest(checking: [draft], issues: issues))
    } catch {
        for issue in error.kept { check(issue) }
    }
}

private func check(_ manifest: Manifest) {
    for model in manifest.models {
        precondition(!model.files.isEmpty && model.size >= 0)
        for file in model.files {
            precondition(!file.sources.isEmpty && file.size >= 0)
            for source in file.sources {
                // What was taken once is taken again, unchanged.
                precondition((try? SourceURL(source.text)) == source)
                _ = (source.host, source.filePath, source.lastPathComponent, source.redacted)
            }
        }
    }
}

private func check(_ issue: ManifestIssue) {
    precondition(issue.mark.line >= 1 && issue.mark.column >= 1)
    precondition(!issue.message.isEmpty && issue.message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
}
