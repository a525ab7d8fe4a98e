import NIOCore
import NIOHTTP1

/// Stands for the ordinary way until a request needs it. Airflow connects, logs in, reads once and closes, and what serves a
/// request that memory cannot answer costs more to set up and to take down than all of that.
final class OrdinaryWay: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let idleTimeout: TimeAmount
    /// Adds the handlers behind this one.
    private let setUp: () throws -> Void
    private var isThere = false
    private var idle: Scheduled<Void>?

    /// - Parameter idleTimeout: of a connection that memory alone has answered, from its beginning. It is no shorter than the
    ///   time after which `HitHandler` passes a request on.
    init(idleTimeout: TimeAmount, setUp: @escaping () throws -> Void) {
        self.idleTimeout = idleTimeout
        self.setUp = setUp
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        idle = context.eventLoop.scheduleTask(in: idleTimeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { idle?.cancel() }

    /// - Returns: whether it is there now.
    private func require(_ context: ChannelHandlerContext) -> Bool {
        if isThere { return true }
        guard context.channel.isActive else { return false }
        idle?.cancel()
        do {
            try setUp()
            isThere = true
        } catch {
            context.close(promise: nil)
        }
        return isThere
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if require(context) { context.fireChannelRead(data) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Who sends what is no HTTP is told so.
        if error is HTTPParserError, require(context) { return context.fireErrorCaught(error) }
        if isThere { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isThere { return context.fireUserInboundEventTriggered(event) }
        switch event {
        case is ChannelShouldQuiesceEvent: context.close(promise: nil)
        // Once all answers are written.
        case let event as ChannelEvent where event == .inputClosed: context.close(mode: .output, promise: nil)
        default: break
        }
    }
}
