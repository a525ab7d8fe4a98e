import AirlockCore

/// A cache entry as it lies inside its seal, everything that decides an answer:
///
///     format (1), flags (1), fetched (8), version (8 if flagged), created (8 if flagged), lease duration (8),
///     data (8 length, bytes; if flagged), metadata (as data)
///
/// Numbers are big-endian. An answer that there is nothing ends after `fetched`.
extension CacheEntry {
    private static let format: UInt8 = 1

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let expired = Flags(rawValue: 1)
        static let secret = Flags(rawValue: 2)
        static let data = Flags(rawValue: 4)
        static let metadata = Flags(rawValue: 8)
        static let version = Flags(rawValue: 16)
        static let created = Flags(rawValue: 32)
        static let ofSecret: Flags = [.data, .metadata, .version, .created]
        static let known: Flags = [.expired, .secret, .ofSecret]
    }

    private var flags: Flags {
        var flags: Flags = expired ? .expired : []
        guard let secret else { return flags }
        flags.insert(.secret)
        if secret.data != nil { flags.insert(.data) }
        if secret.metadata != nil { flags.insert(.metadata) }
        if secret.version != nil { flags.insert(.version) }
        if secret.created != nil { flags.insert(.created) }
        return flags
    }

    var encoded: [UInt8] {
        var bytes = [CacheEntry.format, flags.rawValue]
        func append(_ number: Int64) { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        append(fetched.nanoseconds)
        guard let secret else { return bytes }
        if let version = secret.version { append(Int64(version)) }
        if let created = secret.created { append(created.nanoseconds) }
        append(Int64(secret.leaseDuration))
        for payload in [secret.data, secret.metadata] {
            guard let payload else { continue }
            append(Int64(payload.bytes.count))
            bytes += payload.bytes
        }
        return bytes
    }

    /// `nil` unless the bytes are exactly what some entry is encoded to.
    init?(encoded bytes: [UInt8]) {
        var rest = bytes[...]
        guard rest.popFirst() == CacheEntry.format, let raw = rest.popFirst(), let fetched = rest.popNumber() else {
            return nil
        }
        let flags = Flags(rawValue: raw)
        guard flags.isSubset(of: .known), flags.contains(.secret) || flags.isDisjoint(with: .ofSecret) else {
            return nil
        }
        var secret: Secret?
        if flags.contains(.secret) {
            guard let read = CacheEntry.secret(flags, &rest) else { return nil }
            secret = read
        }
        guard rest.isEmpty else { return nil }
        self.init(
            secret: secret, fetched: Timestamp(nanoseconds: fetched), expired: flags.contains(.expired))
    }

    private static func secret(_ flags: Flags, _ rest: inout ArraySlice<UInt8>) -> Secret? {
        var version: Int64?
        var created: Int64?
        var data: SecretPayload?
        var metadata: SecretPayload?
        if flags.contains(.version) {
            version = rest.popNumber()
            if version == nil { return nil }
        }
        if flags.contains(.created) {
            created = rest.popNumber()
            if created == nil { return nil }
        }
        guard let leaseDuration = rest.popNumber() else { return nil }
        if flags.contains(.data) {
            data = rest.popPayload()
            if data == nil { return nil }
        }
        if flags.contains(.metadata) {
            metadata = rest.popPayload()
            if metadata == nil { return nil }
        }
        return Secret(
            data: data, metadata: metadata, version: version.map { Int($0) },
            created: created.map(Timestamp.init(nanoseconds:)), leaseDuration: Int(leaseDuration))
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func popNumber() -> Int64? {
        guard count >= 8 else { return nil }
        defer { removeFirst(8) }
        return prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }

    fileprivate mutating func popPayload() -> SecretPayload? {
        guard let length = popNumber(), length >= 0, length <= count else { return nil }
        defer { removeFirst(Int(length)) }
        return SecretPayload(Array(prefix(Int(length))))
    }
}
