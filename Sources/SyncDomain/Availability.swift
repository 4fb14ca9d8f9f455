/// Whether a model can be loaded from the store, file by file.
public struct ModelAvailability: Sendable, Hashable {
    /// What is at one of the model's paths.
    public enum State: Sendable, Hashable {
        /// The right bytes.
        case available
        /// Nothing of the store's: applying the model would fetch or link it.
        case missing
        /// Other bytes than the model's; the error tells why.
        case damaged(SyncError)
    }

    /// One file of the model.
    public struct File: Sendable, Hashable {
        /// Inside the model.
        public var path: RelativePath
        /// Bytes that it must have.
        public var size: Int64
        /// What is there.
        public var state: State

        /// Takes the parts as they are.
        public init(path: RelativePath, size: Int64, state: State) {
            self.path = path
            self.size = size
            self.state = state
        }
    }

    /// The model.
    public var name: ModelName
    /// In the model's order; empty where the store knows no model of that name.
    public var files: [File]

    /// Takes the parts as they are.
    public init(name: ModelName, files: [File]) {
        self.name = name
        self.files = files
    }

    /// Whether all its files are there, and it has any.
    public var isAvailable: Bool { !files.isEmpty && files.allSatisfy { $0.state == .available } }
}

/// Whether there is room for what is still to be fetched.
public struct FreeSpace: Sendable, Hashable {
    /// Bytes still to come; those of unfinished downloads are not counted.
    public var bytesToFetch: Int64
    /// Bytes that must be free before anything is fetched: what is still to come and a tenth more.
    public var bytesNeeded: Int64
    /// Bytes that may still be written to the store's file system.
    public var bytesFree: Int64

    /// Takes the parts as they are.
    public init(bytesToFetch: Int64, bytesNeeded: Int64, bytesFree: Int64) {
        self.bytesToFetch = bytesToFetch
        self.bytesNeeded = bytesNeeded
        self.bytesFree = bytesFree
    }

    /// Whether a download would begin.
    public var isEnough: Bool { bytesToFetch == 0 || bytesNeeded <= bytesFree }
}
