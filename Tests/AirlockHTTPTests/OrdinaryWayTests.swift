import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import AirlockHTTP

/// A connection that memory alone answers has nothing behind it, until something needs it.
struct OrdinaryWayTests {
    private struct Broken: Error {}

    /// What stands behind, and tells what reached it.
    private final class Behind: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        var seen: [String] = []

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head(let head) = unwrapInboundIn(data) { seen.append(head.uri) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { seen.append("\(type(of: error))") }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { seen.append("\(event)") }
    }

    private final class Connection {
        let channel = EmbeddedChannel()
        let behind = Behind()
        var timesSetUp = 0

        init(canBeSetUp: Bool = true, isActive: Bool = true) throws {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(
                OrdinaryWay(idleTimeout: .seconds(120)) { [unowned self] in
                    timesSetUp += 1
                    guard canBeSetUp else { throw Broken() }
                    try pipeline.addHandler(behind)
                })
            if isActive { try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait() }
        }

        func ask(_ target: String) throws {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target)
            try channel.writeInbound(HTTPServerRequestPart.head(head))
            try channel.writeInbound(HTTPServerRequestPart.end(nil))
        }

        func wait(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

        func happens(_ event: any Sendable) { channel.pipeline.fireUserInboundEventTriggered(event) }
    }

    @Test func `The first request sets it up, and all requests reach it`() throws {
        let connection = try Connection()
        #expect(connection.timesSetUp == 0)
        try connection.ask("/one")
        try connection.ask("/two")
        #expect(connection.timesSetUp == 1)
        #expect(connection.behind.seen == ["/one", "/two"])
        connection.wait(.seconds(500))
        connection.happens(ChannelShouldQuiesceEvent())
        #expect(connection.channel.isActive, "when it closes is for those behind to say from now on")
        #expect(connection.behind.seen.last == "ChannelShouldQuiesceEvent()")
    }

    @Test func `Who sends no request is cut off after two minutes`() throws {
        let connection = try Connection()
        connection.wait(.seconds(119))
        #expect(connection.channel.isActive)
        connection.wait(.seconds(1))
        #expect(!connection.channel.isActive)
        #expect(connection.timesSetUp == 0)
    }

    @Test func `A stop closes a connection that has nothing under way`() throws {
        let connection = try Connection()
        connection.happens(ChannelShouldQuiesceEvent())
        #expect(!connection.channel.isActive)
        #expect(connection.timesSetUp == 0)
    }

    @Test func `Who sends what is no HTTP is told so by those behind, and any other error closes`() throws {
        let first = try Connection()
        first.channel.pipeline.fireErrorCaught(HTTPParserError.invalidMethod)
        #expect(first.timesSetUp == 1)
        #expect(first.behind.seen == ["HTTPParserError"])
        let second = try Connection()
        second.channel.pipeline.fireErrorCaught(Broken())
        #expect(second.timesSetUp == 0)
        #expect(!second.channel.isActive)
    }

    @Test func `What comes from a connection that is not open sets nothing up`() throws {
        let connection = try Connection(isActive: false)
        connection.channel.pipeline.fireErrorCaught(HTTPParserError.invalidMethod)
        #expect(connection.timesSetUp == 0)
    }

    @Test func `A connection that cannot be set up is closed`() throws {
        let connection = try Connection(canBeSetUp: false)
        try connection.ask("/one")
        #expect(!connection.channel.isActive)
        #expect(connection.behind.seen == [])
    }
}
