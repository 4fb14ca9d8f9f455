import Glibc

/// The configuration of a test's nginx: no path, port or user but its own.
struct NginxConfiguration {
    struct Ports: Sendable {
        var http: UInt16
        var https: UInt16
        var http2: UInt16
        var wrongHost: UInt16
        var expired: UInt16
        var selfSigned: UInt16
        var elsewhere: UInt16
        var mutual: UInt16

        /// Ports that were free a moment ago, all different.
        static func free() throws -> Ports {
            // All are held until all are known.
            let listeners = try (0..<8).map { _ in try LoopbackSocket() }
            let ports = listeners.map(\.port)
            for listener in listeners { listener.close() }
            return Ports(
                http: ports[0], https: ports[1], http2: ports[2], wrongHost: ports[3], expired: ports[4],
                selfSigned: ports[5], elsewhere: ports[6], mutual: ports[7])
        }
    }

    var folder: String
    var documents: String
    var ports: Ports
    /// The authority that clients' certificates must be by, where they are asked for.
    var authority: String
    var right: TestCA.Certificate
    var wrong: TestCA.Certificate
    var expired: TestCA.Certificate
    var selfSigned: TestCA.Certificate

    var text: String {
        """
        daemon off;
        master_process off;
        pid "\(folder)/nginx.pid";
        error_log "\(folder)/error.log" notice;
        events { worker_connections 512; }
        http {
            log_format fields escape=json
                '$server_port\\t$server_protocol\\t$request_method\\t$request_uri\\t$status\\t$body_bytes_sent'
                '\\t$http_range\\t$http_if_range\\t$http_authorization';
            access_log "\(folder)/access.log" fields;
            client_body_temp_path "\(folder)/client_body";
            proxy_temp_path "\(folder)/proxy";
            fastcgi_temp_path "\(folder)/fastcgi";
            uwsgi_temp_path "\(folder)/uwsgi";
            scgi_temp_path "\(folder)/scgi";
            default_type application/octet-stream;
            sendfile on;
            keepalive_timeout 5s;
        \(server("\(ports.http)"))
        \(server("\(ports.elsewhere)"))
        \(server("\(ports.https) ssl", right))
        \(server("\(ports.http2) ssl http2", right))
        \(server("\(ports.wrongHost) ssl", wrong))
        \(server("\(ports.expired) ssl", expired))
        \(server("\(ports.selfSigned) ssl", selfSigned))
        \(server("\(ports.mutual) ssl", right, "ssl_verify_client on; ssl_client_certificate \"\(authority)\";"))
        }

        """
    }

    private func server(_ listen: String, _ certificate: TestCA.Certificate? = nil, _ more: String = "") -> String {
        let tls = certificate.map {
            "ssl_certificate \"\($0.certificate)\"; ssl_certificate_key \"\($0.key)\";"
        }
        return """
                server {
                    listen 127.0.0.1:\(listen);
                    \(tls ?? "") \(more)
                    root "\(documents)";
                    location = /barrier { return 200 "ready"; }
                    location /slow/ {
                        alias "\(documents)/";
                        if (-f "\(folder)/slow") { set $limit_rate \(NginxServer.slowBytesPerSecond); }
                    }
                    location /private/ {
                        if ($http_authorization != "Bearer \(NginxServer.token)") { return 401; }
                        alias "\(documents)/";
                    }
                    location ~ ^/elsewhere/(.*)$ {
                        return 302 http://127.0.0.1:\(ports.elsewhere)/$1;
                    }
                }
            """
    }
}
