import ArgumentParser
import ModelSyncKit

/// Every exit code of the command; those above 63 are of sysexits.h, those above 128 name a signal.
enum ExitStatus: Int32 {
    case success = 0
    /// The run ended, and something failed or is missing or corrupt.
    case incomplete = 1
    /// `plan --detailed-exitcode`: changes are pending.
    case changesPending = 2
    case usage = 64
    /// An invalid manifest, a stale plan, or what is no report.
    case invalidData = 65
    /// A manifest that is not there.
    case noInput = 66
    /// The store or the report can't be created.
    case cannotCreate = 73
    case inputOutput = 74
    /// Locked: try again.
    case temporary = 75
    case interrupted = 130
    case terminated = 143

    /// For what kept a run from beginning.
    init(_ error: SyncError) {
        self =
            switch error.code {
            case .storeLocked: .temporary
            case .storeIO, .storePermission: .inputOutput
            case .cancelled: .cancelled
            default: .incomplete
            }
    }

    /// By a signal, or else by `modelsync cancel`: then the run came to its end, with something missing.
    private static var cancelled: ExitStatus {
        switch Signals.received {
        case 15: .terminated
        case nil: .incomplete
        default: .interrupted
        }
    }

    init(_ error: ManifestLoadError) {
        self =
            switch error {
            case .notFound: .noInput
            case .unreadable(let error): error.code == .storeIO ? .inputOutput : .incomplete
            case .invalid, .stale: .invalidData
            }
    }

    init(_ error: ReportReadError) {
        self =
            switch error {
            case .notFound: .noInput
            case .unreadable: .inputOutput
            case .invalid: .invalidData
            }
    }

    /// For whatever ended a command.
    init(failure: any Error) {
        self =
            switch failure {
            case let failure as CommandFailure: failure.status
            case let failure as SyncError: ExitStatus(failure)
            case let failure as ManifestLoadError: ExitStatus(failure)
            default: ExitStatus(rawValue: ModelSyncCommand.exitCode(for: failure).rawValue) ?? .incomplete
            }
    }

    /// For a run that ended with a report.
    init(_ report: SyncReport) {
        self =
            switch report.outcome {
            case .ok: .success
            case .failed: report.error.map { ExitStatus($0) } ?? .incomplete
            case .cancelled: .cancelled
            }
    }

    var code: ExitCode { ExitCode(rawValue) }
}

/// A failure with the code to exit with.
struct CommandFailure: Error {
    var message: String
    var status: ExitStatus
    /// What it is made of, where it has a code.
    var cause: SyncError?

    /// Makes or writes a file that the user named; where that can't be, the exit code says so.
    static func creating<Value>(_ body: () throws(SyncError) -> Value) throws -> Value {
        do throws(SyncError) { return try body() } catch {
            throw CommandFailure(message: error.message, status: .cannotCreate)
        }
    }
}
