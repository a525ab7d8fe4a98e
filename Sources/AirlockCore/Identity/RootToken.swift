/// The one token that may do everything, made on a first start or set by the operator.
package enum RootToken {
    private static let key = RecordKey(.rootToken, "digest")

    /// Whether the store has a root token already.
    package static func exists(in storage: any Storage) throws -> Bool {
        try storage.read { try $0.record(key) } != nil
    }

    /// Makes `text` the root token from now on; the one before is revoked with everything it had issued.
    package static func set(_ text: SecretPayload, in storage: any Storage, now: @escaping Now) async throws {
        let text = String(decoding: text.bytes, as: UTF8.self)
        var request = TokenRequest()
        request.policies = [Policy.root]
        request.path = "auth/token/root"
        request.displayName = "root"
        request.neverExpires = true
        request.chosenText = text
        let made = try Tokens(storage: storage, namespace: .root, now: now).issued(request)
        let moment = now()
        try await storage.write { transaction in
            if let earlier = try transaction.record(key).map({ String(decoding: $0, as: UTF8.self) }) {
                let token = try TokenRecords.token(transaction, earlier)
                // The same token again is no change, unless it has been revoked meanwhile.
                if earlier == made.digest, let token, !token.isExpired(at: moment) { return }
                if let token { try TokenRecords.deleteTree(transaction, token, digest: earlier) }
            }
            // One of this text that Airlock has made would stand before it.
            while let other = try TokenRecords.live(transaction, text: text, now: moment) {
                try TokenRecords.deleteTree(transaction, other.token, digest: other.digest)
            }
            try transaction.put(key, Array(made.digest.utf8), expires: nil)
            try TokenRecords.put(transaction, made.token, digest: made.digest)
        }
    }
}
