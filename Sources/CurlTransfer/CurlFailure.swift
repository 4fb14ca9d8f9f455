internal import CCurl
internal import SyncDomain
internal import SystemSupport

/// How libcurl ended a request that did not succeed, and what of its state tells why: libcurl-errors(3).
struct CurlFailure: Equatable {
    /// CURLcode.
    var code: UInt32
    /// What libcurl says in detail (CURLOPT_ERRORBUFFER(3)). It may quote a proxy's URL with its password: it goes into
    /// messages about TLS alone, where it names certificates.
    var text = ""
    /// The host has an address.
    var isResolved = false
    /// The connection is there, its TLS handshake done, and the request is on its way.
    var isConnected = false
    /// errno(3) of a connect that failed; 0 if there was none.
    var systemError: Int32 = 0
    /// What a proxy answered to CONNECT; 0 if there was none.
    var proxyStatus = 0

    /// The limits that a timeout may have passed, for its message.
    struct Limits {
        var connect: Duration
        var stall: Duration
    }

    /// Which failures are transient is decided here, and nowhere else.
    func fault(_ limits: Limits) -> TransferFault {
        switch CURLcode(code) {
        case CURLE_COULDNT_RESOLVE_HOST: resolution("the host's name was not resolved")
        case CURLE_COULDNT_RESOLVE_PROXY: resolution("the proxy's name was not resolved")
        case CURLE_COULDNT_CONNECT, CURLE_PROXY: connection()
        case CURLE_OPERATION_TIMEDOUT: timeout(limits)
        case CURLE_SSL_CONNECT_ERROR where wantsOtherClientCertificate,
            CURLE_RECV_ERROR where wantsOtherClientCertificate, CURLE_SEND_ERROR where wantsOtherClientCertificate:
            clientRefusal()
        case CURLE_SSL_CONNECT_ERROR: handshake()
        case CURLE_SSL_CERTPROBLEM: clientCertificate()
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT,
            CURLE_USE_SSL_FAILED:
            certificate()
        case CURLE_RECV_ERROR where proxyStatus >= 300: proxyRefusal()
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM,
            CURLE_HTTP3, CURLE_SSL_SHUTDOWN_FAILED:
            interruption()
        case CURLE_TOO_MANY_REDIRECTS: TransferFault(.httpRedirect, "too many redirects")
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            TransferFault(
                .protocolViolation, "the answer is not HTTP (\(name))",
                hint: "check the URL's scheme and port in the manifest")
        default: TransferFault(.protocolViolation, "libcurl could not go on (\(name))")
        }
    }

    private func resolution(_ what: String) -> TransferFault {
        TransferFault(.networkDNS, what, hint: "check the name, and this machine's network and DNS").retryable()
    }

    private func connection() -> TransferFault {
        let reason = systemError == 0 ? name : SystemFailure("connect", "", code: systemError).reason
        return TransferFault(
            .networkConnect, "no connection (\(reason))",
            hint: "check that the host is up, and firewalls and proxies on the way"
        ).retryable()
    }

    private func timeout(_ limits: Limits) -> TransferFault {
        if isConnected {
            return TransferFault(
                .networkStalled, "stalled: under 1 byte/s for \(seconds(limits.stall))",
                hint: "--stall-timeout sets how long to wait"
            ).retryable()
        }
        let hint = "check the network; --connect-timeout sets how long to wait"
        return isResolved
            ? TransferFault(.networkConnect, "no connection within \(seconds(limits.connect))", hint: hint).retryable()
            : TransferFault(
                .networkDNS, "the host's name was not resolved within \(seconds(limits.connect))", hint: hint
            ).retryable()
    }

    private func handshake() -> TransferFault {
        TransferFault(
            .networkTLS, "no TLS connection (\(detail))", hint: "check that the host speaks https at this port"
        ).retryable()
    }

    private func certificate() -> TransferFault {
        let hint =
            switch true {
            case text.contains("has expired"), text.contains("not yet valid"):
                "the server's certificate must be renewed; check this machine's clock as well"
            case text.contains("does not match"), text.contains("no alternative certificate subject name"):
                "the certificate is for another host: check the URL"
            case CURLcode(code) == CURLE_SSL_CACERT_BADFILE:
                "check that the file named by --ca-file or SSL_CERT_FILE is there and holds PEM certificates"
            default:
                "if the host's certificate is of an authority of your own, name it with --ca-file or SSL_CERT_FILE"
            }
        return TransferFault(.networkTLS, "the TLS certificate was not accepted (\(detail))", hint: hint)
    }

    /// What a server that wants a certificate says in an alert of TLS (RFC 8446 section 6.2), in OpenSSL's words.
    private var wantsOtherClientCertificate: Bool {
        ["alert certificate required", "alert bad certificate", "alert unknown ca"].contains { text.contains($0) }
    }

    private func clientRefusal() -> TransferFault {
        TransferFault(
            .networkTLS, "the server wants another certificate of this side (\(detail))",
            hint: "name one that it accepts with --client-cert and --client-key")
    }

    private func clientCertificate() -> TransferFault {
        TransferFault(
            .networkTLS, "the client's certificate can't be used (\(detail))",
            hint:
                "check that the files named by --client-cert and --client-key are there and hold PEM, that they belong"
                + " together, and that the key needs no pass phrase")
    }

    private func proxyRefusal() -> TransferFault {
        if proxyStatus == 407 { return StatusRule.fault(status: 407, credential: .none) }
        return TransferFault(
            .networkConnect, "the proxy answered with status \(proxyStatus)",
            hint: "check that it may connect to this host"
        ).retryable(StatusRule.isTransient(proxyStatus))
    }

    private func interruption() -> TransferFault {
        TransferFault(.networkInterrupted, "the connection was lost (\(name))", hint: "try again").retryable()
    }

    private func seconds(_ duration: Duration) -> String {
        let (whole, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return milliseconds == 0 ? "\(whole) s" : "\(whole * 1000 + milliseconds) ms"
    }

    private var detail: String { text.isEmpty ? name : Foreign.plain(text) }

    /// libcurl's constant text for the code (curl_easy_strerror(3)).
    private var name: String {
        guard let start = unsafe curl_easy_strerror(CURLcode(code)) else { return "error \(code)" }
        let text = unsafe String(cString: start)
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
