import AirlockCore
import ArgumentParser

struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings", abstract: "Print the settings of `airlock serve` as a Markdown table.")

    func run() { print(Setting.markdown) }
}
