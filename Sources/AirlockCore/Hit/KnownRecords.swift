import Synchronization

/// Records of the embedded store in memory, decoded: what logins and the recognising of tokens ask again and again
/// (`RecordKind.isRemembered`). They are kept and forgotten as answers are.
extension Front {
    /// Over it the memory of records starts anew.
    private static let recordLimit = 10_000
    /// Bytes of one. Larger ones are rare, unless somebody makes thousands of them.
    package static let recordSizeLimit = 16 * 1024

    /// - Returns: `nil`, which says nothing: the database knows.
    package func record(_ key: RecordKey) -> (any Sendable)? { state.withLock { $0.records[key] } }

    /// - Parameters:
    ///   - size: bytes of the record.
    ///   - begun: before the view was opened that it was read from.
    package func keep(_ value: any Sendable, of key: RecordKey, size: Int, since begun: Moment) {
        guard size <= Front.recordSizeLimit else { return }
        state.withLock { state in
            guard state.isUnchanged(record: key, since: begun), state.records[key] == nil else { return }
            if state.records.count >= Front.recordLimit { state.records = [:] }
            state.records[key] = value
        }
    }

    /// Whether what memory said of all of them since `begun` is true now, of all at once.
    package func areUnchanged(_ keys: [RecordKey], since begun: Moment) -> Bool {
        state.withLock { state in keys.allSatisfy { state.isUnchanged(record: $0, since: begun) } }
    }
}

extension Front.State {
    fileprivate func isUnchanged(record key: RecordKey, since begun: Front.Moment) -> Bool {
        isUnchanged(.record(key), since: begun) && isUnchanged(.records(key.kind, scope: key.scope), since: begun)
    }
}
