/// How hard to look at what is there.
public enum VerifyDepth: String, Sendable, Hashable, CaseIterable {
    /// Trust a blob whose size and seal match; hash the others.
    case quick
    /// Hash every blob, whatever the seals say.
    case full
}

/// What is under a digest's name in the store.
public enum BlobState: Sendable, Hashable {
    case absent
    /// Right size and sealed, or hashed now where the seals are not trusted.
    case intact
    /// Hashed now and right, but its seal was broken: to be sealed again.
    case unsealed
    /// Something else is there: of what kind, and what, in words that follow "the blob".
    case damaged(ErrorCode, String)

    /// Whether the right bytes are under the digest's name.
    public var isRight: Bool { self == .intact || self == .unsealed }
}

/// What is at a file's path in a model's folder.
public enum ViewState: Sendable, Hashable {
    case absent
    /// The blob itself by another name, or a sealed copy of it.
    case current
    /// Not the blob, but the right bytes: hashed now. They can become the blob with nothing fetched.
    case holdsBytes
    /// Other bytes, or something that is no file.
    case other
}

/// What the store's record of a model says of one path.
public enum RecordedState: Sendable, Hashable {
    case unknown
    case sameBytes
    case otherBytes
}

/// The state of one file of the manifest in the store.
public struct FileInventory: Sendable, Hashable {
    /// What is under the digest's name; the same for all files with these bytes.
    public var blob: BlobState
    /// What is at the path in the model's folder.
    public var view: ViewState
    /// What the last applied manifest wanted at the path.
    public var recorded: RecordedState
    /// Bytes of an unfinished download.
    public var partialBytes: Int64

    /// A file of which nothing is here, unless it is said.
    public init(
        blob: BlobState = .absent, view: ViewState = .absent, recorded: RecordedState = .unknown,
        partialBytes: Int64 = 0
    ) {
        self.blob = blob
        self.view = view
        self.recorded = recorded
        self.partialBytes = partialBytes
    }
}

/// The state of one model of the manifest in the store.
public struct ModelInventory: Sendable {
    /// Parallel to the model's files.
    public var files: [FileInventory]
    /// The record is there and says exactly what the manifest says.
    public var isRecordCurrent: Bool
    /// Paths that the record has and the manifest no longer has.
    public var dropped: [ExtraFile]
    /// Files in the model's folder that neither the manifest nor the record knows: never touched.
    public var unmanaged: [ExtraFile]

    /// Takes the parts as they are; `files` must be parallel to the model's.
    public init(
        files: [FileInventory], isRecordCurrent: Bool = false, dropped: [ExtraFile] = [], unmanaged: [ExtraFile] = []
    ) {
        self.files = files
        self.isRecordCurrent = isRecordCurrent
        self.dropped = dropped
        self.unmanaged = unmanaged
    }
}

/// A file in a model's folder that the manifest does not name.
public struct ExtraFile: Sendable, Hashable {
    /// Relative to the model's folder.
    public var path: String
    /// Bytes.
    public var size: Int64
    /// Where the record tells it.
    public var sha256: SHA256Digest?

    /// The file as it was found or recorded; nothing is checked.
    public init(path: String, size: Int64, sha256: SHA256Digest? = nil) {
        self.path = path
        self.size = size
        self.sha256 = sha256
    }
}

/// What the store holds of a manifest: one look, on which a plan is made.
public struct Inventory: Sendable {
    /// Parallel to the manifest's models.
    public var models: [ModelInventory]
    /// Bytes that may still be written to the store's file system.
    public var bytesFree: Int64
    /// Bytes that were hashed for it.
    public var bytesVerified: Int64

    /// Takes the parts as they are; `models` must be parallel to the manifest's.
    public init(models: [ModelInventory], bytesFree: Int64, bytesVerified: Int64 = 0) {
        self.models = models
        self.bytesFree = bytesFree
        self.bytesVerified = bytesVerified
    }
}
