/// The key of the audit log's codes: random, made with the first audit log, and kept sealed in the store, so that the codes of
/// one value are the same for as long as the store lives.
package enum AuditKey {
    private static let record = RecordKey(.auditKey, "hmac-sha256")

    package static func find(in storage: any Storage) async throws -> SecretPayload {
        try await storage.write { transaction in
            if let bytes = try transaction.record(record) { return SecretPayload(bytes) }
            var generator = SystemRandomNumberGenerator()
            let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            try transaction.put(record, bytes, expires: nil)
            return SecretPayload(bytes)
        }
    }
}
