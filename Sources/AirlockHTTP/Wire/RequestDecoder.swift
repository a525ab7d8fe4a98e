import NIOCore
import NIOHTTP1

/// A strict HTTP/1.1 request decoder, in place of NIO's, whose parser refuses `LIST` and every verb it does not know; hvac
/// lists with `LIST`. Stricter than RFC 9112 asks wherever leniency has been used to smuggle requests: lines end in CRLF,
/// there is exactly one `Host`, at most one `Content-Length`, never together with `Transfer-Encoding`, which may only be
/// `chunked`; no folded lines, no blanks before the colon.
///
/// Everything refused surfaces as an `HTTPParserError`; the connection is answered 400 and closed.
struct RequestDecoder {
    struct Limits: Sendable {
        /// Bytes of request line and headers together.
        var head = 64 * 1024
        var headerCount = 200
        /// Bytes of a body that are read at all, so that an answer can reach a client that is still sending.
        var body: Int
    }

    private enum State {
        case head
        case body(left: Int)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailers
    }

    private let limits: Limits
    private var state = State.head
    /// Bytes already searched for the end of the head, so that a slow sender costs no second look.
    private var searched = 0
    private var bodyBytes = 0

    init(limits: Limits) { self.limits = limits }

    /// The next part that the buffer holds whole; `nil` when it needs more bytes.
    mutating func next(_ buffer: inout ByteBuffer) throws -> HTTPServerRequestPart? {
        while true {
            switch state {
            case .head:
                return try head(&buffer)
            case .body(let left):
                guard left > 0 else {
                    state = .head
                    return .end(nil)
                }
                guard let slice = slice(&buffer, atMost: left) else { return nil }
                state = .body(left: left - slice.readableBytes)
                return .body(slice)
            case .chunkSize:
                guard let size = try chunkSize(&buffer) else { return nil }
                state = size == 0 ? .trailers : .chunk(left: size)
            case .chunk(let left):
                guard left > 0 else {
                    state = .chunkEnd
                    continue
                }
                guard let slice = slice(&buffer, atMost: left) else { return nil }
                state = .chunk(left: left - slice.readableBytes)
                return .body(slice)
            case .chunkEnd:
                guard let line = try line(&buffer, atMost: 0) else { return nil }
                guard line.isEmpty else { throw HTTPParserError.strictModeAssertion }
                state = .chunkSize
            case .trailers:
                guard let line = try line(&buffer, atMost: limits.head) else { return nil }
                bodyBytes += line.count
                guard bodyBytes <= limits.body else { throw HTTPParserError.headerOverflow }
                guard line.isEmpty else {
                    // Trailers are checked and dropped: nothing here uses them, and they must not become headers.
                    _ = try RequestHead.header(line)
                    continue
                }
                state = .head
                return .end(nil)
            }
        }
    }

    /// - Parameter rest: what `next` did not take.
    /// - Throws: when nothing more comes, but the last request is not whole.
    func checkEnd(_ rest: ByteBuffer) throws {
        guard case .head = state, rest.readableBytes == 0 else { throw HTTPParserError.invalidEOFState }
    }

    private mutating func head(_ buffer: inout ByteBuffer) throws -> HTTPServerRequestPart? {
        if searched == 0, buffer.readableBytesView.starts(with: [0x0D, 0x0A]) {
            // One empty line before a request is allowed (https://www.rfc-editor.org/rfc/rfc9112#section-2.2).
            buffer.moveReaderIndex(forwardBy: 2)
        }
        if let first = buffer.readableBytesView.first, first != 0x0D, !RequestHead.isToken(first) {
            // Nothing that could become a request, such as the start of a TLS handshake: say so at once.
            throw HTTPParserError.invalidMethod
        }
        // Half of that line is not looked at before the other half is there.
        if buffer.readableBytes == 1, buffer.readableBytesView.first == 0x0D { return nil }
        guard let end = try endOfHead(buffer) else { return nil }
        let bytes = buffer.readSlice(length: end)!.readableBytesView
        searched = 0
        let head = try RequestHead(bytes.dropLast(2), headerLimit: limits.headerCount)
        bodyBytes = 0
        switch head.framing {
        case .none: state = .body(left: 0)
        case .chunked: state = .chunkSize
        case .length(let length):
            guard length <= limits.body else { throw HTTPParserError.headerOverflow }
            state = .body(left: length)
        }
        return .head(head.head)
    }

    /// The number of bytes up to and with the empty line that ends the head.
    private mutating func endOfHead(_ buffer: ByteBuffer) throws -> Int? {
        let found = buffer.withUnsafeReadableBytes { bytes -> Int? in
            var index = max(searched - 3, 0)
            while index + 3 < bytes.count {
                if bytes[index + 3] > 0x0D {
                    index += 4
                } else if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D,
                    bytes[index + 3] == 0x0A
                {
                    return index + 4
                } else {
                    index += 1
                }
            }
            return nil
        }
        guard found ?? buffer.readableBytes <= limits.head else { throw HTTPParserError.headerOverflow }
        if found == nil { searched = buffer.readableBytes }
        return found
    }

    private mutating func slice(_ buffer: inout ByteBuffer, atMost limit: Int) -> ByteBuffer? {
        let length = min(limit, buffer.readableBytes)
        return length > 0 ? buffer.readSlice(length: length) : nil
    }

    /// A line up to CRLF, without it; `nil` when it is not whole yet.
    private func line(_ buffer: inout ByteBuffer, atMost limit: Int) throws -> ByteBufferView? {
        let view = buffer.readableBytesView
        guard let feed = view.prefix(limit + 2).firstIndex(of: 0x0A) else {
            guard view.count < limit + 2 else { throw HTTPParserError.headerOverflow }
            return nil
        }
        let line = view[..<feed]
        guard line.last == 0x0D else { throw HTTPParserError.lfExpected }
        buffer.moveReaderIndex(forwardBy: line.count + 1)
        return line.dropLast()
    }

    /// Hexadecimal digits only; extensions after `;` are dropped.
    private mutating func chunkSize(_ buffer: inout ByteBuffer) throws -> Int? {
        guard let line = try line(&buffer, atMost: 256) else { return nil }
        let digits = line.prefix { $0 != UInt8(ascii: ";") }
        guard (1...8).contains(digits.count) else { throw HTTPParserError.invalidChunkSize }
        var size = 0
        for digit in digits {
            guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else {
                throw HTTPParserError.invalidChunkSize
            }
            size = size << 4 | value
        }
        guard line.dropFirst(digits.count).allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw HTTPParserError.invalidChunkSize
        }
        bodyBytes += size
        guard bodyBytes <= limits.body else { throw HTTPParserError.headerOverflow }
        return size
    }
}
