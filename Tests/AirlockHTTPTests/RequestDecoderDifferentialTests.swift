import Foundation
import Testing

/// Our decoder against the one that every other NIO server uses, on requests made and mutated at random.
struct RequestDecoderDifferentialTests {
    private static let count = ProcessInfo.processInfo.environment["AIRLOCK_LONG"] == "1" ? 200_000 : 6_000

    @Test func `Whatever NIO's decoder accepts too, it reads the same`() {
        var generator = SeededGenerator(seed: 2026)
        var agreed = 0
        var refused = 0
        for index in 0..<RequestDecoderDifferentialTests.count {
            let bytes = RequestMaker.connection(&generator)
            let ours = Decoded.byAirlock(RequestMaker.pieces(of: bytes, &generator))
            let theirs = Decoded.byNIO(bytes)
            if ours.ending == .refused { refused += 1 }
            let (own, other) = (ours.whole, theirs.whole.map(RequestDecoderDifferentialTests.asOurs))
            // Every request that both took for whole is the same one, also when a later one is refused.
            let common = min(own.count, other.count)
            let isSame = own[..<common].elementsEqual(other[..<common], by: { Self.asOurs($0) == $1 })
            #expect(
                isSame, "case \(index): \(String(reflecting: String(decoding: bytes, as: UTF8.self)))\n\(own)\n\(other)"
            )
            if ours.ending == .clean && theirs.ending == .clean {
                agreed += 1
                let place = "case \(index): \(String(reflecting: String(decoding: bytes, as: UTF8.self)))"
                #expect(own.count == other.count, "\(place)\n\(own)\n\(other)")
            }
        }
        // The comparison is worth something only when both sorts are frequent.
        #expect(agreed > RequestDecoderDifferentialTests.count / 10)
        #expect(refused > RequestDecoderDifferentialTests.count / 10)
    }

    /// Two differences are on purpose: `Connection`, which is hop-by-hop, is rewritten by ours, and NIO leaves a tab at the
    /// end of a value, which is no part of it (https://www.rfc-editor.org/rfc/rfc9110#section-5.5).
    private static func asOurs(_ request: DecodedRequest) -> DecodedRequest {
        var request = request
        request.headers.removeAll { $0[0].lowercased() == "connection" }
        for index in request.headers.indices {
            while request.headers[index][1].last == "\t" || request.headers[index][1].last == " " {
                request.headers[index][1].removeLast()
            }
        }
        return request
    }
}

/// Reproducible random numbers (SplitMix64, https://prng.di.unimi.it/splitmix64.c).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Connections of one to three requests, most of them damaged.
private enum RequestMaker {
    /// No upgrade and no CONNECT: after those NIO stops reading HTTP, on purpose.
    private static let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]
    private static let targets = ["/", "/v1/secret/data/a", "/v1/a?list=true", "/v1/a%2Fb", "//a", "/v1/a;b=c?d&e"]
    private static let headers = [
        "X-Vault-Token: s.abc", "Content-Type: application/json", "Accept: */*", "X: ", "X:y", "Connection: close",
        "Connection: keep-alive",
        "User-Agent: a \t b", "X-Long: \(String(repeating: "z", count: 200))", "Content-Length: 3",
        "Transfer-Encoding: chunked", "Host: two",
        "Transfer-Encoding: identity", "Content-Length: 0", "Expect: 100-continue", "Cookie: a=b; c=d", "X: caf\u{E9}",
    ]
    private static let bytes: [[UInt8]] =
        [
            "\r", "\n", "\r\n", " ", "\t", ":", ",", ";", "\0", "0", "1", "a", "f", "-", "+", "x", "\u{7F}", "\u{B}",
            "é", "\r\n\r\n", "\r\n ", "/", "#", "?",
        ].map { Array($0.utf8) } + [[0xFF], [0x80]]

    static func connection(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...3, using: &generator) { bytes += request(&generator) }
        for _ in 0..<[0, 0, 1, 1, 1, 2, 3].randomElement(using: &generator)! { mutate(&bytes, &generator) }
        return bytes
    }

    private static func request(_ generator: inout SeededGenerator) -> [UInt8] {
        let body = String(repeating: "b", count: Int.random(in: 0...40, using: &generator))
        var lines = ["Host: h"]
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            // The last few are framing headers that do not belong there: seldom.
            let upper = Int.random(in: 0..<8, using: &generator) == 0 ? headers.count : 9
            lines.append(headers[..<upper].randomElement(using: &generator)!)
        }
        var text = body
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: text = ""
        case 1: lines.append("Content-Length: \(body.utf8.count)")
        default:
            lines.append("Transfer-Encoding: chunked")
            text = chunks(body, &generator)
        }
        lines.shuffle(using: &generator)
        let line =
            "\(methods.randomElement(using: &generator)!) \(targets.randomElement(using: &generator)!) HTTP/1.\(Int.random(in: 0..<9, using: &generator) == 0 ? 0 : 1)"
        return Array("\(line)\r\n\(lines.joined(separator: "\r\n"))\r\n\r\n\(text)".utf8)
    }

    private static func chunks(_ body: String, _ generator: inout SeededGenerator) -> String {
        var rest = Substring(body)
        var text = ""
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...rest.count, using: &generator))
            rest = rest.dropFirst(chunk.count)
            let size = String(chunk.utf8.count, radix: 16, uppercase: Bool.random(using: &generator))
            text += size + (Int.random(in: 0..<4, using: &generator) == 0 ? ";a=b" : "") + "\r\n\(chunk)\r\n"
        }
        return text + "0\r\n" + (Int.random(in: 0..<4, using: &generator) == 0 ? "T: t\r\n" : "") + "\r\n"
    }

    private static func mutate(_ connection: inout [UInt8], _ generator: inout SeededGenerator) {
        guard !connection.isEmpty else { return }
        let place = Int.random(in: 0..<connection.count, using: &generator)
        let inserted = bytes.randomElement(using: &generator)!
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: connection.insert(contentsOf: inserted, at: place)
        case 1: connection.remove(at: place)
        case 2: connection.replaceSubrange(place...place, with: inserted)
        case 3: connection[place] ^= 0x20
        case 4:
            // A line twice, or a line gone.
            var lines = connection.split(separator: 0x0A, omittingEmptySubsequences: false)
            let line = Int.random(in: 0..<lines.count, using: &generator)
            if Bool.random(using: &generator) { lines.insert(lines[line], at: line) } else { lines.remove(at: line) }
            connection = Array(lines.joined(separator: [0x0A]))
        default: connection.removeLast(connection.count - place)
        }
    }

    static func pieces(of bytes: [UInt8], _ generator: inout SeededGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...max(1, rest.count), using: &generator))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
