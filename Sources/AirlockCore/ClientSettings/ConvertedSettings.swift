/// A client's own settings as a configuration of `airlock serve`, and what of them it cannot say. Secrets are not in it: it
/// names files, and what is to be in them stands beside. `takeLiteLLM` and its like fill it.
package struct ConvertedSettings: Sendable {
    /// A file that the configuration names.
    package struct File: Sendable {
        package let path: String
        /// Where its content came from, for messages.
        package let setting: String
        /// `nil` where the client's settings only refer to it.
        package let content: SecretText?
    }

    /// One line about one setting of the client's.
    package struct Remark: Sendable, Equatable {
        package enum Kind: String, Sendable {
            /// Airlock cannot be told it.
            case notCarriedOver = "not carried over"
            /// Carried over, or the client's own business, and somebody should know how.
            case note
        }

        package let kind: Kind
        package let setting: String
        package let text: String
    }

    package let authorization: Authorization
    let filesFolder: String
    var mounts: [DraftMount] = []
    var backendKwargs: [JSON.Member]?
    var conjurMount: String?
    package private(set) var files: [File] = []
    package private(set) var remarks: [Remark] = []
    /// Settings of the client whose secrets stand in the configuration itself, because Airlock reads them from no file.
    package var secretsInside: [String] = []

    /// - Parameter filesFolder: where the configuration says that its secrets are; absolute.
    package init(filesFolder: String, authorization: Authorization) {
        self.filesFolder = filesFolder
        self.authorization = authorization
    }

    mutating func lose(_ setting: String, _ why: String) {
        remarks.append(Remark(kind: .notCarriedOver, setting: setting, text: why))
    }

    mutating func note(_ setting: String, _ text: String) {
        remarks.append(Remark(kind: .note, setting: setting, text: text))
    }

    /// The variables of a `.env` file.
    /// - Parameter prefixes: of names whose values must be sure.
    package mutating func environment(ofFile bytes: [UInt8], prefixes: [String]) throws -> [String: String] {
        let file = EnvFile(parsing: SourceText.withoutMark(bytes))
        for fault in file.faults { lose("line \(fault.line)", fault.reason) }
        var environment: [String: String] = [:]
        for entry in file.entries {
            guard !entry.hasReference || !prefixes.contains(where: { entry.name.hasPrefix($0) }) else {
                throw AirlockError.badRequest(
                    "\(GivenSettings.shown(entry.name)) (line \(entry.line)) has a $ that may stand for another variable: write the value out, in single quotes"
                )
            }
            environment[entry.name] = entry.value.revealed
        }
        return environment
    }

    /// What nobody asked for.
    mutating func lose(_ rest: [(setting: String, why: String)]) { for (setting, why) in rest { lose(setting, why) } }

    /// What the configuration file is to hold. The first call decides the names of the files.
    package mutating func configuration() -> JSON {
        var members: [JSON.Member] = []
        if let conjurMount { members.append(.init("conjur_mount", .string(conjurMount))) }
        if let backendKwargs {
            members.append(.init("backend_kwargs", .object(backendKwargs)))
            if authorization == .upstream { members.append(.init("authorize", "upstream")) }
        }
        if !mounts.isEmpty {
            members.append(.init("mounts", .object(mounts.map { .init($0.name, configuration(of: $0)) })))
        }
        return .object(members)
    }

    private mutating func configuration(of mount: DraftMount) -> JSON {
        let isUpstream = authorization == .upstream && mount.backend == .vault
        var kwargs = mount.place
        if !isUpstream {
            for (key, value) in mount.login { kwargs.append(.init(key, resolved(value, mount: mount.name))) }
        }
        var members: [JSON.Member] = [
            .init("backend", .string(mount.backend.rawValue)), .init("kwargs", .object(kwargs)),
        ]
        // The Conjur surface cannot check and set, so it wants version 1 (docs/conjur.md).
        if mount.backend == .conjur { members.append(.init("kv_version", 1)) }
        if isUpstream { members.append(.init("authorize", "upstream")) }
        return .object(members + mount.cache.members)
    }

    /// - Parameter mount: for the name of the file.
    mutating func resolved(_ value: DraftMount.LoginValue, mount: String) -> JSON {
        switch value {
        case .plain(let json): json
        case .file(let file): .string(path(of: file, mount))
        case .files(let first, let second): [.string(path(of: first, mount)), .string(path(of: second, mount))]
        }
    }

    private mutating func path(of file: DraftMount.LoginFile, _ mount: String) -> String {
        switch file {
        case .path(let path): return path
        case .content(let name, let setting, let content):
            let stem = mount.split(separator: "/").joined(separator: "-") + "-" + name
            var path = "\(filesFolder)/\(stem)"
            // `a/b` and `a-b` may both be mounts.
            while files.contains(where: { $0.path == path }) { path += "-2" }
            files.append(File(path: path, setting: setting, content: content))
            return path
        }
    }
}

/// A mount of the configuration while it is made.
struct DraftMount: Sendable {
    enum Backend: String { case vault, conjur }

    enum LoginFile: Sendable {
        case path(String)
        case content(name: String, setting: String, SecretText?)
    }

    enum LoginValue: Sendable {
        case plain(JSON)
        case file(LoginFile)
        case files(LoginFile, LoginFile)
    }

    typealias Login = [(key: String, value: LoginValue)]

    let backend: Backend
    /// On Airlock, without slashes at its ends.
    var name: String
    /// The kwargs that say which secrets these are.
    var place: [JSON.Member]
    /// The other kwargs; left out where clients' own logins are used.
    var login: Login
    var cache = DraftCache()
}

/// A client's intervals in Airlock's terms. Seconds.
struct DraftCache: Sendable {
    var ttl: Int?
    var maxStale: Int?
    var negativeTTL: Int?

    /// A hundred years: Airlock has no "never", and its clock counts nanoseconds in 64 bits.
    static let forever = 36_500 * 86_400

    var members: [JSON.Member] {
        [("ttl", ttl), ("max_stale", maxStale), ("negative_ttl", negativeTTL)].compactMap { name, seconds in
            seconds.map { .init(name, .string("\(min($0, DraftCache.forever))s")) }
        }
    }

    /// The stricter of both where they differ.
    mutating func tighten(by other: DraftCache) {
        func least(_ one: Int?, _ two: Int?) -> Int? { [one, two].compactMap(\.self).min() }
        ttl = least(ttl, other.ttl)
        maxStale = least(maxStale, other.maxStale)
        negativeTTL = least(negativeTTL, other.negativeTTL)
    }
}
