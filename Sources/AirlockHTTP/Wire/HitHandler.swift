import NIOCore
import NIOHTTP1

/// Answers plain reads on the event loop, ahead of the server behind. It may only answer what that server would answer with the
/// same bytes, and only while nothing else is on the connection: then no answer can overtake another. Whatever is not a hit
/// passes through untouched.
final class HitHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What closes idle connections stands behind this handler and does not see a hit, so it is shown a request now and then:
    /// a connection in use is not idle.
    private static let shown = TimeAmount.seconds(30)

    private let hits: Hits
    /// Requests passed on whose answer is not yet written.
    private var waiting = 0
    private var lastPassed = NIODeadline.now()
    /// The request under way has been answered here: only its end is still to come.
    private var isAnswered = false
    /// The connection is about to be closed: nothing more is answered on it here.
    private var isClosing = false
    private var hasWritten = false
    /// In front of this one, and past it: a hit is bytes already.
    private var encoder: ChannelHandlerContext?

    init(hits: Hits) { self.hits = hits }

    func handlerAdded(context: ChannelHandlerContext) {
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { encoder = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if waiting == 0, !isClosing, NIODeadline.now() - lastPassed < HitHandler.shown, let encoder,
                let answer = hits.answer(head, allocator: context.channel.allocator)
            {
                encoder.write(NIOAny(answer), promise: nil)
                (isAnswered, hasWritten) = (true, true)
                return
            }
            waiting += 1
            lastPassed = .now()
            if !head.isKeepAlive { isClosing = true }
        case .end where isAnswered:
            isAnswered = false
            return
        case .body, .end: break
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasWritten {
            hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { waiting = max(0, waiting - 1) }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isClosing = true
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { isClosing = true }
        context.fireUserInboundEventTriggered(event)
    }
}
