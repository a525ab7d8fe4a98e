import AirlockCore
import Foundation

/// How one mount is served: its backends in order, and its cache.
struct MountSettings {
    enum Backend {
        case embedded
        case vault(BackendKwargs)
        case conjur(ConjurKwargs)
    }

    /// Ends in `/`; `nil` for `mount_point: null`, where any first segment is a mount.
    let path: String?
    let kvVersion: Int
    let backends: [Backend]
    let cache: CacheSettings

    /// The mount that `backend_kwargs` describe.
    init(kwargs: BackendKwargs, cache: CacheSettings) {
        path = kwargs.mountPoint.map { $0 + "/" }
        kvVersion = kwargs.kvVersion
        backends = [kwargs.url == nil ? .embedded : .vault(kwargs)]
        self.cache = cache
    }

    /// For messages.
    var place: String { "the kwargs of \(path ?? "any mount")" }

    /// The first vault among the backends.
    var vault: BackendKwargs? {
        backends.lazy.compactMap { if case .vault(let kwargs) = $0 { kwargs } else { nil } }.first
    }

    /// Whether secrets are somewhere else than in the embedded store alone.
    var isBound: Bool { backends.contains { if case .embedded = $0 { false } else { true } } }

    /// Without slashes at its ends; empty is the root.
    var namespace: String { (vault?.namespace ?? "").split(separator: "/").joined(separator: "/") }

    var hasEmbedded: Bool { backends.contains { if case .embedded = $0 { true } else { false } } }

    // MARK: The configuration file's `mounts`

    private static let keys = ["backend", "backends", "kwargs", "kv_version"] + CacheSettings.keys

    /// - Parameter name: the mount's path on Airlock, with or without slashes around it.
    init(name: String, json: JSON, defaults: CacheSettings, environment: [String: String]) throws {
        let place = "mounts: \(name)"
        let path = name.split(separator: "/").joined(separator: "/")
        do {
            _ = try SecretPath(path)
        } catch {
            throw AirlockError.badRequest("\(place): a mount's name is a path such as airflow or team/airflow")
        }
        guard !["sys", "auth", "cubbyhole", "identity"].contains(path.prefix { $0 != "/" }) else {
            throw AirlockError.badRequest("\(place): that path is Airlock's own")
        }
        guard let members = json.members else { throw AirlockError.badRequest("\(place) must be a JSON object") }
        var cache = defaults
        var single: [JSON.Member] = []
        var several: JSON?
        for member in members {
            let value = ConfiguredValue(name: "\(place): \(member.name)", json: member.value)
            switch member.name {
            case "backend", "kwargs", "kv_version": single.append(member)
            case "backends": several = member.value
            default:
                guard try cache.set(member.name, value) else {
                    throw ConfiguredValue.unknown(member.name, in: place, known: MountSettings.keys)
                }
            }
        }
        guard several == nil || single.isEmpty else {
            throw AirlockError.badRequest("\(place): give backend with its kwargs, or backends, not both")
        }
        let entries = try MountSettings.backends(several, single, place: place)
        let read = try entries.map {
            try MountSettings.backend($0, mount: path, environment: environment, place: place)
        }
        self.path = path + "/"
        self.cache = cache
        backends = read.map(\.backend)
        kvVersion = read[0].kvVersion
        guard read.allSatisfy({ $0.kvVersion == kvVersion }) else {
            throw AirlockError.badRequest("\(place): all backends of a mount must have the same KV version")
        }
        guard !(cache.authorization == .upstream && backends.count > 1) else {
            throw AirlockError.badRequest("\(place): authorize upstream wants one backend, whose word counts")
        }
        guard cache.authorization == .local || vault != nil || !isBound else {
            throw AirlockError.badRequest(
                "\(place): authorize upstream wants a vault, whose tokens clients bring; with conjur it is local")
        }
    }

    private static func backends(_ several: JSON?, _ single: [JSON.Member], place: String) throws -> [JSON] {
        guard let several else { return [.object(single)] }
        guard let elements = several.elements, !elements.isEmpty else {
            throw AirlockError.badRequest("\(place): backends must be a list of objects, tried in order")
        }
        return elements
    }

    private static func backend(
        _ json: JSON, mount: String, environment: [String: String], place: String
    ) throws -> (backend: Backend, kvVersion: Int) {
        guard let members = json.members else { throw AirlockError.badRequest("\(place): a backend is a JSON object") }
        for member in members where !["backend", "kwargs", "kv_version"].contains(member.name) {
            throw ConfiguredValue.unknown(member.name, in: place, known: ["backend", "kwargs", "kv_version"])
        }
        switch json["backend"]?.text {
        case "embedded":
            guard json["kwargs"] == nil else { throw AirlockError.badRequest("\(place): embedded takes no kwargs") }
            return (.embedded, try kvVersion(json, place: place))
        case "vault":
            guard json["kv_version"] == nil else {
                throw AirlockError.badRequest("\(place): write kv_engine_version into the kwargs instead of kv_version")
            }
            var kwargs = try ServeSettings.kwargs(place) { () throws(BackendKwargs.Fault) in
                try BackendKwargs(json["kwargs"] ?? .object([]))
            }
            guard kwargs.url != nil else { throw AirlockError.badRequest("\(place): kwargs: url: a vault needs one") }
            let namesMount = json["kwargs"]?["mount_point"].map { !$0.isNull } ?? false
            if !namesMount { kwargs.mountPoint = mount }
            return (.vault(kwargs), kwargs.kvVersion)
        case "conjur":
            let kwargs = try ServeSettings.kwargs(place) { () throws(BackendKwargs.Fault) in
                try ConjurKwargs(json["kwargs"] ?? .object([]), environment: environment)
            }
            return (.conjur(kwargs), try kvVersion(json, place: place))
        default:
            throw AirlockError.badRequest("\(place): backend must be \"vault\", \"conjur\" or \"embedded\"")
        }
    }

    private static func kvVersion(_ json: JSON, place: String) throws -> Int {
        try json["kv_version"].map { try ConfiguredValue(name: "\(place): kv_version", json: $0).integer(1...2) } ?? 2
    }
}

/// How a mount remembers, and who decides who may read it.
struct CacheSettings {
    var rule = FreshnessRule()
    var limits = CacheLimits()
    var authorization = Authorization.local
    /// Nanoseconds a verified login is taken for verified.
    var loginRecheck = Timestamp.nanoseconds(in: 3600)
    /// Nanoseconds a proven right is taken for proven.
    var rightsRecheck = Timestamp.nanoseconds(in: 300)

    static let keys = [
        "ttl", "max_stale", "negative_ttl", "cache_entries", "cache_bytes", "authorize", "login_recheck",
        "rights_recheck",
    ]

    /// - Returns: `false` for a name that is none of these settings.
    mutating func set(_ name: String, _ value: ConfiguredValue) throws -> Bool {
        switch name {
        case "ttl": rule.ttl = try value.duration()
        case "max_stale": rule.maxStale = try value.duration()
        case "negative_ttl": rule.negativeTTL = try value.duration()
        case "cache_entries": limits.entries = try value.integer(1...100_000_000)
        case "cache_bytes": limits.bytes = try value.integer(1024...1_099_511_627_776)
        case "authorize":
            guard let chosen = Authorization(rawValue: try value.text()) else {
                throw AirlockError.badRequest("\(value.name) must be local or upstream")
            }
            authorization = chosen
        case "login_recheck": loginRecheck = try value.duration()
        case "rights_recheck": rightsRecheck = try value.duration()
        default: return false
        }
        return true
    }
}

/// One value of the configuration file.
struct ConfiguredValue {
    /// Where it stands, for messages.
    let name: String
    let json: JSON

    func text() throws -> String {
        guard let text = json.text, !text.isEmpty else { throw AirlockError.badRequest("\(name) must be a string") }
        return text
    }

    func flag() throws -> Bool {
        guard let flag = json.boolean else { throw AirlockError.badRequest("\(name) must be true or false") }
        return flag
    }

    func object() throws -> [JSON.Member] {
        guard let members = json.members else { throw AirlockError.badRequest("\(name) must be a JSON object") }
        return members
    }

    func integer(_ range: ClosedRange<Int>) throws -> Int {
        guard case .number(let digits) = json, let number = Int(digits), range.contains(number) else {
            throw AirlockError.badRequest("\(name) must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Nanoseconds.
    func duration() throws -> Int64 {
        let text: String? = if case .number(let digits) = json { digits } else { json.text }
        guard let text, !text.isEmpty, let nanoseconds = GoDuration.parse(text), nanoseconds >= 0 else {
            throw AirlockError.badRequest(
                "\(name) must be whole seconds, or a duration such as \"90s\", \"15m\" or \"24h\"")
        }
        return nanoseconds
    }

    static func unknown(_ name: String, in place: String, known: [String]) -> AirlockError {
        let suggestion = nearestName(to: name, among: known).map { "did you mean \"\($0)\"?" }
        return .badRequest(
            "\(place): unknown key \"\(name)\": \(suggestion ?? "known are " + known.joined(separator: ", "))")
    }
}
