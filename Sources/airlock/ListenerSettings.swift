import AirlockCore
import AirlockHTTP
import Logging

/// What stands before a request: TLS, and which requests are let in at all.
struct ListenerSettings {
    var certificateFile: String?
    var keyFile: String?
    private var clientAuthoritiesFile: String?
    private var requiresClientCertificate = false
    private(set) var rules = ListenerRules()

    var isTLS: Bool { certificateFile != nil }

    /// - Returns: `false` for a name that is none of these settings.
    mutating func set(_ name: String, _ value: ConfiguredValue) throws -> Bool {
        switch name {
        case "tls_cert_file": certificateFile = try value.text()
        case "tls_key_file": keyFile = try value.text()
        case "tls_client_ca_file": clientAuthoritiesFile = try value.text()
        case "tls_require_and_verify_client_cert": requiresClientCertificate = try value.flag()
        case "require_request_header": rules.requiresRequestHeader = try value.flag()
        case "x_forwarded_for_authorized_addrs": rules.forwarders = try value.blocks()
        default: return false
        }
        return true
    }

    /// - Throws: `AirlockError` for half of what belongs together, which would promise more than is done.
    func check() throws {
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw AirlockError.badRequest("tls_cert_file and tls_key_file must be given together")
        }
        guard requiresClientCertificate == (clientAuthoritiesFile != nil) else {
            throw AirlockError.badRequest(
                "tls_require_and_verify_client_cert and tls_client_ca_file must be given together")
        }
        guard isTLS || !requiresClientCertificate else {
            throw AirlockError.badRequest("tls_require_and_verify_client_cert needs tls_cert_file and tls_key_file")
        }
    }

    /// `nil` when plain HTTP is to be spoken.
    func tls(now: @escaping Now, logger: Logger) throws -> TLSListener? {
        guard let certificateFile, let keyFile else { return nil }
        let tls = try TLSListener(
            .init(certificate: certificateFile, key: keyFile, clientAuthorities: clientAuthoritiesFile), now: now)
        if tls.keyIsOpenToAll {
            logger.warning("everybody on this machine may read \(keyFile): make it mode 0600")
        }
        if tls.expires <= now() { logger.warning("the certificate in \(certificateFile) has expired") }
        return tls
    }
}

extension ConfiguredValue {
    /// A list of addresses and CIDR blocks, or one string of them with commas between.
    fileprivate func blocks() throws -> [CIDR] {
        let texts: [String]? =
            if let text = json.text { text.split(separator: ",").map(String.init) } else {
                json.elements.map { $0.compactMap(\.text) }
            }
        let blocks = texts?.compactMap { CIDR($0.filter { $0 != " " }) }
        guard let blocks, blocks.count == (json.elements ?? []).count || json.text != nil, blocks.count == texts?.count
        else { throw AirlockError.badRequest("\(name) must be a list of addresses or CIDR blocks") }
        return blocks
    }
}
