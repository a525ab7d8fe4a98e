import NIOCore
import NIOHTTP1
import Testing

@testable import AirlockHTTP

/// What is taken for a plain read is what the strict decoder reads in the same bytes.
struct PlainReadTests {
    /// What of a request counts.
    private struct Parts: Equatable {
        let target: String
        let token: String
        let isDeliberate: Bool
        let length: Int
    }

    private func plain(_ bytes: [UInt8]) -> Parts? {
        bytes.withUnsafeBytes { bytes in
            PlainRead(bytes).map { read in
                Parts(
                    target: String(decoding: read.target, as: UTF8.self),
                    token: String(decoding: read.token, as: UTF8.self), isDeliberate: read.isDeliberate,
                    length: read.length)
            }
        }
    }

    /// `nil` where the decoder reads no request without a body.
    private func decoded(_ bytes: [UInt8]) -> Parts? {
        var decoder = RequestDecoder(limits: .init(body: 1 << 20))
        var buffer = ByteBuffer(bytes: bytes)
        guard case .head(let head)? = try? decoder.next(&buffer), case .end? = try? decoder.next(&buffer),
            head.method == .GET, head.version == .http1_1, head.isKeepAlive
        else { return nil }
        let bearer = head.headers.first(name: "authorization").map {
            String($0.dropFirst("Bearer ".count)).trimmingBlanks
        }
        return Parts(
            target: head.uri, token: head.headers.first(name: "x-vault-token") ?? bearer ?? "",
            isDeliberate: head.headers["x-vault-request"] == ["true"], length: bytes.count - buffer.readableBytes)
    }

    private static let whole = """
        GET /v1/secret/data/a HTTP/1.1\r\nHost: airlock\r\nX-Vault-Token: s.abc\r\nX-Vault-Request: true\r\n\
        Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: hvac\r\nConnection: keep-alive\r\n\r\n
        """

    @Test func `A read as the usual clients send it is taken whole, and not before it is whole`() throws {
        let bytes = Array(PlainReadTests.whole.utf8)
        let parts = try #require(plain(bytes))
        #expect(parts.target == "/v1/secret/data/a" && parts.token == "s.abc" && parts.isDeliberate)
        #expect(plain(bytes + bytes)?.length == bytes.count)
        #expect(plain(bytes) == decoded(bytes))
        for length in bytes.indices { #expect(plain(Array(bytes[..<length])) == nil) }
    }

    @Test func `Whatever is done to its bytes, it is taken only as the decoder reads it`() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "\r\n", "\n", "\r", ":", " ", "\t", "\0", "Host: b\r\n", "X-Vault-Token: t\r\n", "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n", "Authorization: Bearer b\r\n", "X-Vault-Token : t\r\n", " folded\r\n",
            "x-vault-TOKEN:\tt\t\r\n", "Connection: close\r\n", "é", "\u{7F}", "HTTP/1.0", "POST", "#", "?", "%",
        ].map { Array($0.utf8) }
        var taken = 0
        for _ in 0..<20_000 {
            var bytes = Array(PlainReadTests.whole.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes.insert(contentsOf: pieces.randomElement(using: &generator)!, at: place)
                case 2: bytes.remove(at: place)
                default: bytes[place] ^= 0x20
                }
            }
            guard let parts = plain(bytes) else { continue }
            taken += 1
            #expect(parts == decoded(bytes), "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
        }
        #expect(taken > 1000)
    }
}
