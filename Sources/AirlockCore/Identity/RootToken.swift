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
        let digest = storage.digest(text)
        var request = TokenRequest()
        request.policies = [Policy.root]
        request.path = "auth/token/root"
        request.displayName = "root"
        request.neverExpires = true
        let token = Tokens(storage: storage, now: now).issued(request).token
        let accessorDigest = storage.digest(token.accessor)
        try await storage.write { transaction in
            if let earlier = try transaction.record(key) {
                let earlier = String(decoding: earlier, as: UTF8.self)
                guard earlier != digest else { return }
                try transaction.delete(RecordKey(.token, earlier))
            }
            try transaction.put(key, Array(digest.utf8), expires: nil)
            try TokenRecords.put(transaction, token, digest: digest, accessorDigest: accessorDigest)
        }
    }
}
