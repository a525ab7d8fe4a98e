import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation
import Logging

/// The server that a command reads references from, and what the references' first parts mean.
struct VaultOptions: ParsableArguments {
    @Option(help: "Address of the server, such as http://127.0.0.1:8100.")
    var url: String?

    @Option(help: "The JSON of AIRFLOW__SECRETS__BACKEND_KWARGS: server and login as Airflow has them.")
    var backendKwargs: String?

    @Option(help: "Namespace on the server.")
    var namespace: String?

    @Option(name: .customLong("cacert"), help: "PEM file of the CA that signed the server's certificate.")
    var caCertificate: String?

    @Flag(help: "Do not check the server's certificate.")
    var tlsSkipVerify = false

    @Option(
        name: .customLong("prefix"),
        help: ArgumentHelp(
            "A name for a mount or a path below one: with kong=secret/etl, {vault://kong/db/password} lies at secret/etl/db.",
            valueName: "name=mount/path"))
    var prefixes: [String] = []

    static let discussion = """
        The server is Airlock, Vault or OpenBao: that of --url, else of --backend-kwargs, else AIRLOCK_ADDR, else VAULT_ADDR. The \
        token is AIRLOCK_TOKEN, else VAULT_TOKEN, unless --backend-kwargs names a login. AIRLOCK_CACERT counts for AIRLOCK_ADDR, \
        VAULT_CACERT and VAULT_NAMESPACE for VAULT_ADDR.
        """

    /// - Parameter upkeep: in a command that stays: where it tells that its token cannot be kept alive.
    func resolver(upkeep: Logger? = nil) throws -> ReferenceResolver<VaultReferences> {
        var given = CommandServer.Options()
        given.url = url
        given.namespace = namespace
        given.caCertificate = caCertificate
        given.skipsVerification = tlsSkipVerify
        given.upkeep = upkeep
        do {
            let kwargs = try backendKwargs.map { try BackendKwargs(parsing: $0) } ?? BackendKwargs()
            let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
            let server = try CommandServer(given, kwargs, environment: environment)
            return ReferenceResolver(source: VaultReferences(server.client), prefixes: try named())
        } catch let fault as CommandServer.Fault {
            throw RunningServer.Failure(message: fault.message, code: Program.usage)
        } catch let fault as BackendKwargs.Fault {
            throw RunningServer.Failure(message: "\(fault)", code: Program.usage)
        }
    }

    private func named() throws -> ReferencePrefixes {
        let pairs = try prefixes.map { text in
            let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else {
                throw RunningServer.Failure(message: "--prefix takes NAME=MOUNT/PATH", code: Program.usage)
            }
            return (name: String(halves[0]), place: String(halves[1]))
        }
        do throws(ReferenceFault) {
            return try ReferencePrefixes(pairs)
        } catch {
            throw RunningServer.Failure(message: "--prefix: \(error.reason)", code: Program.usage)
        }
    }
}
