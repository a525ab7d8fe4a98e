import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import AirlockHTTP

/// One request as a decoder gave it, its body in one piece.
struct DecodedRequest: Equatable {
    var method: String
    var uri: String
    var headers: [[String]]
    var body: [UInt8] = []
    var isWhole = false
}

/// What became of the bytes of one connection.
struct Decoded: Equatable {
    enum Ending: Equatable {
        /// Every request was whole when the client hung up.
        case clean
        /// The client hung up in the middle of a request.
        case cutShort
        /// A request was malformed.
        case refused
    }

    var requests: [DecodedRequest] = []
    var ending = Ending.clean

    /// Requests that were decoded from their first byte to their last.
    var whole: [DecodedRequest] { requests.filter(\.isWhole) }

    mutating func take(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            requests.append(
                DecodedRequest(
                    method: head.method.rawValue, uri: head.uri, headers: head.headers.map { [$0.name, $0.value] }))
        case .body(let buffer): requests[requests.count - 1].body += Array(buffer.readableBytesView)
        case .end: requests[requests.count - 1].isWhole = true
        }
    }

    /// - Parameter pieces: the connection's bytes as they arrive.
    static func by(_ handler: any ChannelHandler, _ pieces: [[UInt8]]) -> Decoded {
        let channel = EmbeddedChannel()
        var decoded = Decoded()
        do { try channel.pipeline.syncOperations.addHandler(handler) } catch { decoded.ending = .refused }
        for piece in pieces where decoded.ending == .clean {
            do { try channel.writeInbound(ByteBuffer(bytes: piece)) } catch { decoded.ending = .refused }
        }
        do { _ = try channel.finish(acceptAlreadyClosed: true) } catch {
            if decoded.ending == .clean { decoded.ending = .cutShort }
        }
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) { decoded.take(part) }
        return decoded
    }

    static func byAirlock(
        _ pieces: [[UInt8]], limits: RequestDecoder.Limits = RequestDecoder.Limits(body: 1 << 20)
    ) -> Decoded {
        by(HitHandler(hits: nil, limits: limits), pieces)
    }

    static func byAirlock(_ text: String, limits: RequestDecoder.Limits = RequestDecoder.Limits(body: 1 << 20))
        -> Decoded
    {
        byAirlock([Array(text.utf8)], limits: limits)
    }

    static func byNIO(_ bytes: [UInt8]) -> Decoded {
        by(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)), [bytes])
    }
}
