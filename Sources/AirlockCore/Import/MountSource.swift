extension ImportSource {
    /// One secret of a mount: whose it is, and its data object.
    package struct StoredSecret: Sendable {
        package let target: ImportTarget
        package let origin: ImportOrigin
        package let data: SecretPayload

        package init(_ target: ImportTarget, from origin: ImportOrigin, data: SecretPayload) {
            self.target = target
            self.origin = origin
            self.data = data
        }
    }

    /// What a mount holds, as `VaultBackend` reads it: a connection's `conn_uri` where it is not empty, else its fields; a
    /// variable's `value`.
    package init(_ secrets: [StoredSecret], named name: String) {
        self.init(named: name)
        for secret in secrets {
            do throws(ConnectionError) {
                offer(
                    secret.target.kind == .connection
                        ? try ImportSource.connection(secret) : try ImportSource.variable(secret))
            } catch {
                reject(secret.origin, error.description)
            }
        }
    }

    private static func connection(_ secret: StoredSecret) throws(ConnectionError) -> ImportCandidate {
        guard let members = (try? JSON(parsing: secret.data.bytes))?.members else { throw ConnectionError(.notObject) }
        let name = ConnectionError.Field.connURI.rawValue
        let others = members.filter { $0.name != name }
        switch members.last(where: { $0.name == name })?.value ?? .null {
        case .null, .string(""):
            let fields = String(decoding: JSON.object(others).bytes, as: UTF8.self)
            return ImportCandidate(secret.target, from: secret.origin, text: SecretText(fields))
        case .string(let text):
            let warnings = others.isEmpty ? [] : ["beside conn_uri Airflow reads no other member; they are left out"]
            return ImportCandidate(secret.target, from: secret.origin, text: SecretText(text), warnings: warnings)
        default: throw ConnectionError(.notString, field: .connURI)
        }
    }

    private static func variable(_ secret: StoredSecret) throws(ConnectionError) -> ImportCandidate {
        let variable = try Variable(data: secret.data.bytes)
        return ImportCandidate(
            secret.target, from: secret.origin, text: SecretText(variable.value),
            description: variable.description.map { SecretText($0) })
    }
}
