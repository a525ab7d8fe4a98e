import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// How a command that asks a running Airlock finds it.
struct ServerOptions: ParsableArguments {
    @Option(name: .customLong("cacert"), help: "PEM file of the CA that signed the server's certificate.")
    var caCertificate: String?

    static let discussion = """
        The server is AIRLOCK_ADDR and the token AIRLOCK_TOKEN, else VAULT_ADDR and VAULT_TOKEN. AIRLOCK_CACERT counts for \
        AIRLOCK_ADDR, VAULT_CACERT for VAULT_ADDR.
        """
}

/// A running Airlock, asked by one of this program's commands.
struct RunningServer {
    /// What the command says before it ends.
    struct Failure: Error {
        let message: String
        var code: Int32 = 1
    }

    private let address: ServerAddress
    private let token: SecretText
    private let client: CurlClient

    /// - Throws: `Failure` with the code for wrong usage when a setting is missing.
    init(_ options: ServerOptions, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let environment = environment.filter { !$0.value.isEmpty }
        let named = ["AIRLOCK_ADDR", "VAULT_ADDR"].first { environment[$0] != nil }
        guard let named, let text = environment[named] else {
            throw Failure(message: "no server: set AIRLOCK_ADDR, such as http://127.0.0.1:8100", code: Program.usage)
        }
        guard let token = environment["AIRLOCK_TOKEN"] ?? environment["VAULT_TOKEN"] else {
            throw Failure(message: "no token: set AIRLOCK_TOKEN", code: Program.usage)
        }
        do throws(ServerAddress.Fault) {
            address = try ServerAddress(text)
        } catch {
            throw Failure(message: "\(named) is not the address of a server: \(error.reason)", code: Program.usage)
        }
        self.token = SecretText(token)
        var curl = CurlClient.Options()
        curl.unixSocket = address.unixSocket
        if let path = options.caCertificate ?? environment[named.replacing("_ADDR", with: "_CACERT")] {
            curl.verification = .authority(path: path)
        }
        client = CurlClient(options: curl)
    }

    /// - Parameter path: encoded, with its query.
    /// - Returns: the body of a success.
    func send(_ method: String, _ path: String, _ body: JSON? = nil) async throws -> JSON {
        let request = UpstreamRequest(
            method: method, url: address.base + path, headers: [("X-Vault-Token", token)], body: body?.bytes)
        let response: UpstreamResponse
        do {
            response = try await client.send(request)
        } catch let error as UpstreamError {
            throw Failure(message: error.message)
        }
        let json = try? JSON(parsing: response.body)
        guard response.status == 200, let json else {
            let reason = json.flatMap {
                $0["detail"]?.text ?? $0["detail"]?.elements?.first?["msg"]?.text ?? $0["errors"]?.elements?.first?.text
            }
            let words = reason?.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            throw Failure(
                message: Printable.text(
                    "\(address.origin) answered HTTP \(response.status)" + (words.map { ": \($0)" } ?? "")))
        }
        return json
    }

    /// One segment of a path, or a value of a query.
    static func encoded(_ text: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    /// Runs what a command does and ends with its code.
    static func run(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let failure as Failure {
            Program.complain("airlock: \(failure.message)")
            throw ExitCode(failure.code)
        }
    }
}

enum Printable {
    /// Names that others have chosen must not steer the terminal.
    static func text(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }

    /// Lines of a name and what it is, the names in one column.
    static func lines(_ pairs: [(name: String, text: String)]) -> String {
        let width = (pairs.map(\.name.count).max() ?? 0) + 2
        return pairs.map { name, text in
            name + String(repeating: " ", count: width - name.count) + Printable.text(text)
        }.joined(separator: "\n")
    }
}
