import NIOCore
import NIOHTTP1
import Testing

@testable import AirlockHTTP

/// What has been used to smuggle a second request past a server: https://www.rfc-editor.org/rfc/rfc9112#section-11.2,
/// https://portswigger.net/web-security/request-smuggling.
struct RequestSmugglingTests {
    private static let get = "GET /v1/a HTTP/1.1\r\nHost: h\r\n"
    private static let chunked = "POST /v1/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func post(_ headers: String, body: String = "abc") -> String {
        "POST /v1/a HTTP/1.1\r\nHost: h\r\n\(headers)\r\n\(body)"
    }

    @Test(arguments: [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 3\r\n",
    ])
    func `A length together with a transfer encoding is refused`(headers: String) {
        expectRefusal(RequestSmugglingTests.post(headers, body: "0\r\n\r\n"))
    }

    @Test(arguments: [
        "Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3\r\nContent-Length: 0\r\n",
        "Content-Length: 3\r\nX: y\r\ncontent-length: 3\r\n",
    ])
    func `Two lengths are refused, also when they agree`(headers: String) {
        expectRefusal(RequestSmugglingTests.post(headers))
    }

    @Test(arguments: [
        "+3", "-3", "3 3", "3, 3", "3,3", "0x3", "3.0", "1e1", "", " ", "\u{FF13}", "٣", "3\u{0B}", "3;a",
        "9223372036854775808",
        "99999999999999999999999",
    ])
    func `A length that is not plain digits is refused`(length: String) {
        expectRefusal(RequestSmugglingTests.post("Content-Length:\(length)\r\n"))
    }

    @Test(arguments: [
        "gzip", "chunked, chunked", "gzip, chunked", "chunked, identity", "identity", "xchunked", "chunked;q=1", "",
        "\u{0B}chunked",
        "\"chunked\"", "chunked,",
    ])
    func `A transfer encoding other than chunked is refused`(encoding: String) {
        expectRefusal(RequestSmugglingTests.post("Transfer-Encoding: \(encoding)\r\n", body: "0\r\n\r\n"))
    }

    @Test func `Two transfer encodings are refused`() {
        expectRefusal(
            RequestSmugglingTests.post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body: "0\r\n\r\n"))
        expectRefusal(
            RequestSmugglingTests.post(
                "Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n", body: "0\r\n\r\n"))
    }

    @Test func `A chunked HTTP 1.0 request is refused`() {
        expectRefusal("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    }

    @Test(arguments: [
        "X: a\r\n b\r\n", "X: a\r\n\tb\r\n", " X: a\r\n", "X : a\r\n", "X\t: a\r\n", "Content-Length : 3\r\n",
        ": a\r\n", "X\r\n",
        "X y: a\r\n", "X(y): a\r\n", "X\u{0}: a\r\n", "X: a\u{0}b\r\n", "X: a\u{7F}\r\n", "X: a\u{8}\r\n",
        "X: é\r\nÉ: x\r\n",
        "X: a\r\rb\r\n", "X: a\rContent-Length: 3\r\n",
    ])
    func `A folded line, a blank before the colon or a control character is refused`(headers: String) {
        expectRefusal(RequestSmugglingTests.get + headers + "\r\n")
    }

    @Test(arguments: [
        "GET /v1/a HTTP/1.1\nHost: h\n\n", "GET /v1/a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
        "GET /v1/a HTTP/1.1\nHost: h\r\n\r\n",
        "GET /v1/a HTTP/1.1\r\nHost: h\r\nX: y\n\r\n\r\n", "GET /v1/a HTTP/1.1\rHost: h\r\n\r\n",
    ])
    func `A line that ends in anything but CRLF never becomes a request`(text: String) {
        #expect(Decoded.byAirlock(text).requests.isEmpty)
        // With the end of a head after it, it is refused and not waited for.
        expectRefusal(text + "\r\n\r\n")
    }

    @Test(arguments: [
        "GET  /v1/a HTTP/1.1", "GET /v1/a  HTTP/1.1", " GET /v1/a HTTP/1.1", "GET /v1/a HTTP/1.1 ",
        "GET\t/v1/a\tHTTP/1.1", "GET /v1/a",
        "GET /v1/a HTTP/1.2", "GET /v1/a HTTP/2.0", "GET /v1/a HTTP/0.9", "GET /v1/a http/1.1", "GET /v1/a HTTP/01.1",
        "GET /v1/a HTTP/1.1x",
        "GET /v1/a\u{0} HTTP/1.1", "GET /v1/é HTTP/1.1", "GET /v1/a#b HTTP/1.1", "GET v1/a HTTP/1.1",
        "GET //h\u{7F} HTTP/1.1", "GET h:80 HTTP/1.1",
        "G(T /v1/a HTTP/1.1", "GÉT /v1/a HTTP/1.1", "/v1/a HTTP/1.1", "",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1",
    ])
    func `A malformed request line is refused`(line: String) {
        expectRefusal("\(line)\r\nHost: h\r\n\r\n")
    }

    @Test(arguments: [
        "0x3", "+3", "-3", " 3", "3 ", "3\t", "", " ", "g", "3g", "123456789", "00000000003", "ffffffffffffffff",
        "FFFFFFFFFFFFFFFF3", "3\u{0B}",
        "3;a\u{0}", "3;\ra", "３", ";a=b",
    ])
    func `A chunk size that is not plain hexadecimal digits is refused`(size: String) {
        expectRefusal(RequestSmugglingTests.chunked + "\(size)\r\nabc\r\n0\r\n\r\n")
    }

    @Test(arguments: [
        "3\r\nabc0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\r\n0\r\n\r\n", "2\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
    ])
    func `A chunk without CRLF before and after it is refused`(body: String) {
        expectRefusal(RequestSmugglingTests.chunked + body)
    }

    @Test(arguments: ["X : y\r\n", " x: y\r\n", "x\r\n", "X: \u{0}\r\n", "X: y\n"])
    func `A malformed trailer is refused`(trailer: String) {
        expectRefusal(RequestSmugglingTests.chunked + "0\r\n\(trailer)\r\n")
    }

    @Test func `Trailers never become headers`() throws {
        let decoded = Decoded.byAirlock(
            RequestSmugglingTests.chunked + "3\r\nabc\r\n0\r\nX-Vault-Token: root\r\nContent-Length: 7\r\n\r\n")
        #expect(decoded.ending == .clean)
        let request = try #require(decoded.whole.first)
        #expect(request.body == Array("abc".utf8))
        #expect(!request.headers.contains { $0[0] == "X-Vault-Token" })
    }

    @Test(arguments: ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n"])
    func `An HTTP 1.1 request has exactly one Host`(hosts: String) {
        expectRefusal("GET / HTTP/1.1\r\n\(hosts)\r\n")
    }

    /// Refused before anything of the request was passed on, or, once its head was good, before its end was.
    private func expectRefusal(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        let decoded = Decoded.byAirlock(text + smuggled)
        #expect(decoded.ending == .refused, sourceLocation: sourceLocation)
        #expect(decoded.whole.isEmpty, sourceLocation: sourceLocation)
        #expect(!decoded.requests.contains { $0.uri == "/smuggled" }, sourceLocation: sourceLocation)
        let bytewise = Decoded.byAirlock((text + smuggled).utf8.map { [$0] })
        #expect(bytewise == decoded, "byte by byte", sourceLocation: sourceLocation)
    }
}

struct RequestDecoderTests {
    @Test(arguments: [
        "LIST", "SCAN", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "FOO", "get", "M-SEARCH",
        "!#$%&'*+-.^_`|~9",
    ])
    func `Any token is a verb`(verb: String) {
        let decoded = Decoded.byAirlock("\(verb) /v1/secret/metadata HTTP/1.1\r\nHost: h\r\n\r\n")
        let request = DecodedRequest(
            method: verb, uri: "/v1/secret/metadata", headers: [["Host", "h"]], isWhole: true)
        #expect(decoded == Decoded(requests: [request]))
    }

    @Test(arguments: [
        ("http://airlock:8100/v1/a?b=c", "/v1/a?b=c"), ("https://airlock/v1/a", "/v1/a"), ("http://airlock", "/"),
        ("http://airlock?x=/y", "/?x=/y"),
        ("*", "*"), ("/", "/"), ("//v1/a", "//v1/a"), ("/v1/a%2Fb?list=true", "/v1/a%2Fb?list=true"),
    ])
    func `The absolute form loses its scheme and authority`(target: String, uri: String) {
        #expect(Decoded.byAirlock("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n").whole.map(\.uri) == [uri])
    }

    @Test func `A value loses the blanks around it and keeps those inside`() {
        let decoded = Decoded.byAirlock("GET / HTTP/1.1\r\nHost:h\r\nX: \t a \t b\t \r\nY:\r\nZ: é\r\n\r\n")
        #expect(decoded.whole.map(\.headers) == [[["Host", "h"], ["X", "a \t b"], ["Y", ""], ["Z", "é"]]])
    }

    @Test(arguments: ["chunked", "Chunked", "CHUNKED"])
    func `A chunked body arrives whole, without its extensions`(encoding: String) {
        let decoded = Decoded.byAirlock(
            "POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: \(encoding)\r\n\r\n3;a=\"b\"\r\nabc\r\n0000000A\r\n0123456789\r\n000\r\n\r\n"
        )
        #expect(decoded.ending == .clean)
        #expect(decoded.whole.map(\.body) == [Array("abc0123456789".utf8)])
    }

    @Test(arguments: ["0", "3", "003"])
    func `A body is as long as its length says`(length: String) throws {
        let count = try #require(Int(length))
        let body = String(repeating: "x", count: count)
        let decoded = Decoded.byAirlock(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n\(body)GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        #expect(decoded.ending == .clean)
        #expect(decoded.whole.map(\.body.count) == [count, 0])
    }

    @Test(arguments: [
        ("HTTP/1.1", "Connection: Close", ["close"]), ("HTTP/1.1", "Connection: keep-alive, CLOSE", ["close"]),
        ("HTTP/1.1", "Connection: keep-alive", []),
        ("HTTP/1.1", "X: y", []), ("HTTP/1.0", "X: y", ["close"]), ("HTTP/1.0", "Connection: Keep-Alive", []),
    ])
    func `Every spelling of closing the connection becomes one`(version: String, header: String, closes: [String]) {
        let decoded = Decoded.byAirlock("GET / \(version)\r\nHost: h\r\n\(header)\r\n\r\n")
        #expect(
            decoded.whole.map { $0.headers.filter { $0[0].lowercased() == "connection" }.map { $0[1] } } == [closes])
    }

    private static let conversation = """
        POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
        LIST /b/ HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n\
        PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\nT: t\r\n\r\n\
        POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n\
        GET /e HTTP/1.0\r\n\r\n
        """

    @Test func `Several requests on one connection come out one by one`() {
        let decoded = Decoded.byAirlock(RequestDecoderTests.conversation)
        #expect(decoded.ending == .clean)
        #expect(decoded.whole.map(\.uri) == ["/a", "/b/", "/c", "/d", "/e"])
        #expect(decoded.whole.map { String(decoding: $0.body, as: UTF8.self) } == ["hello", "", "wikipedia", "", ""])
    }

    @Test(arguments: [1, 2, 3, 5, 7, 11, 64])
    func `It makes no difference how the bytes are cut`(size: Int) {
        let bytes = Array(RequestDecoderTests.conversation.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        #expect(Decoded.byAirlock(pieces) == Decoded.byAirlock([bytes]))
    }

    @Test func `One empty line before a request is skipped, however it is cut`() {
        let text = "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        let whole = Decoded.byAirlock(text)
        #expect(whole.ending == .clean)
        #expect(whole.whole.map(\.uri) == ["/a", "/b"])
        #expect(Decoded.byAirlock(text.utf8.map { [$0] }) == whole)
    }

    @Test func `A request cut short at any byte is never whole`() {
        let text = Array(
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n".utf8)
        for length in 1..<text.count {
            let decoded = Decoded.byAirlock([Array(text[..<length])])
            #expect(decoded.whole.isEmpty, "after \(length) bytes")
            #expect(decoded.ending == .cutShort, "after \(length) bytes")
        }
        #expect(Decoded.byAirlock([text]).whole.count == 1)
    }

    // MARK: Limits

    private static let small: RequestDecoder.Limits = {
        var limits = RequestDecoder.Limits(body: 10)
        limits.head = 100
        limits.headerCount = 3
        return limits
    }()

    @Test func `A head over the limit is refused as soon as that is known`() {
        let start = "GET / HTTP/1.1\r\nHost: h\r\nX: "
        let fitting = start + String(repeating: "x", count: 100 - start.utf8.count - 4) + "\r\n\r\n"
        #expect(fitting.utf8.count == 100)
        #expect(Decoded.byAirlock(fitting, limits: RequestDecoderTests.small).whole.count == 1)
        let endless = start + String(repeating: "x", count: 101 - start.utf8.count)
        #expect(Decoded.byAirlock(endless, limits: RequestDecoderTests.small).ending == .refused)
        #expect(Decoded.byAirlock(endless.utf8.map { [$0] }, limits: RequestDecoderTests.small).ending == .refused)
    }

    @Test func `More headers than the limit are refused`() {
        func request(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "X: y\r\n", count: count - 1) + "\r\n"
        }
        #expect(Decoded.byAirlock(request(3), limits: RequestDecoderTests.small).whole.count == 1)
        #expect(Decoded.byAirlock(request(4), limits: RequestDecoderTests.small).ending == .refused)
    }

    @Test func `A body over the limit is refused, by its length and by its chunks`() {
        func sized(_ count: Int) -> Decoded {
            Decoded.byAirlock(
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n" + String(repeating: "x", count: count),
                limits: RequestDecoderTests.small)
        }
        func chunked(_ sizes: [Int]) -> Decoded {
            let chunks = sizes.map { String($0, radix: 16) + "\r\n" + String(repeating: "x", count: $0) + "\r\n" }
            return Decoded.byAirlock(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks.joined() + "0\r\n\r\n",
                limits: RequestDecoderTests.small)
        }
        #expect(sized(10).ending == .clean)
        #expect(sized(11).ending == .refused)
        #expect(chunked([5, 5]).ending == .clean)
        #expect(chunked([5, 6]).ending == .refused)
        #expect(chunked([5, 6]).whole.isEmpty)
    }

    @Test func `Trailers and chunk extensions without end are refused`() {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        let trailers = String(repeating: "T: t\r\n", count: 100)
        #expect(
            Decoded.byAirlock(head + "0\r\n" + trailers + "\r\n", limits: RequestDecoderTests.small).ending == .refused)
        let fill = String(repeating: "x", count: 300)
        #expect(Decoded.byAirlock(head + "1;" + fill, limits: RequestDecoderTests.small).ending == .refused)
        #expect(Decoded.byAirlock(head + "0\r\nT: " + fill, limits: RequestDecoderTests.small).ending == .refused)
    }
}
