/// A server's KV mounts, as one token sees them. Both methods throw `ReferenceFault`, which need not name the reference, or
/// `CancellationError`.
package protocol ReferenceSource: Sendable {
    func mount(of path: String) async throws -> ReferenceMount
    /// The object that is stored, `nil` when there is none.
    func secret(_ path: SecretPath, version: Int?, in mount: ReferenceMount) async throws -> JSON?
}

package struct ReferenceMount: Sendable {
    /// Ends in `/`.
    package let path: String
    package let kvVersion: Int

    package init(path: String, kvVersion: Int) {
        self.path = path
        self.kvVersion = kvVersion
    }
}

/// Puts the values of references in their places. Each secret is read once, however many references name it, so that a login and a
/// password that are stored together stay together.
package struct ReferenceResolver<Source: ReferenceSource>: Sendable {
    private let source: Source
    private let prefixes: ReferencePrefixes

    /// Enough to hide the round trips, few enough for a small server.
    private let inFlight = 16
    /// Bytes of all values together. A short text could name a long secret many times.
    private let sizeLimit = 32 << 20

    package init(source: Source, prefixes: ReferencePrefixes) {
        self.source = source
        self.prefixes = prefixes
    }

    private struct Place: Hashable {
        let mount: ReferenceMount
        let path: SecretPath
        let version: Int?

        static func == (left: Place, right: Place) -> Bool {
            left.path == right.path && left.version == right.version
                && left.mount.path.utf8.elementsEqual(right.mount.path.utf8)
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(path)
            hasher.combine(version)
        }
    }

    private typealias Found<Value> = Result<Value, ReferenceFault>

    /// The texts with their values, in their order; each has its own fault.
    package func values(of texts: [ReferenceText]) async throws -> [Result<SecretPayload, ReferenceFault>] {
        let references = Set(texts.flatMap(\.references))
        let places = try await located(references)
        let secrets = try await read(Set(places.values.compactMap { try? $0.get() }))
        let values = Dictionary(
            uniqueKeysWithValues: references.map { reference in
                (reference, ReferenceResolver.value(of: reference, places, secrets))
            })
        var left = sizeLimit
        return texts.map { text in
            Result { () throws(ReferenceFault) -> SecretPayload in
                let size = text.references.reduce(0) { $0 + ((try? values[$1]?.get())?.bytes.count ?? 0) }
                guard size <= left else { throw .unusable("the values are more than \(sizeLimit) bytes together") }
                left -= size
                return try text.filled { reference throws(ReferenceFault) in
                    guard let value = values[reference] else { throw ReferenceFault(.failed, "it was not read") }
                    return try value.get()
                }
            }
        }
    }

    /// The same of texts some of which could not be read.
    package func values(
        of texts: [Result<ReferenceText, ReferenceFault>]
    ) async throws -> [Result<SecretPayload, ReferenceFault>] {
        var values = try await values(of: texts.compactMap { try? $0.get() })[...]
        return texts.map { text in text.flatMap { _ in values.removeFirst() } }
    }

    private static func value(
        of reference: Reference, _ places: [Reference: Found<Place>], _ secrets: [Place: Found<JSON?>]
    ) -> Found<SecretPayload> {
        Result { () throws(ReferenceFault) -> SecretPayload in
            do throws(ReferenceFault) {
                guard let place = try places[reference]?.get(), let secret = secrets[place] else {
                    throw ReferenceFault(.failed, "it was not read")
                }
                return try reference.value(in: try secret.get())
            } catch {
                throw error.about(reference)
            }
        }
    }

    /// One after the other, so that a mount is asked for once.
    private func located(_ references: Set<Reference>) async throws -> [Reference: Found<Place>] {
        var mounts: [ReferenceMount] = []
        var found: [Reference: Found<Place>] = [:]
        for reference in references {
            let path = prefixes.path(of: reference)
            do {
                let known = mounts.first { path.utf8.starts(with: $0.path.utf8) }
                let mount = if let known { known } else { try await source.mount(of: path) }
                if known == nil { mounts.append(mount) }
                found[reference] = .success(try ReferenceResolver.place(path, reference.version, in: mount))
            } catch let fault as ReferenceFault {
                found[reference] = .failure(fault)
            }
        }
        return found
    }

    private static func place(
        _ path: String, _ version: Int?, in mount: ReferenceMount
    ) throws(ReferenceFault) -> Place {
        guard path.utf8.starts(with: mount.path.utf8),
            let below = try? SecretPath(String(Substring(path.utf8.dropFirst(mount.path.utf8.count))))
        else { throw .malformed("it names a mount and a field, but no secret: {vault://mount/path/field}") }
        guard version == nil || mount.kvVersion == 2 else {
            throw .malformed("it names a version, and its mount keeps none (KV version 1)")
        }
        return Place(mount: mount, path: below, version: version)
    }

    private func read(_ places: Set<Place>) async throws -> [Place: Found<JSON?>] {
        try await withThrowingTaskGroup(of: (Place, Found<JSON?>).self) { group in
            var found: [Place: Found<JSON?>] = [:]
            for (index, place) in places.enumerated() {
                if index >= inFlight, let (done, secret) = try await group.next() { found[done] = secret }
                group.addTask { [source] in
                    do {
                        return (
                            place,
                            .success(try await source.secret(place.path, version: place.version, in: place.mount))
                        )
                    } catch let fault as ReferenceFault {
                        return (place, .failure(fault))
                    }
                }
            }
            for try await (done, secret) in group { found[done] = secret }
            return found
        }
    }
}
