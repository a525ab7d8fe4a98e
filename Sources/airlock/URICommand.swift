import AirlockCore
import ArgumentParser
import Foundation

/// `airlock uri`: Airflow's reading and writing of connection URIs, for scripts. One JSON line in, one JSON line out.
struct URICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uri",
        abstract: "Read, write and check connection URIs exactly as Airflow does.",
        discussion: """
            Each command reads JSON lines on standard input and prints one JSON line for each, in the same order. A line that \
            cannot be read gives {"error": "..."}; errors hold a reason and a position, never any of the text.
            """,
        subcommands: [Parse.self, Build.self, Lint.self])

    struct Options: ParsableArguments {
        @Option(help: "Whose reading: sdk (Airflow 3 workers), server (Airflow 3.3 API server) or 2.10.")
        var dialect: Dialect = .sdk
    }

    struct Parse: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "JSON strings in, each a connection URI; the fields out.",
            discussion: """
                A text that opens like a JSON object is read as Airflow's JSON form, as its secrets backends do. Any other is \
                read as Connection(uri=...) reads it: blanks at its ends are part of it.
                """)

        @OptionGroup var options: Options

        func run() throws {
            try JSONLines.run { line, out in
                do throws(ConnectionError) {
                    URICommand.write(try URICommand.parse(line, options.dialect), to: &out)
                } catch {
                    URICommand.write(error, to: &out)
                }
            }
        }
    }

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Objects as `parse` prints them in; {\"uri\": ...} out, as Airflow's get_uri() gives it.")

        @OptionGroup var options: Options

        func run() throws {
            try JSONLines.run { line, out in
                do throws(ConnectionError) {
                    let connection = try ConnectionJSON.parseArguments(Array(line), dialect: options.dialect)
                    let uri = try ConnectionURI.build(connection, dialect: options.dialect)
                    URICommand.write(#"{"uri":"#, uri, to: &out)
                    out.append(UInt8(ascii: "}"))
                } catch {
                    URICommand.write(error, to: &out)
                }
            }
        }
    }

    struct Lint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "JSON strings in, each a connection as URI or JSON text; {\"findings\": [...]} out.")

        @OptionGroup var options: Options

        func run() throws {
            try JSONLines.run { line, out in
                do throws(ConnectionError) {
                    let text = try ConnectionText.jsonString(line)
                    let findings = ConnectionLint.findings(in: text, dialect: options.dialect)
                    JSON.object([.init("findings", .array(findings.map(\.json)))]).write(to: &out)
                } catch {
                    URICommand.write(error, to: &out)
                }
            }
        }
    }
}

extension Dialect: ExpressibleByArgument {}

extension URICommand {
    fileprivate static func parse(
        _ line: UnsafeBufferPointer<UInt8>, _ dialect: Dialect
    ) throws(ConnectionError) -> Connection {
        let text = try ConnectionText.jsonString(line)
        if ConnectionText.opensLikeObject(text) { return try ConnectionText.parse(text, dialect: dialect) }
        return try ConnectionURI.parse(text, dialect: dialect)
    }

    fileprivate static func write(_ connection: Connection, to out: inout [UInt8]) {
        let texts: [(StaticString, String?)] = [
            (#"{"conn_type":"#, connection.connType), (#","host":"#, connection.host),
            (#","login":"#, connection.login),
            (#","password":"#, connection.password), (#","schema":"#, connection.schema),
        ]
        for (name, text) in texts { write(name, text, to: &out) }
        out += #","port":"#.utf8
        out += (connection.port.map { String($0) } ?? "null").utf8
        write(#","extra":"#, connection.extra, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// Unlike `JSON`, which escapes `&`, `<` and `>` as Vault does: a URI is to be read, and copied.
    fileprivate static func write(_ name: StaticString, _ text: String?, to out: inout [UInt8]) {
        out += UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        guard let text else {
            out += "null".utf8
            return
        }
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0..<0x20:
                out += "\\u00".utf8
                out += (byte < 0x10 ? "0" : "1").utf8
                out += String(byte & 15, radix: 16).utf8
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    fileprivate static func write(_ error: ConnectionError, to out: inout [UInt8]) {
        JSON.object([.init("error", .string(error.description))]).write(to: &out)
    }
}

/// Standard input to standard output, line by line, in big pieces: what has come in is answered before more is awaited, so
/// that a program at the other end of two pipes can talk to it.
private enum JSONLines {
    private static let chunk = 1 << 18

    static func run(_ answer: (UnsafeBufferPointer<UInt8>, inout [UInt8]) -> Void) throws {
        var pending: [UInt8] = []
        var searched = 0
        var out: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = read(STDIN_FILENO, buffer.baseAddress, chunk)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw failure("standard input cannot be read")
            }
            pending += buffer[..<count]
            let isLast = count == 0
            let used = pending.withUnsafeBufferPointer { bytes in
                var start = 0
                while start < bytes.count {
                    let end = bytes[max(start, searched)...].firstIndex(of: 0x0A)
                    guard let end = end ?? (isLast ? bytes.count : nil) else { break }
                    answer(UnsafeBufferPointer(rebasing: bytes[start..<end]), &out)
                    out.append(0x0A)
                    start = end + 1
                }
                return min(start, bytes.count)
            }
            pending.removeFirst(used)
            searched = pending.count
            try flush(&out)
            if isLast { return }
        }
    }

    private static func flush(_ out: inout [UInt8]) throws {
        try out.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = write(STDOUT_FILENO, bytes.baseAddress! + done, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else {
                    throw failure("standard output cannot be written")
                }
                done += count
            }
        }
        out.removeAll(keepingCapacity: true)
    }

    private static func failure(_ what: String) -> ExitCode {
        Program.complain("airlock: \(what): \(String(cString: strerror(errno)))")
        return ExitCode(1)
    }
}
