/// A certificate authority of a test's own and certificates by it, made by the `openssl` command.
public struct TestCA: Sendable {
    /// A certificate with its key: PEM files.
    public struct Certificate: Sendable {
        public let certificate: String
        public let key: String
    }

    /// The authority's own certificate: what `--ca-file` gets. A PEM file.
    public let file: String
    private let key: String
    private let folder: String

    /// - Parameter folder: exists; the files are written into it.
    public init(in folder: String) throws {
        self.folder = folder
        file = folder + "/ca.pem"
        key = folder + "/ca.key"
        try Tool.run(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
                + ["-subj", "/CN=modelsync test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
                + ["-keyout", key, "-out", file])
    }

    /// - Parameters:
    ///   - names: as in a subjectAltName: `DNS:localhost,IP:127.0.0.1`.
    ///   - days: how long it is valid from now on; -1 for until yesterday.
    public func issue(_ label: String, for names: String, days: Int = 7) throws -> Certificate {
        let path = folder + "/" + label
        try Tool.run(
            "openssl",
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
                + ["-subj", "/CN=\(label)", "-keyout", path + ".key", "-out", path + ".csr"])
        let extensions = "subjectAltName=\(names)\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n"
        try Tool.run(
            "openssl",
            ["x509", "-req", "-in", path + ".csr", "-CA", file, "-CAkey", key, "-CAcreateserial", "-days", "\(days)"]
                + ["-extfile", "/dev/stdin", "-out", path + ".pem"],
            input: Array(extensions.utf8))
        return Certificate(certificate: path + ".pem", key: path + ".key")
    }

    /// A certificate that vouches for itself: this authority knows nothing of it.
    public func selfSigned(_ label: String, for names: String) throws -> Certificate {
        let path = folder + "/" + label
        try Tool.run(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
                + ["-subj", "/CN=\(label)", "-addext", "subjectAltName=\(names)"]
                + ["-keyout", path + ".key", "-out", path + ".pem"])
        return Certificate(certificate: path + ".pem", key: path + ".key")
    }
}
