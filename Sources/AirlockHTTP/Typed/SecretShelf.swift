import AirlockCore
import HTTPTypes

/// What the typed surface needs of a mount, whatever is behind it.
protocol SecretShelf: Sendable {
    /// `nil`: there is nothing; without data: the version is deleted.
    /// - Parameter version: `nil` is the latest; a mount without versions has no other.
    func read(_ path: SecretPath, version: Int?) async throws -> Shelved?
    /// - Parameter folder: empty, or ends in `/`.
    func list(_ folder: String) async throws -> [String]
    /// Whether a write makes the path (`create`) or changes it (`update`).
    func exists(_ path: SecretPath) async throws -> Bool
    /// Replaces what is there by what `change` makes of it, in one step: when somebody else wrote meanwhile, `change` is
    /// asked again. `nil` is what is not there.
    func update(_ path: SecretPath, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload) async throws
    func delete(_ path: SecretPath) async throws
    /// Deletes it with all its versions.
    func remove(_ path: SecretPath) async throws
}

extension SecretShelf {
    func read(_ path: SecretPath) async throws -> Shelved? { try await read(path, version: nil) }
}

struct Shelved: Sendable {
    let data: SecretPayload?
    /// Where the answer came from, on a mount with a cache.
    var headers: HTTPFields = [:]
    /// `nil`: the answer is for one request alone.
    var validity: Front.Validity?
}

/// Writes that lose the race against others as often as this are given up.
private let attempts = 8
private let lostRaces = AirlockError(.conflict, "others kept changing it; try again")

/// A mount of the embedded store.
struct EmbeddedShelf: SecretShelf {
    let storage: any Storage
    let mount: Mount
    let now: Now

    private var isVersioned: Bool { mount.kvVersion == 2 }
    private var versioned: KVVersioned { KVVersioned(storage: storage, mount: mount, now: now) }
    private var plain: KVPlain { KVPlain(storage: storage, mount: mount) }

    func read(_ path: SecretPath, version: Int?) async throws -> Shelved? {
        guard isVersioned else {
            return try plain.read(path).map {
                Shelved(data: $0, validity: Front.Validity(fetched: nil, until: nil))
            }
        }
        return try versioned.read(path, version: version).map {
            Shelved(data: $0.data, validity: Front.Validity(fetched: nil, until: $0.state.deletion))
        }
    }

    func list(_ folder: String) async throws -> [String] {
        try isVersioned ? versioned.list(folder: folder) : plain.list(folder: folder)
    }

    func exists(_ path: SecretPath) async throws -> Bool {
        try isVersioned ? versioned.metadata(path) != nil : plain.read(path) != nil
    }

    func update(_ path: SecretPath, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload) async throws
    {
        guard isVersioned else { return try await plain.update(path, change) }
        for _ in 0..<attempts {
            let stored = try versioned.read(path, version: nil)
            let version = try stored?.version ?? versioned.metadata(path)?.currentVersion ?? 0
            do {
                _ = try await versioned.write(path, data: try change(stored?.data), cas: version)
                return
            } catch let error as AirlockError where error.isLostRace {
                continue
            }
        }
        throw lostRaces
    }

    func delete(_ path: SecretPath) async throws {
        if isVersioned { try await versioned.delete(path, versions: nil) } else { try await plain.delete(path) }
    }

    func remove(_ path: SecretPath) async throws {
        if isVersioned { try await versioned.deleteMetadata(path) } else { try await plain.delete(path) }
    }
}

/// A mount of the configuration: reads go through its cache, writes to its first backend.
struct BoundShelf: SecretShelf {
    let bound: BoundMount
    let embedded: EmbeddedShelf
    let reader: MountReader

    private var isVersioned: Bool { bound.mount.kvVersion == 2 }

    func read(_ path: SecretPath, version: Int?) async throws -> Shelved? {
        if reader.isCounted, let upstream = bound.upstream {
            let secret = try await asking { try await upstream.read(path, version: version, as: reader.credential) }
            return secret.map { Shelved(data: $0.data, headers: [Served.cacheHeader: Served.Outcome.bypass.rawValue]) }
        }
        let served = try await bound.readThrough.read(path, version: version, for: reader)
        let validity = served.kept.map { Front.Validity(fetched: $0.fetched, until: $0.until) }
        return served.secret.map { Shelved(data: $0.data, headers: served.headers, validity: validity) }
    }

    func list(_ folder: String) async throws -> [String] {
        try await asking { try await bound.readThrough.backend.list(folder, as: reader.credential) }
    }

    func exists(_ path: SecretPath) async throws -> Bool { try await fresh(path) != nil }

    private func fresh(_ path: SecretPath) async throws -> Secret? {
        try await asking {
            try await bound.readThrough.fetch(bound.readThrough.key(path), as: reader.credential, alone: true).secret
        }
    }

    func update(_ path: SecretPath, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload) async throws
    {
        // What a later backend has is changed into a copy in the first.
        let behind = bound.readThrough.backend is FallbackBackend ? try await fresh(path)?.data : nil
        guard let upstream = bound.upstream else {
            try await embedded.update(path) { try change($0 ?? behind) }
            return await bound.readThrough.changed(path)
        }
        for _ in 0..<attempts {
            let found = try await asking { try await upstream.read(path, version: nil, as: reader.credential) }
            let data = try change(found == nil ? behind : found?.data)
            var body = data.json
            if isVersioned { body = ["data": data.json, "options": ["cas": .integer(found?.version ?? 0)]] }
            do {
                return try await send("POST", path, body, to: upstream)
            } catch let error as AirlockError where error.isLostRace && isVersioned {
                continue
            }
        }
        throw lostRaces
    }

    func delete(_ path: SecretPath) async throws {
        if let upstream = bound.upstream { return try await send("DELETE", path, nil, to: upstream) }
        try await embedded.delete(path)
        await bound.readThrough.changed(path)
    }

    func remove(_ path: SecretPath) async throws {
        if let upstream = bound.upstream {
            return try await send("DELETE", path, nil, endpoint: "metadata", to: upstream)
        }
        try await embedded.remove(path)
        await bound.readThrough.changed(path)
    }

    /// - Parameter endpoint: of KV version 2.
    private func send(
        _ method: String, _ path: SecretPath, _ body: JSON?, endpoint: String = "data", to upstream: any Upstream
    ) async throws {
        let request = ForwardedRequest(
            method: method, path: (isVersioned ? "\(endpoint)/" : "") + path.text, query: "", contentType: nil,
            body: SecretPayload(body?.bytes ?? []))
        let answer: ForwardedAnswer
        do {
            answer = try await asking { try await upstream.forward(request, as: reader.credential) }
        } catch {
            await bound.readThrough.invalidate(.path(mount: bound.mount.path, path))
            throw error
        }
        guard !answer.isSuccess else { return await bound.readThrough.changed(path, written: answer.body) }
        // Nothing of the answer is repeated but whether it was a lost race: it may repeat the request.
        let text = String(decoding: answer.body.bytes, as: UTF8.self)
        switch answer.status {
        case 400 where text.contains(AirlockError.lostRaceText):
            throw AirlockError.badRequest(AirlockError.lostRaceText)
        case 403: throw AirlockError.permissionDenied
        case 400..<500: throw AirlockError.badRequest("the backend of \(bound.mount.path) refused the write")
        default:
            await bound.readThrough.invalidate(.path(mount: bound.mount.path, path))
            throw AirlockError(.unavailable, "the backend of \(bound.mount.path) could not do the write")
        }
    }

    private func asking<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let error as UpstreamError {
            throw AirlockError(error, mount: bound.mount)
        }
    }
}

extension AirlockError {
    static let lostRaceText = "check-and-set parameter did not match"

    /// Somebody else wrote first.
    var isLostRace: Bool { message?.hasPrefix(AirlockError.lostRaceText) ?? false }
}
