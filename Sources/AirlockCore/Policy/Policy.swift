/// A named set of rules, kept with its text as it was written.
package struct Policy: Sendable, Codable {
    package struct Rule: Sendable, Equatable {
        /// Without a leading slash.
        package let path: String
        package let capabilities: Capabilities
    }

    package let name: String
    /// HCL or JSON, byte for byte as it was sent (base64 decoded).
    package let text: String

    package static let root = "root"
    package static let fallback = "default"
    /// What a token that wraps an answer has; no other token does, and nobody changes it.
    package static let wrapping = "response-wrapping"

    package static let wrappingText = """
        path "sys/wrapping/unwrap" { capabilities = ["update"] }
        path "auth/token/revoke-self" { capabilities = ["update"] }

        """

    /// What OpenBao's policies may say of a path and this engine would not enforce.
    private static let unenforced: Set<String> = [
        "allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl", "max_wrapping_ttl",
        "mfa_methods", "pagination_limit", "expiration", "list_scan_response_keys_filter_path", "control_group",
    ]

    /// What each token may do unless it was made without the `default` policy. Of Vault's default policy these are the
    /// grants on paths that Airlock serves.
    package static let defaultText = """
        # What every token may do for itself.
        path "auth/token/lookup-self" { capabilities = ["read"] }
        path "auth/token/renew-self"  { capabilities = ["update"] }
        path "auth/token/revoke-self" { capabilities = ["update"] }
        path "sys/capabilities-self"  { capabilities = ["update"] }

        # Its own secrets, which no other token sees.
        path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

        # Leases, and answers wrapped for it.
        path "sys/leases/lookup"   { capabilities = ["update"] }
        path "sys/leases/renew"    { capabilities = ["update"] }
        path "sys/wrapping/wrap"   { capabilities = ["update"] }
        path "sys/wrapping/lookup" { capabilities = ["update"] }
        path "sys/wrapping/unwrap" { capabilities = ["update"] }

        # What says and changes nothing.
        path "sys/tools/hash"               { capabilities = ["update"] }
        path "sys/tools/hash/*"             { capabilities = ["update"] }
        path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

        """

    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// - Throws: `AirlockError` (`failed to parse policy: ...`) with line and reason for anything this engine would not
    ///   enforce: a rule that is silently ignored is a hole.
    package func rules() throws -> [Rule] {
        let document: PolicyBlock
        do {
            document = try PolicyBlock(parsing: text)
        } catch {
            throw AirlockError.badRequest("failed to parse policy: \(error.reason) at line \(error.line)")
        }
        var rules: [Rule] = []
        for member in document.members {
            switch (member.name, member.value) {
            case ("name", .text): continue
            case ("path", .blocks(let blocks)):
                rules += try blocks.map { try Policy.rule(path: $0.label, block: $0.block) }
            default: throw failure("invalid key \"\(member.name)\"", line: member.line)
            }
        }
        return rules
    }

    private func failure(_ reason: String, line: Int) -> AirlockError {
        .badRequest("failed to parse policy: \(reason) at line \(line)")
    }

    private static func rule(path: String, block: PolicyBlock) throws -> Rule {
        func failure(_ reason: String, line: Int) -> AirlockError {
            .badRequest("failed to parse policy: path \"\(path)\": \(reason) at line \(line)")
        }
        guard !path.contains("{{") else {
            throw failure("templated paths are not supported; write the path out", line: block.line)
        }
        guard !path.contains("+*") else {
            throw failure("'+*' is not allowed: use '+/*' or '*'", line: block.line)
        }
        var capabilities: Capabilities = []
        for member in block.members {
            switch (member.name, member.value) {
            case ("capabilities", .list(let names)):
                for name in names {
                    guard let capability = Capabilities(name: name) else {
                        throw failure("invalid capability \"\(name)\"", line: member.line)
                    }
                    capabilities.insert(capability)
                }
            case ("policy", .text(let legacy)):
                guard let granted = Capabilities(legacy: legacy) else {
                    throw failure("invalid policy \"\(legacy)\"", line: member.line)
                }
                capabilities.formUnion(granted)
            case ("capabilities", _): throw failure("capabilities must be a list of strings", line: member.line)
            case ("comment", .text): continue
            case (let name, _) where Policy.unenforced.contains(name):
                throw failure("\"\(member.name)\" is not enforced by Airlock and therefore refused", line: member.line)
            default: throw failure("invalid key \"\(member.name)\"", line: member.line)
            }
        }
        return Rule(path: path.hasPrefix("/") ? String(path.dropFirst()) : path, capabilities: capabilities)
    }
}
