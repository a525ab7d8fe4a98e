import AirlockCore
import AirlockHTTP
import Logging
import ServiceLifecycle
import UnixSignals

/// What is read or opened anew at SIGHUP. The signal never ends the program, whether or not there is anything to do.
struct Reloader: Service {
    let actions: [@Sendable () -> Void]
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            if actions.isEmpty { logger.info("SIGHUP: there is no certificate and no audit log to open anew") }
            for action in actions { action() }
        }
    }
}

extension TLSListener {
    /// Takes a renewed certificate, as Vault does, or says why the one in use stays.
    func reload(_ logger: Logger) {
        do {
            try reload()
            logger.info(
                "SIGHUP: new connections get the certificate as it is now",
                metadata: ["expires": "\(expires.rfc3339)"])
        } catch {
            let error = error as? AirlockError
            logger.error(
                "SIGHUP: the certificate in use stays: \(error?.message ?? "it cannot be read")",
                metadata: ["hint": "\(error?.hint ?? "")"])
        }
    }
}
