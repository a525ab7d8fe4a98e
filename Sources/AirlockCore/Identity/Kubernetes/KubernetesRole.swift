/// A role of the Kubernetes login (VAULT-PROTOCOL 16).
package struct KubernetesRole: Sendable, Codable, Equatable {
    package enum AliasSource: String, Sendable, Codable, CaseIterable {
        case uid = "serviceaccount_uid"
        case name = "serviceaccount_name"
    }

    /// Service accounts and their namespaces: names and patterns, or `*` alone for any.
    package var names: [String] = []
    package var namespaces: [String] = []
    /// Empty: any.
    package var audience = ""
    package var aliasSource = AliasSource.uid
    package var token = TokenSettings()

    package init() {}

    /// - Throws: `AirlockError` with OpenBao's message for the first thing that is wrong.
    package func check(_ mount: Mount) throws {
        try token.check()
        guard token.period <= mount.effectiveMaxTTL else {
            throw AirlockError.badRequest(
                "token period of '\"\(GoDuration.format(seconds: token.period))\"' is greater than the backend's maximum lease TTL of '\"\(GoDuration.format(seconds: mount.effectiveMaxTTL))\"'"
            )
        }
        guard !names.isEmpty else {
            throw AirlockError.badRequest("\"bound_service_account_names\" can not be empty")
        }
        try KubernetesRole.checkAny(names)
        guard !namespaces.isEmpty else {
            throw AirlockError.badRequest(
                "\"bound_service_account_namespaces\" can not be empty if \"bound_service_account_namespace_selector\" is not set"
            )
        }
        try KubernetesRole.checkAny(namespaces)
    }

    private static func checkAny(_ patterns: [String]) throws {
        guard patterns.count == 1 || !patterns.contains("*") else {
            throw AirlockError.badRequest("can not mix \"*\" with values")
        }
    }

    /// - Throws: why the account may not use the role.
    func check(_ account: ServiceAccount) throws(JWTFault) {
        guard names.contains(where: { Glob.matches($0, account.name) }) else {
            throw JWTFault("service account name not authorized")
        }
        guard namespaces.contains(where: { Glob.matches($0, account.namespace) }) else {
            throw JWTFault("namespace not authorized")
        }
    }

    func identity(_ account: ServiceAccount) -> String {
        switch aliasSource {
        case .uid: account.uid
        case .name: "\(account.namespace)/\(account.name)"
        }
    }
}

/// Whose token it is, by its own claims: those of a bound token, or of the older kind that a Secret holds.
package struct ServiceAccount: Sendable, Equatable {
    package let name: String
    package let namespace: String
    package let uid: String
    package let secretName: String

    init(_ claims: JWTClaims) {
        func old(_ name: String) -> String { claims["kubernetes.io/serviceaccount/\(name)"]?.text ?? "" }
        let bound = claims["kubernetes.io"]
        let account = bound?["serviceaccount"]
        name = account.map { $0["name"]?.text ?? "" } ?? old("service-account.name")
        uid = account.map { $0["uid"]?.text ?? "" } ?? old("service-account.uid")
        namespace = bound.map { $0["namespace"]?.text ?? "" } ?? old("namespace")
        secretName = old("secret.name")
    }

    init(name: String, namespace: String, uid: String) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        secretName = ""
    }

    /// The same account, whatever Secret its token came from.
    func isSame(as other: ServiceAccount) -> Bool {
        !uid.isEmpty && ExactText(uid) == ExactText(other.uid) && ExactText(name) == ExactText(other.name)
            && ExactText(namespace) == ExactText(other.namespace)
    }
}
