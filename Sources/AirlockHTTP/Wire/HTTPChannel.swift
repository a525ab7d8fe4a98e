import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// One client connection: our request decoder, NIO's response encoder, Hummingbird's request loop.
struct HTTPChannel: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    private let bodyLimit: Int
    private let tls: TLSListener?
    private let hits: Hits?

    /// A connection with no request on it is closed after this long.
    private static let idleTimeout = TimeAmount.seconds(120)

    /// How much of a body over the limit is still read, so that the client gets its 413 instead of a broken connection.
    private static let drained = 64 * 1024 * 1024

    init(
        bodyLimit: Int, tls: TLSListener? = nil, hits: Hits? = nil,
        responder: @escaping HTTPChannelHandler.Responder
    ) {
        self.bodyLimit = bodyLimit
        self.tls = tls
        self.hits = hits
        self.responder = { request, writer, channel in
            if request.headers[.expect]?.lowercased() == "100-continue" {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            try await responder(request, writer, channel)
        }
    }

    /// - Parameter needed: called on the event loop once a request is to be handled the ordinary way, with what `handle` takes.
    func setup(channel: any Channel, logger: Logger, needed: @escaping @Sendable (Value) -> Void) throws {
        let limits = RequestDecoder.Limits(body: bodyLimit + HTTPChannel.drained)
        let pipeline = channel.pipeline.syncOperations
        try tls?.addHandlers(to: channel)
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(HitHandler(hits: hits, limits: limits))
        try pipeline.addHandler(
            OrdinaryWay(idleTimeout: HTTPChannel.idleTimeout) { needed(try ordinaryWay(of: channel, logger: logger)) })
    }

    private func ordinaryWay(of channel: any Channel, logger: Logger) throws -> Value {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: tls != nil))
        try pipeline.addHandler(
            HTTPConnectionStateHandler(idleTimeout: Duration(HTTPChannel.idleTimeout), logger: logger))
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try ordinaryWay(of: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async { await handleHTTP(asyncChannel: value, logger: logger) }
}
