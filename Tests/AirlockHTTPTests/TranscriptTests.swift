import AirlockCore
import Foundation
import HTTPTypes
import Testing

/// The conversations in `Transcripts`, held with the real surfaces. How to read and write them: `Transcripts/README.md`.
struct TranscriptTests {
    @Test(arguments: try Transcript.all())
    func `Every conversation goes as it is written down`(transcript: Transcript) async throws {
        let server = try await TestServer()
        var names: [String: String] = [:]
        var identity = "root"
        for step in transcript.steps {
            let place = "\(transcript.name):\(step.line)"
            switch step.kind {
            case .identity(let text): identity = Transcript.filled(text, names)
            case .wait(let seconds): server.wait(seconds: seconds)
            case .exchange(let exchange):
                var headers = HTTPFields()
                if identity != "nobody" { headers[HTTPField.Name("X-Vault-Token")!] = identity }
                for (name, value) in exchange.headers {
                    headers[try #require(HTTPField.Name(name))] = Transcript.filled(value, names)
                }
                let answer = try await server.answer(
                    exchange.method, Transcript.filled(exchange.path, names), headers: headers,
                    body: Array(Transcript.filled(exchange.body, names).utf8))
                let body = String(decoding: answer.body, as: UTF8.self)
                #expect(answer.status == exchange.status, "\(place): \(body)")
                let expected = Transcript.filled(exchange.answer, names)
                if expected.isEmpty {
                    #expect(body.isEmpty, "\(place)")
                } else {
                    let found = try JSON(parsing: answer.body)
                    let difference = Transcript.difference(try JSON(parsing: expected), found, at: "answer", &names)
                    #expect(difference == nil, "\(place): \(body)")
                }
                for text in exchange.forbidden {
                    #expect(!body.contains(Transcript.filled(text, names)), "\(place): \(text) is in \(body)")
                }
            }
        }
    }

    @Test func `The conversations cover both surfaces`() throws {
        let paths = try Transcript.all().flatMap(\.steps).compactMap { step in
            if case .exchange(let exchange) = step.kind { exchange.path } else { nil }
        }
        #expect(paths.count { $0.hasPrefix("/v1/") } > 50)
        #expect(paths.count { $0.hasPrefix("/api/v2/") } > 30)
    }
}

/// One file of `Transcripts`.
struct Transcript: Sendable, CustomTestStringConvertible {
    struct Exchange: Sendable {
        let method: String
        let path: String
        let body: String
        let headers: [(String, String)]
        var status = 0
        var answer = ""
        var forbidden: [String] = []
    }

    struct Step: Sendable {
        enum Kind: Sendable {
            case identity(String)
            case wait(Int)
            case exchange(Exchange)
        }

        let line: Int
        var kind: Kind
    }

    struct Malformed: Error { let place: String }

    let name: String
    private(set) var steps: [Step] = []

    var testDescription: String { name }

    static func all() throws -> [Transcript] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Transcripts")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "http" }.sorted { $0.path < $1.path }.map(Transcript.init)
    }

    private init(_ file: URL) throws {
        name = file.deletingPathExtension().lastPathComponent
        var headers: [(String, String)] = []
        let lines = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
            let malformed = Malformed(place: "\(name):\(index + 1)")
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { throw malformed }
            switch words[0] {
            case "as": steps.append(Step(line: index + 1, kind: .identity(words[1])))
            case "later":
                guard let nanoseconds = GoDuration.parse(words[1]) else { throw malformed }
                steps.append(Step(line: index + 1, kind: .wait(Int(nanoseconds / 1_000_000_000))))
            case "with":
                let parts = words[1].split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
                guard parts.count == 2 else { throw malformed }
                headers.append((parts[0], parts[1]))
            case ">":
                let parts = words[1].split(separator: " ", maxSplits: 2).map(String.init)
                guard parts.count >= 2 else { throw malformed }
                let exchange = Exchange(
                    method: parts[0], path: parts[1], body: parts.count == 3 ? parts[2] : "", headers: headers)
                steps.append(Step(line: index + 1, kind: .exchange(exchange)))
                headers = []
            case "<":
                let parts = words[1].split(separator: " ", maxSplits: 1).map(String.init)
                guard case .exchange(var exchange)? = steps.last?.kind, exchange.status == 0, let status = Int(parts[0])
                else {
                    throw malformed
                }
                exchange.status = status
                exchange.answer = parts.count == 2 ? parts[1] : ""
                steps[steps.count - 1].kind = .exchange(exchange)
            case "!":
                guard case .exchange(var exchange)? = steps.last?.kind, exchange.status != 0 else { throw malformed }
                exchange.forbidden.append(words[1])
                steps[steps.count - 1].kind = .exchange(exchange)
            default: throw malformed
            }
        }
        for step in steps {
            if case .exchange(let exchange) = step.kind, exchange.status == 0 {
                throw Malformed(place: "\(name):\(step.line)")
            }
        }
    }

    /// The text with each `<name>` replaced by what was found under it.
    static func filled(_ text: String, _ names: [String: String]) -> String {
        var text = text
        for (name, value) in names { text = text.replacing("<\(name)>", with: value) }
        return text
    }

    /// Where the answer differs from what is written, `nil` when it does not. Members that are not written may be there.
    static func difference(_ expected: JSON, _ found: JSON?, at place: String, _ names: inout [String: String])
        -> String?
    {
        if let text = expected.text, text.hasPrefix("<"), text.hasSuffix(">") {
            let name = String(text.dropFirst().dropLast())
            if name == "absent" { return found == nil ? nil : "\(place) is there" }
            guard let found else { return "\(place) is missing" }
            if name == "any" { return nil }
            guard let value = found.text else { return "\(place) is no string" }
            names[name] = value
            return nil
        }
        guard let found else { return "\(place) is missing" }
        if let members = expected.members {
            guard found.members != nil else { return "\(place) is no object" }
            for member in members {
                let inner = difference(member.value, found[member.name], at: "\(place).\(member.name)", &names)
                if let inner { return inner }
            }
            return nil
        }
        if let elements = expected.elements {
            guard let others = found.elements, others.count == elements.count else {
                return "\(place) has other elements"
            }
            for (index, (one, other)) in zip(elements, others).enumerated() {
                if let inner = difference(one, other, at: "\(place)[\(index)]", &names) { return inner }
            }
            return nil
        }
        return expected == found ? nil : "\(place) differs"
    }
}
