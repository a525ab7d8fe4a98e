import AirlockCore
import AirlockUpstream
import ArgumentParser

/// Another mount as a source: of Vault, OpenBao or Airlock.
struct MountSourceOptions: ParsableArguments {
    @Option(
        name: .customLong("from-backend-kwargs"),
        help: ArgumentHelp(
            """
            Import what an Airflow with this AIRFLOW__SECRETS__BACKEND_KWARGS finds in its vault. Its token comes from \
            AIRLOCK_FROM_TOKEN in the environment unless the JSON names a login.
            """,
            valueName: "json"))
    var kwargs: String?

    func read(_ kinds: [ImportTarget.Kind], environment: [String: String]) async throws -> [ImportSource] {
        guard let kwargs else { return [] }
        var options = try TargetOptions.parse([])
        options.backendKwargs = kwargs
        // The variables of the target are none of the source's.
        let token = environment["AIRLOCK_FROM_TOKEN"].map { ["AIRLOCK_TOKEN": $0] } ?? [:]
        let settings = try ImportSettings(options, environment: token)
        let server: CommandServer
        do {
            server = try settings.server.get()
        } catch {
            throw ConnImport.UsageError(
                message: "--from-backend-kwargs: \(error.message) (the token is AIRLOCK_FROM_TOKEN there)")
        }
        let contents = MountContents(
            client: server.client, mount: try await settings.mount(on: server), layout: settings.layout)
        var sources: [ImportSource] = []
        for kind in kinds { sources.append(try await contents.source(kind)) }
        return sources
    }
}
