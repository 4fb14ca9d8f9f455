/// What one source of one file answered when it was asked for nothing but its size.
public struct SourceCheck: Sendable {
    /// The model's name.
    public var model: String
    /// The file's path inside the model.
    public var path: String
    /// Redacted.
    public var url: String
    /// Bytes, as the manifest says.
    public var expectedSize: Int64
    /// Bytes, as the source says; nil where it does not.
    public var declaredSize: Int64?
    /// Of the last response; nil if none came, or for `file` URLs.
    public var httpStatus: Int?
    /// Why the file can't be had from there; nil where it can.
    public var error: SyncError?

    /// Takes the parts as they are; `url` must be redacted already.
    public init(
        model: String, path: String, url: String, expectedSize: Int64, declaredSize: Int64? = nil,
        httpStatus: Int? = nil, error: SyncError? = nil
    ) {
        self.model = model
        self.path = path
        self.url = url
        self.expectedSize = expectedSize
        self.declaredSize = declaredSize
        self.httpStatus = httpStatus
        self.error = error
    }
}
