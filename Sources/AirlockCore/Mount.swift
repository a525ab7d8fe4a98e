/// A named prefix of the Vault surface: a secrets engine (`airflow/`) or a way to log in (`approle/`).
package struct Mount: Sendable, Codable, Equatable {
    package enum Engine: String, Sendable, Codable {
        case kv, cubbyhole, approle, userpass, cert, jwt, kubernetes, token, system

        /// A way to log in.
        package var isAuth: Bool { ![.kv, .cubbyhole, .system].contains(self) }
        /// What each namespace has without its being mounted.
        package var isBuiltIn: Bool { [.system, .cubbyhole, .token].contains(self) }
    }

    /// Ends in `/`; below `auth/` for a way to log in, where it is written without that prefix.
    package var path: String
    package let engine: Engine
    package let uuid: String
    package let accessor: String
    package var description: String
    /// `version` = `1` or `2` for KV; `nil` where the engine has none.
    package var options: [String: String]?
    /// Seconds; 0 means the system's default.
    package var defaultLeaseTTL = 0
    package var maxLeaseTTL = 0
    package var tokenType = "default-service"
    /// `unauth`: listed to those without a token too; `hidden` or `nil`: not.
    package var listingVisibility: String?

    package static let unauthenticated = "unauth"
    /// `nil`: never tuned, the defaults count.
    package var lockout: LockoutSettings?
    /// `nil`: the root.
    private var home: Namespace?

    /// What 0 stands for: 32 days (VAULT-PROTOCOL 4).
    package static let systemLeaseTTL = 2_764_800

    package init(
        path: String, engine: Engine, description: String, options: [String: String]?, uuid: String = RandomText.uuid()
    ) {
        self.path = path
        self.engine = engine
        self.description = description
        self.options = options
        self.uuid = uuid
        accessor = "\(engine.isAuth ? "auth_" : "")\(engine.rawValue)_\(uuid.prefix(8))"
    }

    package var namespace: Namespace { home ?? .root }

    /// What stands before a secret's path where the latest version is read: the path that policies are asked about.
    package var readPath: String { path + (kvVersion == 2 ? "data/" : "") }

    package func placed(in namespace: Namespace) -> Mount {
        var mount = self
        mount.home = namespace.isRoot ? nil : namespace
        return mount
    }

    /// Whether it is still there, under this path and not made anew.
    func isMounted(_ reader: any StorageReader) throws -> Bool {
        let key = RecordKey(engine.isAuth ? .authMount : .mount, scope: namespace.uuid, path)
        return try reader.value(Mount.self, key)?.uuid == uuid
    }

    /// Asked in each transaction that adds to a mount: what were written after it was dropped would be listed nowhere and
    /// never go.
    /// - Throws: `AirlockError`, what a path without a mount is answered.
    func checkMounted(_ reader: any StorageReader) throws {
        guard try isMounted(reader) else {
            throw AirlockError.noHandler(namespace.path + (engine.isAuth ? "auth/" : "") + path)
        }
    }

    package var kvVersion: Int { options?["version"] == "2" ? 2 : 1 }
    package var effectiveDefaultTTL: Int { defaultLeaseTTL == 0 ? Mount.systemLeaseTTL : defaultLeaseTTL }
    package var effectiveMaxTTL: Int { maxLeaseTTL == 0 ? Mount.systemLeaseTTL : maxLeaseTTL }
}
