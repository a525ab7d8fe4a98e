/// Several backends as one, in order. Only "absent" moves on to the next: a denial or an outage of one must not make the
/// next one's answer look like the truth.
package struct FallbackBackend: Backend {
    package let backends: [any Backend]

    package init(_ backends: [any Backend]) { self.backends = backends }

    package var identity: String { backends.map(\.identity).joined(separator: "\n") }

    package func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret? {
        for backend in backends {
            if let secret = try await backend.read(path, version: version, as: credential) { return secret }
        }
        return nil
    }

    package func list(_ folder: String, as credential: Credential) async throws -> [String] {
        var names: Set<ExactText> = []
        for backend in backends {
            for name in try await backend.list(folder, as: credential) { names.insert(ExactText(name)) }
        }
        return names.map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
