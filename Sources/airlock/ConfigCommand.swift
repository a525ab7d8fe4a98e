import AirlockCore
import AirlockYAML
import ArgumentParser
import Foundation

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Make a configuration for `airlock serve`.",
        subcommands: [ConfigFromCommand.self])
}

/// `airlock config from`: what a client is set to now, as what Airlock is to be set to.
struct ConfigFromCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "from",
        abstract: "Turn the settings that a client has into a configuration for `airlock serve`.",
        discussion: """
            Prints the configuration. What it cannot say, and what is to be done, goes to standard error, a line each. Secrets are \
            never printed: the configuration names files. docs/config-from.md is the manual.

            litellm: HCP_VAULT_* and CYBERARK_* of the environment, or of a .env file
            kong: `vaults` of a declarative file, YAML or JSON
            zenml: a secrets store or secrets manager, YAML or JSON, or ZENML_SECRETS_STORE_*
            astro: AIRFLOW__SECRETS__* of the environment or of a .env file, airflow.cfg, or the kwargs as JSON
            """)

    enum Client: String, ExpressibleByArgument, CaseIterable { case litellm, kong, zenml, astro }

    @Argument(help: "litellm, kong, zenml or astro.")
    var client: Client

    @Argument(help: "The client's file; `-` is standard input. Without one the environment is read.")
    var file: String?

    @Option(help: "Write the configuration to this file, mode 0600, instead of printing it.")
    var output: String?

    @Option(
        help: "Write the secrets to files in this folder, mode 0600. Without it the configuration names /run/secrets.")
    var secretsDir: String?

    @Option(help: ArgumentHelp("Who decides what a client may read.", valueName: "local|upstream"))
    var authorize = Authorization.local

    func run() throws {
        do {
            try convert()
        } catch let error as AirlockError {
            Program.complain("airlock: \(error.message ?? "failed")")
            throw ExitCode(error.code == .badRequest ? Program.usage : 1)
        } catch let error as PrivateFile.Unwritable {
            Program.complain("airlock: \(error.name) \(error.reason)")
            throw ExitCode(1)
        }
    }

    private func convert() throws {
        let folder = secretsDir.map { URL(filePath: $0).standardizedFileURL.path(percentEncoded: false) }
        var converted = ConvertedSettings(
            filesFolder: ConfigFromCommand.withoutSlash(folder ?? "/run/secrets"), authorization: authorize)
        try ClientSettingsFile(name: file).read(client, into: &converted)
        let configuration = converted.configuration()
        _ = try ServeSettings(checking: configuration)
        if let key = converted.secretsInside.first, output == nil {
            throw AirlockError.badRequest(
                "\(key): Airlock reads it from no file, so it stands in the configuration, which is not printed then: give --output FILE, made with mode 0600"
            )
        }
        if let folder { try writeFiles(of: converted, in: folder) }
        let text = configuration.indented + "\n"
        // The files first: a configuration names nothing that is not there.
        try PrivateFile.write(Array(text.utf8), to: output ?? "-")
        report(converted)
    }

    private static func withoutSlash(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private func writeFiles(of converted: ConvertedSettings, in folder: String) throws {
        let files = converted.files.compactMap { file in file.content.map { (file.path, $0) } }
        guard !files.isEmpty else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw AirlockError(.broken, "\(folder) cannot be made")
        }
        for (path, content) in files { try PrivateFile.write(Array(content.revealed.utf8), to: path) }
    }

    private func report(_ converted: ConvertedSettings) {
        for file in converted.files {
            let what =
                if file.content == nil {
                    "is not in the settings: write it to \(file.path)"
                } else if secretsDir != nil {
                    "written to \(file.path), mode 0600"
                } else {
                    "not printed: write it to \(file.path), or give --secrets-dir"
                }
            Program.complain("secret: \(file.setting): \(what)")
        }
        for key in converted.secretsInside { Program.complain("secret: \(key): in \(output ?? ""), mode 0600") }
        for kind in [ConvertedSettings.Remark.Kind.notCarriedOver, .note] {
            for remark in converted.remarks where remark.kind == kind {
                Program.complain("\(kind.rawValue): \(remark.setting): \(remark.text)")
            }
        }
    }
}

extension Authorization: ExpressibleByArgument {}

/// What a client is set by: a file in any of its shapes, or the environment.
private struct ClientSettingsFile {
    /// `nil` is the environment.
    let name: String?

    /// Bytes of one entry of a YAML file, such as all services of a Kong, and of one that is wanted; aliases count as what they
    /// repeat.
    private static let weightLimit = 64 << 20
    private static let wantedLimit = 4 << 20

    func read(_ client: ConfigFromCommand.Client, into converted: inout ConvertedSettings) throws {
        let process = ProcessInfo.processInfo.environment
        guard let name else {
            switch client {
            case .litellm: try converted.takeLiteLLM(process)
            case .zenml: try converted.takeZenML(environment: process)
            case .astro: try converted.takeAirflow(environment: process)
            case .kong: throw AirlockError.badRequest("kong: name its declarative file, such as kong.yml")
            }
            return
        }
        let bytes = try contents(of: name)
        let text = String(decoding: bytes, as: UTF8.self)
        switch client {
        case .litellm:
            try converted.takeLiteLLM(
                try converted.environment(ofFile: bytes, prefixes: ConvertedSettings.liteLLMPrefixes))
        case .kong:
            let vaults = try object(bytes, only: "vaults")["vaults"]
            try converted.takeKong(vaults ?? .array([]), environment: process)
        case .zenml where text.split(whereSeparator: \.isNewline).contains { $0.contains("ZENML_SECRETS_STORE_") }:
            try converted.takeZenML(
                environment: try converted.environment(ofFile: bytes, prefixes: ConvertedSettings.zenMLPrefixes))
        case .zenml: try converted.takeZenML(try object(bytes))
        case .astro where isJSON(bytes): try converted.takeAirflow(try object(bytes).members ?? [])
        case .astro where AirflowConfigFile.isLikely(text):
            try converted.takeAirflow(AirflowConfigFile(parsing: text))
        case .astro:
            try converted.takeAirflow(
                environment: try converted.environment(ofFile: bytes, prefixes: ConvertedSettings.airflowPrefixes))
        }
    }

    private func contents(of name: String) throws -> [UInt8] {
        let data =
            name == "-"
            ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: name)
        guard let data else { throw AirlockError.badRequest("\(name) cannot be read") }
        let bytes = Array(data)
        if let fault = SourceText.fault(bytes) { throw AirlockError.badRequest("\(name): \(fault)") }
        return SourceText.withoutMark(bytes)
    }

    private func isJSON(_ bytes: [UInt8]) -> Bool {
        bytes.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{")
    }

    /// - Parameter only: the one entry that is wanted, of a file that may have big ones beside it.
    private func object(_ bytes: [UInt8], only: String? = nil) throws -> JSON {
        let shown = name == "-" ? "standard input" : name ?? ""
        if isJSON(bytes) {
            do throws(JSON.SyntaxError) {
                return try JSON(parsing: bytes, refusesRepeats: true)
            } catch {
                throw AirlockError.badRequest("\(shown): \(error.reason) at byte \(error.offset)")
            }
        }
        do throws(YAMLFault) {
            var reader = YAMLReader(
                bytes, weightLimit: ClientSettingsFile.weightLimit, entries: "a line for each setting")
            var pairs: [YAMLNode.Pair] = []
            try reader.forEachPair { pair, _ in if only.map({ $0 == pair.key.text }) ?? true { pairs.append(pair) } }
            var members: [JSON.Member] = []
            for pair in pairs {
                guard pair.value.weight <= ClientSettingsFile.wantedLimit else {
                    throw pair.value.fault("the value is larger than 4 MiB, with its aliases written out")
                }
                members.append(.init(pair.key.text, try pair.value.json()))
            }
            return .object(members)
        } catch {
            throw AirlockError.badRequest("\(shown):\(error.line):\(error.column): \(error.reason)")
        }
    }
}
