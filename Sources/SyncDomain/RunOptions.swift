/// What the user chose for a run.
public struct RunOptions: Sendable, Hashable {
    /// Files at once.
    public var jobs = 64
    /// Connections at once, over all files and hosts. Of small files that share a connection of HTTP/2, twice as many come at
    /// once.
    public var connections = 32
    /// Attempts a source that bring nothing new, before it is given up.
    public var attempts = 5
    /// How hard to look at what is there already.
    public var depth = VerifyDepth.quick
    /// Fetch nothing over the network; `file` URLs are still read.
    public var isOffline = false

    /// What the command does with no flags.
    public init() {}
}
