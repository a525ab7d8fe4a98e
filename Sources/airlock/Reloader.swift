import ServiceLifecycle
import UnixSignals

/// What is read or opened anew on SIGHUP.
struct Reloader: Service {
    let actions: [@Sendable () -> Void]

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            for action in actions { action() }
        }
    }
}
