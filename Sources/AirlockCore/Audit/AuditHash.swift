/// What stands in the audit log for a text: `hmac-sha256:` and its code in hexadecimal, as in Vault's, so that a value can be
/// looked up there by who has it, and read there by nobody.
package struct AuditHash: Sendable {
    /// HMAC-SHA256 in hexadecimal, with a key of the audit log's own.
    private let code: @Sendable (String) -> String

    package init(code: @escaping @Sendable (String) -> String) { self.code = code }

    package func text(_ text: String) -> String { "hmac-sha256:" + code(text) }

    package func text(_ secret: SecretPayload) -> String { text(String(decoding: secret.bytes, as: UTF8.self)) }

    /// What a value is part of decides how much of it may be read.
    package enum Part: Sendable {
        /// Made by the server: its strings are hashed, as Vault does, its numbers and times stay readable.
        case answer
        /// Made by a client: a request, or a secret in an answer. Nothing stays readable but the members' names, `true`, `false`
        /// and `null`: a PIN is a number, too.
        case secret
    }

    package func hashed(_ json: JSON, as part: Part) -> JSON {
        switch json {
        case .null, .bool: json
        case .number(let digits): part == .secret ? .string(text(digits)) : json
        case .string(let text): .string(self.text(text))
        case .array(let elements): .array(elements.map { hashed($0, as: part) })
        case .object(let members):
            .object(
                members.map { member in
                    isReadable(member, in: part)
                        ? member : JSON.Member(member.name, hashed(member.value, as: part))
                })
        case .verbatim(let bytes): hashed(verbatim: bytes, as: part)
        }
    }

    /// Times, by their names in answers; of a KV secret's `deletion_time` OpenBao makes no exception.
    private func isReadable(_ member: JSON.Member, in part: Part) -> Bool {
        guard part == .answer, member.name.hasSuffix("_time"), member.name != "deletion_time",
            let text = member.value.text
        else { return false }
        return Timestamp(rfc3339: text) != nil
    }

    private func hashed(verbatim bytes: [UInt8], as part: Part) -> JSON {
        guard let json = try? JSON(parsing: bytes) else { return .string(text(SecretPayload(bytes))) }
        return hashed(json, as: part)
    }
}
