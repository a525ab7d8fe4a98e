package import AirlockCore
import Foundation
import NIOCore
import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// The listener's certificate and key, read from files at the start and again whenever asked. A connection keeps what was
/// current when it opened.
package final class TLSListener: Sendable {
    /// Under the names of Vault's listener parameters.
    package struct Files: Sendable {
        package let certificate: String
        package let key: String
        /// Set: no connection without a certificate of one of these authorities.
        package let clientAuthorities: String?

        package init(certificate: String, key: String, clientAuthorities: String?) {
            self.certificate = certificate
            self.key = key
            self.clientAuthorities = clientAuthorities
        }
    }

    private struct Material {
        let context: NIOSSLContext
        let expires: Timestamp
        /// Whom a client's certificate must come from; `nil` asks for one and leaves the judgement to the login.
        let clientAuthorities: [Certificate]?
    }

    private let files: Files
    private let now: Now
    private let current: Mutex<Material>

    /// - Throws: `AirlockError` that names the setting and what is wrong with its file.
    package init(_ files: Files, now: @escaping Now) throws {
        self.files = files
        self.now = now
        current = Mutex(try TLSListener.read(files))
    }

    /// Takes the files as they are now; when it throws, everything stays as it was.
    package func reload() throws {
        let fresh = try TLSListener.read(files)
        current.withLock { $0 = fresh }
    }

    /// When the certificate expires.
    package var expires: Timestamp { current.withLock { $0.expires } }

    /// Whether anybody on this machine may read the private key.
    package var keyIsOpenToAll: Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: files.key)
        return (attributes?[.posixPermissions] as? Int).map { $0 & 0o004 != 0 } ?? false
    }

    // MARK: A connection

    /// Must be called on the channel's event loop.
    func addHandlers(to channel: any Channel) throws {
        let material = current.withLock { $0 }
        let now = now
        let handler = NIOSSLServerHandler(
            context: material.context,
            customVerificationCallbackWithMetadata: { shown, promise in
                guard let authorities = material.clientAuthorities else {
                    return promise.succeed(.certificateVerified(.init(ValidatedCertificateChain(shown))))
                }
                promise.completeWithTask {
                    let chain = try shown.map { try Certificate(derEncoded: $0.toDERBytes()) }
                    let isTrusted = try await ClientChain(chain, at: now()).isTrusted(by: authorities)
                    return isTrusted
                        ? .certificateVerified(.init(ValidatedCertificateChain(shown))) : .failed
                }
            })
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(PlainHTTPRefusal())
        try pipeline.addHandler(handler)
        try pipeline.addHandler(HandshakeDeadline())
    }

    // MARK: The files

    private static func read(_ files: Files) throws -> Material {
        let chain: [NIOSSLCertificate]
        let expires: Date
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(try bytes(files.certificate, of: "tls_cert_file"))
            expires = try chain.first.map { try Certificate(derEncoded: $0.toDERBytes()).notValidAfter } ?? .distantPast
        } catch is AirlockError {
            throw unreadable(files.certificate, of: "tls_cert_file")
        } catch {
            throw AirlockError(
                .broken, "tls_cert_file: \(files.certificate) does not hold certificates",
                hint: "it must be PEM: the server's own certificate first, then those between it and the authority")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: try bytes(files.key, of: "tls_key_file"), format: .pem)
        } catch is AirlockError {
            throw unreadable(files.key, of: "tls_key_file")
        } catch {
            throw AirlockError(
                .broken, "tls_key_file: \(files.key) does not hold a private key",
                hint: "it must be PEM and not encrypted with a passphrase")
        }
        let authorities = try files.clientAuthorities.map { try certificates($0) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // TLS 1.3 has its own; for 1.2 forward secrecy and authenticated encryption only.
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        // An idle client may not answer a goodbye; a stop does not wait long for one.
        configuration.shutdownTimeout = .seconds(1)
        configuration.applicationProtocols = ["http/1.1"]
        // The verdict is the callback's; these two only say whether a certificate may be left out, and for which to ask.
        configuration.certificateVerification = authorities == nil ? .optionalVerification : .noHostnameVerification
        configuration.trustRoots = .certificates(
            try (authorities ?? []).map { try NIOSSLCertificate(bytes: $0.derBytes(), format: .der) })
        configuration.sendCANameList = true
        do {
            return Material(
                context: try NIOSSLContext(configuration: configuration), expires: Timestamp(expires),
                clientAuthorities: authorities)
        } catch {
            throw AirlockError(
                .broken, "tls_key_file: \(files.key) is not the key of the first certificate in \(files.certificate)",
                hint: "give the key and the certificate that were made together")
        }
    }

    private static func certificates(_ file: String) throws -> [Certificate] {
        let text = String(decoding: try bytes(file, of: "tls_client_ca_file"), as: UTF8.self)
        guard let found = try? Certificate.all(inPEM: text), !found.isEmpty else {
            throw AirlockError(
                .broken, "tls_client_ca_file: \(file) does not hold certificates", hint: "it must be PEM")
        }
        return found
    }

    private static func bytes(_ file: String, of setting: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: file) else { throw unreadable(file, of: setting) }
        return Array(data)
    }

    private static func unreadable(_ file: String, of setting: String) -> AirlockError {
        AirlockError(
            .broken, "\(setting): \(file) cannot be read", hint: "check that it exists and who may read it")
    }
}

extension Timestamp {
    /// Certificates that never end say the year 9999, which is past what can be counted here (RFC 5280, section 4.1.2.5).
    init(_ date: Date) {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        let limit = Double(Int64.max / 1_000_000_000)
        self.init(nanoseconds: Int64(max(-limit, min(limit, seconds))) * 1_000_000_000)
    }
}
