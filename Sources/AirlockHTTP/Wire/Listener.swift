import HummingbirdCore
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Accepts connections until a graceful shutdown, which waits for the requests in flight.
struct Listener {
    let host: String
    /// 0 picks a free one.
    let port: Int
    let http: HTTPChannel
    let logger: Logger

    /// Connections that wait to be accepted, at most.
    private static let backlog: Int32 = 256

    /// - Parameter ready: called once with the port in use.
    /// - Throws: `IOError` when the address cannot be listened on.
    func run(ready: @escaping @Sendable (Int) -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let quiescing = ServerQuiescingHelper(group: group)
        // Those with a request that needs the ordinary way.
        let (needed, needing) = AsyncStream<HTTPChannel.Value>.makeStream()
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Listener.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try http.setup(channel: channel, logger: logger) { needing.yield($0) }
                }
            }
            .bind(host: host, port: port).get()
        await withGracefulShutdownHandler {
            ready(server.localAddress?.port ?? port)
            await withDiscardingTaskGroup { group in
                for await connection in needed {
                    group.addTask { await http.handle(value: connection, logger: logger) }
                }
            }
        } onGracefulShutdown: {
            let closed = group.any().makePromise(of: Void.self)
            closed.futureResult.whenComplete { _ in needing.finish() }
            quiescing.initiateShutdown(promise: closed)
        }
        try? await server.close()
        // The grace is over, and some requests are not.
        try Task.checkCancellation()
    }
}
