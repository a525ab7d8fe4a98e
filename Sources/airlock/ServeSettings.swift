import AirlockCore
import AirlockHTTP
import AirlockStore
import Foundation
import Logging

/// What `airlock serve` runs with: the configuration file, then flags over it, then defaults.
struct ServeSettings {
    var host = "127.0.0.1"
    var port = 8100
    var dataDirectory: String
    var keyFile: String?
    var kwargs = BackendKwargs()
    var bodyLimit = Server.defaultBodyLimit
    var memoryBytes = Front.defaultLimit
    var insecureHTTP = false
    var listener = ListenerSettings()
    var logLevel = Logger.Level.info
    var rootToken: SecretText?
    var webhookSecret: SecretText?
    /// `stdout`, or a path.
    var audit: String?
    /// The mount that the Conjur surface serves, ending in `/`.
    var conjurMount: String?
    /// Folder of key sets.
    var keyFolder: String?
    /// Every mount that the settings name.
    var mounts: [MountSettings] = []
    /// `VAULT_TOKEN`, which a vault without a token in its kwargs is asked with, as by VaultBackend.
    let environmentToken: SecretText?

    /// - Throws: `AirlockError` that names the setting and what it must be; values of secrets are not in it.
    init(_ flags: Serve, environment: [String: String]) throws {
        dataDirectory = ServeSettings.defaultDirectory(environment)
        environmentToken = environment["VAULT_TOKEN"].flatMap { $0.isEmpty ? nil : SecretText($0) }
        var file = ConfigurationFile()
        if let name = flags.config { try read(try ServeSettings.members(ofFile: name), into: &file) }
        if let level = environment["LOG_LEVEL"], !level.isEmpty { logLevel = try ServeSettings.level(level) }
        try apply(flags, to: &file)
        rootToken = try ServeSettings.rootToken(environment, file: file.rootTokenFile)
        try checkListener()
        try makeMounts(file, environment: environment)
    }

    /// A configuration that `config from` has made, read as `serve` reads it.
    init(checking configuration: JSON) throws {
        dataDirectory = ""
        environmentToken = nil
        var file = ConfigurationFile()
        try read(configuration.members ?? [], into: &file)
        try makeMounts(file, environment: [:])
    }

    /// What the configuration file says that is only of use once the flags are known too.
    private struct ConfigurationFile {
        var listen: String?
        var rootTokenFile: String?
        var cache = CacheSettings()
        var namesKwargs = false
        var mounts: [JSON.Member] = []
    }

    private mutating func read(_ members: [JSON.Member], into file: inout ConfigurationFile) throws {
        for member in members {
            try Setting.check(member.name)
            let value = ConfiguredValue(name: member.name, json: member.value)
            switch member.name {
            case "listen": file.listen = try value.text()
            case "data_dir": dataDirectory = try value.text()
            case "key_file": keyFile = try value.text()
            case "backend_kwargs":
                file.namesKwargs = true
                kwargs = try ServeSettings.kwargs("backend_kwargs") { () throws(BackendKwargs.Fault) in
                    try BackendKwargs(member.value)
                }
            case "conjur_mount": conjurMount = try ServeSettings.mountPath("conjur_mount", try value.text())
            case "max_request_size": bodyLimit = try value.integer(1024...1_073_741_824)
            case "memory_bytes": memoryBytes = try value.integer(0...1_099_511_627_776)
            case "insecure_http": insecureHTTP = try value.flag()
            case "log_level": logLevel = try ServeSettings.level(try value.text())
            case "root_token_file": file.rootTokenFile = try value.text()
            case "webhook_secret_file": webhookSecret = try ServeSettings.webhookSecret(file: try value.text())
            case "audit": audit = try ServeSettings.auditPath(try value.text())
            case "jwks_dir": keyFolder = try ServeSettings.folder("jwks_dir", try value.text())
            case "mounts": file.mounts = try value.object()
            default:
                guard try file.cache.set(member.name, value) || listener.set(member.name, value) else {
                    preconditionFailure("a setting without a reader: \(member.name)")
                }
            }
        }
    }

    private mutating func apply(_ flags: Serve, to file: inout ConfigurationFile) throws {
        if let given = flags.listen ?? file.listen { (host, port) = try ServeSettings.address(given) }
        if let given = flags.dataDir { dataDirectory = given }
        if let given = flags.keyFile { keyFile = given }
        if let given = flags.backendKwargs {
            file.namesKwargs = true
            kwargs = try ServeSettings.kwargs("--backend-kwargs") { () throws(BackendKwargs.Fault) in
                try BackendKwargs(parsing: given)
            }
        }
        if let given = flags.authorize {
            _ = try file.cache.set("authorize", ConfiguredValue(name: "--authorize", json: .string(given)))
        }
        insecureHTTP = insecureHTTP || flags.insecureHttp
        listener.certificateFile = flags.tlsCertFile ?? listener.certificateFile
        listener.keyFile = flags.tlsKeyFile ?? listener.keyFile
    }

    private mutating func makeMounts(_ file: ConfigurationFile, environment: [String: String]) throws {
        // What nobody asked for is not made anew after its operator disabled it.
        if file.namesKwargs { mounts = [MountSettings(kwargs: kwargs, cache: file.cache)] }
        for member in file.mounts {
            mounts.append(
                try MountSettings(
                    name: member.name, json: member.value, defaults: file.cache, environment: environment))
        }
        try checkMounts()
    }

    private func checkMounts() throws {
        for (index, mount) in mounts.enumerated() {
            guard let path = mount.path else { continue }
            for other in mounts[..<index].compactMap(\.path) where path.hasPrefix(other) || other.hasPrefix(path) {
                throw AirlockError.badRequest("mounts: \(path) and \(other) overlap: a path must lie in one mount only")
            }
        }
        let deciding = mounts.filter { $0.cache.authorization == .upstream }.compactMap(\.vault)
        guard deciding.allSatisfy({ $0.url == deciding[0].url && $0.namespace == deciding[0].namespace }) else {
            throw AirlockError.badRequest(
                "authorize: upstream can be set for mounts of one vault and namespace only: a client's login goes there"
            )
        }
    }

    private static func defaultDirectory(_ environment: [String: String]) -> String {
        if let directory = environment["STATE_DIRECTORY"], !directory.isEmpty { return directory }
        if let state = environment["XDG_STATE_HOME"], !state.isEmpty { return "\(state)/airlock" }
        return "\(environment["HOME"] ?? "")/.local/state/airlock"
    }

    private static func members(ofFile file: String) throws -> [JSON.Member] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw AirlockError.badRequest("the configuration file \(file) cannot be read")
        }
        let json: JSON
        do {
            json = try JSON(parsing: data)
        } catch {
            throw AirlockError.badRequest("\(file): \(error.reason) at offset \(error.offset)")
        }
        guard let members = json.members else { throw AirlockError.badRequest("\(file): it must be a JSON object") }
        return members
    }

    /// - Parameter place: where the kwargs stand, for messages.
    static func kwargs<Value>(
        _ place: String, _ make: () throws(BackendKwargs.Fault) -> Value
    ) throws -> Value {
        do {
            return try make()
        } catch {
            let text = [place, error.key, error.reason].compactMap(\.self).joined(separator: ": ")
            throw AirlockError.badRequest(text)
        }
    }

    private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw AirlockError.badRequest(
                "log_level must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }

    /// `HOST:PORT`, an IPv6 host in brackets.
    private static func address(_ text: String) throws -> (String, Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port), colon > text.startIndex
        else { throw AirlockError.badRequest("--listen must be HOST:PORT, such as 127.0.0.1:8100") }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), port)
    }

    private static func rootToken(_ environment: [String: String], file: String?) throws -> SecretText? {
        var token = environment["AIRLOCK_ROOT_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        let named = environment["AIRLOCK_ROOT_TOKEN_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        if token == nil, let file = named ?? file {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw AirlockError.badRequest("the root token file \(file) cannot be read")
            }
            token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard let token else { return nil }
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw AirlockError.badRequest("the root token must be printable ASCII without blanks")
        }
        return SecretText(token)
    }

    private static func mountPath(_ name: String, _ text: String) throws -> String {
        let path = text.split(separator: "/").joined(separator: "/")
        guard (try? SecretPath(path)) != nil else {
            throw AirlockError.badRequest("\(name) must be the path of a mount")
        }
        return path + "/"
    }

    private static func folder(_ name: String, _ path: String) throws -> String {
        var isFolder: ObjCBool = false
        guard path.hasPrefix("/"), FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else { throw AirlockError.badRequest("\(name): \(path) must be the absolute path of a folder") }
        return path
    }

    private static func webhookSecret(file: String) throws -> SecretText {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw AirlockError.badRequest("webhook_secret_file: \(file) cannot be read")
        }
        let secret = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard secret.utf8.count >= 32 else {
            throw AirlockError.badRequest("webhook_secret_file: the key must have at least 32 characters")
        }
        return SecretText(secret)
    }

    private static func auditPath(_ text: String) throws -> String {
        guard text == AuditFile.standardOutput || text.contains("/") else {
            throw AirlockError.badRequest(
                "audit must be `\(AuditFile.standardOutput)` or the path of a file, such as /var/log/airlock/audit.log")
        }
        return text
    }

    /// Plain HTTP leaves the machine only when it is said aloud.
    private func checkListener() throws {
        try listener.check()
        let isLoopback = ["localhost", "::1"].contains(host) || CIDR("127.0.0.0/8")?.contains(host) ?? false
        guard isLoopback || insecureHTTP || listener.isTLS else {
            throw AirlockError.badRequest(
                """
                refusing to listen on \(host) without TLS: every token and secret would cross the network in the clear. \
                Give it a certificate with --tls-cert-file and --tls-key-file, or say --insecure-http
                """)
        }
    }

    var cacheLimits: [String: CacheLimits] {
        Dictionary(mounts.map { ($0.path ?? SQLiteCache.otherMounts, $0.cache.limits) }) { $1 }
    }

    /// A namespace in the kwargs of an embedded mount counts too: Airflow sends what its own kwargs say.
    var namespaces: Set<String> {
        let given = (kwargs.namespace ?? "").split(separator: "/").joined(separator: "/")
        return Set(mounts.map(\.namespace) + [given]).subtracting([""])
    }

    /// How long an answer may be of use, in nanoseconds.
    struct StaleAges {
        let named: [String: Int64]
        /// Of mounts that clients open by name (`mount_point: null`), where they may.
        let opened: Int64?
    }

    var staleAges: StaleAges {
        StaleAges(
            named: Dictionary(mounts.compactMap { mount in mount.path.map { ($0, mount.cache.rule.usefulAge) } }) {
                $1
            },
            opened: mounts.first { $0.path == nil }?.cache.rule.usefulAge)
    }

    func server(tls: TLSListener?) -> Server.Configuration {
        var configuration = Server.Configuration(host: host, port: port)
        configuration.bodyLimit = bodyLimit
        configuration.typed = typed
        configuration.namespaces = namespaces
        configuration.rules = listener.rules
        configuration.tls = tls
        configuration.conjurMount = conjurMount
        configuration.keyFolder = keyFolder
        return configuration
    }

    private var typed: TypedSettings {
        var typed = TypedSettings()
        typed.mountPoint = kwargs.mountPoint
        typed.connectionsPaths = kwargs.connectionsPaths
        typed.variablesPaths = kwargs.variablesPaths
        typed.configPaths = kwargs.configPaths
        return typed
    }
}
