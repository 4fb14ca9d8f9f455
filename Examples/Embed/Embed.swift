import Glibc
import ModelSyncKit

/// Makes one model of a manifest be on this machine, and prints where to load it from:
///
///     embed-example models.yaml /srv/models whisper/tiny
@main
enum Embed {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else {
            print("usage: embed-example MANIFEST STORE MODEL")
            exit(64)
        }
        do {
            print(try await prepare(arguments[3], from: arguments[1], in: ModelManager(store: arguments[2])))
        } catch {
            print("error: \(error)")
            exit(1)
        }
    }

    /// The folder to load the model from, once it is there.
    static func prepare(_ model: String, from manifestPath: String, in manager: ModelManager) async throws -> String {
        let name = try ModelName(model)
        // What is here and whole needs no network, and no manifest.
        if try await manager.checkModelAvailability(of: name).isAvailable {
            return try await manager.path(of: name)
        }
        let manifest = try await ManifestLoader().load([manifestPath])
        let report = try await download(name, of: manifest, with: ModelDownloader(manager: manager))
        for result in report.results {
            if let error = result.error { print("\(result.path): \(error.message)") }
        }
        return try await manager.path(of: name)
    }

    /// Shows how far each file is, at most twice a second.
    static func download(
        _ name: ModelName, of manifest: Manifest, with downloader: ModelDownloader
    ) async throws -> SyncReport {
        try await downloader.download(name, of: manifest) { progress in
            let speed = HumanFormat.bytes(Int64(progress.bytesPerSecond))
            print("\(progress.path): \(Int(progress.percent))% of \(HumanFormat.bytes(progress.total)), \(speed)/s")
        }
    }
}
