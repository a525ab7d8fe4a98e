import NIOCore
import NIOSSL

/// The certificates that the client has shown in the handshake of this very connection; never what a header claims.
struct ClientCertificates: Sendable {
    private let channel: (any Channel)?

    static let none = ClientCertificates(channel: nil)

    init(channel: (any Channel)?) { self.channel = channel }

    /// In DER, the client's own first; none without TLS, or where the client has none.
    func der() async throws -> [[UInt8]] {
        guard let channel else { return [] }
        do {
            if let shown = try await channel.nioSSL_peerValidatedCertificateChain().get() {
                return try shown.map { try $0.toDERBytes() }
            }
            // A resumed session keeps the client's own only.
            return try await channel.nioSSL_peerCertificate().get().map { [try $0.toDERBytes()] } ?? []
        } catch is ChannelPipelineError {
            return []
        }
    }
}
