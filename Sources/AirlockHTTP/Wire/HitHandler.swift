import NIOCore
import NIOHTTP1

/// The first to see what a client sends. A plain read that memory can answer is answered here, on the event loop; anything else
/// is decoded and passed on to the server behind. A hit may only be what that server would answer, with the same bytes, and only
/// while nothing else is on the connection: then no answer can overtake another.
final class HitHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What closes idle connections stands behind this handler and does not see a hit, so it is shown a request now and then:
    /// a connection in use is not idle.
    private static let shown = TimeAmount.seconds(30)
    /// Bytes of answers to what came in one piece. The rest goes the ordinary way, which waits for a client that reads slowly.
    private static let pieceLimit = 256 * 1024
    /// Requests passed on and not answered at most, for a client that sends and does not read: the rest of what it sends waits,
    /// and then stays with the system. Once half of them are answered, the next ones have their turn.
    static let waitingLimit = 16
    /// Bytes of memory that a connection at rest keeps for its next hits.
    static let keptCapacity = 8 * 1024

    /// `nil`: nothing is answered here.
    private let hits: Hits?
    private var decoder: RequestDecoder
    /// What the decoder has not taken yet.
    private var undecoded = ByteBuffer()
    /// The beginning of a login, until the rest of it has come.
    private var begun = ByteBuffer()
    /// A request's head has been passed on, and its end not yet.
    private var isWithinRequest = false
    /// Requests passed on whose answer is not yet written.
    private var waiting = 0
    private var lastPassed = NIODeadline.now()
    /// Too many wait: nothing is decoded, and nothing more is read.
    private var isStopped = false
    private var isReadAwaited = false
    /// The client has sent all it will, and some of that waits.
    private var isEndAwaited = false
    /// The connection is about to be closed: nothing more is answered on it here.
    private var isClosing = false
    /// What came was no HTTP: the rest of it is not looked at.
    private var hasFailed = false
    /// The last hits. Once they are written their memory is used again.
    private(set) var answers = ByteBuffer()
    private var areWritten = true
    /// In front of this handler, and past it: a hit is bytes already.
    private var encoder: ChannelHandlerContext?

    init(hits: Hits?, limits: RequestDecoder.Limits) {
        self.hits = hits
        decoder = RequestDecoder(limits: limits)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { encoder = nil }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if begun.readableBytes > 0 {
            begun.writeImmutableBuffer(bytes)
            bytes = takeBegun()
        }
        let isBegun = hits.map { mayAnswer(context) && answer(&bytes, $0, context) } ?? false
        guard bytes.readableBytes > 0 else { return }
        if writeAnswers() { encoder?.flush() }
        if isBegun { begun = bytes } else { pass(bytes, context) }
    }

    private func takeBegun() -> ByteBuffer {
        defer { begun = ByteBuffer() }
        return begun
    }

    /// What was waited for does not come, or is not to be answered here any more.
    private func passBegun(_ context: ChannelHandlerContext) {
        let bytes = takeBegun()
        if bytes.readableBytes > 0 { pass(bytes, context) }
    }

    private func mayAnswer(_ context: ChannelHandlerContext) -> Bool {
        waiting == 0 && !isWithinRequest && undecoded.readableBytes == 0 && !isClosing && !hasFailed
            && !isStopped && encoder != nil && context.channel.isWritable
            && NIODeadline.now() - lastPassed < HitHandler.shown
    }

    /// - Returns: whether what is left is the beginning of a login.
    private func answer(_ bytes: inout ByteBuffer, _ hits: Hits, _ context: ChannelHandlerContext) -> Bool {
        if areWritten {
            answers.clear()
            areWritten = false
        }
        while answers.readableBytes < HitHandler.pieceLimit {
            switch hits.answer(&bytes, into: &answers, from: context.channel.remoteAddress?.ipAddress) {
            case .answered: continue
            case .unknown: return false
            case .begun: return true
            }
        }
        return false
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !hasFailed else { return }
        lastPassed = .now()
        if undecoded.readableBytes == 0 { undecoded = bytes } else { undecoded.writeImmutableBuffer(bytes) }
        if !isStopped { decode(context) }
    }

    private func decode(_ context: ChannelHandlerContext) {
        attempt(context) {
            while !isStopped, let part = try decoder.next(&undecoded) { pass(part, context) }
        }
        // What has been passed on is not held here, too. What is left moves no more often than it shrinks by half.
        if undecoded.readableBytes == 0 {
            undecoded = ByteBuffer()
        } else if undecoded.readerIndex > undecoded.readableBytes {
            undecoded.discardReadBytes()
        }
    }

    private func goOn(_ context: ChannelHandlerContext) {
        guard isStopped, waiting <= HitHandler.waitingLimit / 2, !hasFailed else { return }
        isStopped = false
        if undecoded.readableBytes > 0 {
            decode(context)
            context.fireChannelReadComplete()
        }
        guard !isStopped else { return }
        if isEndAwaited {
            isEndAwaited = false
            finish(context)
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadAwaited {
            isReadAwaited = false
            context.read()
        }
    }

    private func pass(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            waiting += 1
            isWithinRequest = true
            if !head.isKeepAlive { isClosing = true }
        case .body: break
        case .end:
            isWithinRequest = false
            isStopped = waiting >= HitHandler.waitingLimit
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func attempt(_ context: ChannelHandlerContext, _ decode: () throws -> Void) {
        do {
            try decode()
        } catch {
            hasFailed = true
            context.fireErrorCaught(error)
        }
    }

    /// Nothing more comes: a request that is not whole never will be.
    private func finish(_ context: ChannelHandlerContext) {
        passBegun(context)
        guard !hasFailed else { return }
        attempt(context) { try decoder.checkEnd(undecoded) }
        hasFailed = true
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if writeAnswers() { encoder?.flush() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        // What still waits then can be answered to nobody.
        if isStopped { hasFailed = true } else { finish(context) }
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            isClosing = true
            passBegun(context)
        }
        if let event = event as? ChannelEvent, event == .inputClosed {
            passBegun(context)
            if isStopped {
                isEndAwaited = true
                return
            }
            finish(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isClosing = true
        context.fireErrorCaught(error)
    }

    // MARK: Answers

    /// - Returns: whether there was something to write.
    private func writeAnswers() -> Bool {
        guard !areWritten else { return false }
        areWritten = true
        guard answers.readableBytes > 0 else { return false }
        encoder?.write(NIOAny(answers), promise: nil)
        // What was large is not held by a connection that rests.
        if answers.capacity > HitHandler.keptCapacity { answers = ByteBuffer() }
        return true
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { waiting = max(0, waiting - 1) }
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        goOn(context)
    }

    func read(context: ChannelHandlerContext) {
        if isStopped { isReadAwaited = true } else { context.read() }
    }
}
