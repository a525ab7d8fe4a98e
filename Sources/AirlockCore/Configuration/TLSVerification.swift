/// How a server's certificate is checked.
package enum TLSVerification: Sendable, Hashable {
    /// Against the system's certificate authorities.
    case system
    /// Not at all.
    case off
    /// Against this PEM file, or folder of them.
    case authority(path: String)
    /// Against these certificates, as PEM.
    case authorityText(String)
}

/// The PEM file a client shows to prove who it is; `key` is nil when that file holds the key too.
package struct ClientCertificate: Sendable, Hashable {
    package var certificate: String
    package var key: String?

    package init(certificate: String, key: String?) {
        self.certificate = certificate
        self.key = key
    }
}
