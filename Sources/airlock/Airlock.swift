import ArgumentParser

@main
struct Airlock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "airlock",
        abstract: "Gives Airflow its connections and variables, over the API of HashiCorp Vault.",
        subcommands: [Serve.self, URICommand.self, SettingsCommand.self])
}
