import AirlockCore
import Foundation
import Logging
import Testing

@testable import AirlockHTTP

/// The writer of the audit log, on a pipe: it can be full, and have room again.
struct AuditLogTests {
    private final class Pipe: Sendable {
        let path: String
        let log: AuditLog
        private let reader: Int32

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("audit-\(UUID().uuidString)").path
            try #require(mkfifo(path, 0o600) == 0)
            reader = open(path, O_RDONLY | O_NONBLOCK)
            log = AuditLog(
                file: try AuditFile(path: path), key: SecretPayload(Array(repeating: 7, count: 32)),
                logger: Logger(label: "test"))
        }

        deinit {
            close(reader)
            unlink(path)
        }

        func read() -> String {
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 65536)
            while case let count = Foundation.read(reader, &buffer, buffer.count), count > 0 {
                text += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return text
        }
    }

    private static func line(_ name: String, _ count: Int = 100) -> [UInt8] {
        Array((name + String(repeating: "x", count: count - name.utf8.count - 1) + "\n").utf8)
    }

    @Test func `A line that does not fit is refused, and the next that does is written`() async throws {
        let pipe = try Pipe()
        var written = 0
        while (try? await pipe.log.record(Self.line("full"))) != nil { written += 1 }
        #expect(written > 100)
        await #expect(throws: AuditLog.refusal) { try await pipe.log.record(Self.line("refused")) }
        let lines = pipe.read().split(separator: "\n")
        #expect(lines.count == written && lines.allSatisfy { $0.hasPrefix("full") && $0.count == 99 })
        try await pipe.log.record(Self.line("again"))
        #expect(pipe.read().hasPrefix("again"))
    }

    @Test func `A line that was cut short stands alone`() async throws {
        let pipe = try Pipe()
        await #expect(throws: AuditLog.refusal) { try await pipe.log.record(Self.line("long", 200_000)) }
        let torn = pipe.read()
        #expect(torn.hasPrefix("long") && torn.utf8.count < 200_000)
        try await pipe.log.record(Self.line("next"))
        #expect(pipe.read().hasPrefix("\nnext"))
    }

    @Test func `Of lines written together each is answered for itself`() async throws {
        let pipe = try Pipe()
        let results = await withTaskGroup(of: (Int, Bool).self) { group in
            for number in 0..<200 {
                group.addTask {
                    (number, (try? await pipe.log.record(Self.line("\(number) ", 1000))) != nil)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let lines: [Substring] = pipe.read().split(separator: "\n")
        let whole = lines.filter { $0.count == 999 }
        let told = Set(whole.compactMap { line in Int(String(line[..<line.firstIndex(of: " ")!])) })
        #expect(told == Set(results.filter(\.value).keys))
        #expect(told.count > 20 && told.count < 200)
    }

    @Test func `A code is the HMAC-SHA256 of the text, in hexadecimal`() throws {
        // printf value | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707...07
        #expect(try Pipe().log.hash.text("value") == "hmac-sha256:\(Self.expected)")
    }

    private static let expected = "1a275ea7a06a1e32b3c9c5b10fe342f0c7d4645e291a201980cde3c5ff15cf73"
}
