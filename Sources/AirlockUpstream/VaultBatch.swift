package import AirlockCore

/// One of many secrets to be written.
package struct VaultWrite: Sendable {
    package let path: String
    package let payload: SecretPayload
    /// As for `VaultClient.write`.
    package let replaces: Int

    package init(path: String, payload: SecretPayload, replacing version: Int) {
        self.path = path
        self.payload = payload
        replaces = version
    }
}

/// Many reads or writes in one request, as Airlock takes them (docs/typed-models.md); Vault and OpenBao have no such call.
/// Each answer in it is the one that the same call alone would get.
extension VaultClient {
    /// Actions in one request at most.
    package static let batchLimit = 250

    /// Reads that do not count as use of the secrets. Also what finds out whether there are batches, for a stranger is to be
    /// shown no secret.
    /// - Returns: `nil` when the server has no batches, or none for this client.
    package func checkAll(
        _ paths: [String], in mount: VaultMount
    ) async throws -> [Result<Secret?, UpstreamError>]? {
        try await answers(paths.map { ["action": "check", "path": .string($0)] }, in: mount)?.map { response in
            Result { () throws(UpstreamError) in try VaultShape.secret(response, mount, origin) }
        }
    }

    package func writeAll(
        _ writes: [VaultWrite], in mount: VaultMount
    ) async throws -> [Result<Int?, UpstreamError>]? {
        let actions = writes.map { write in
            var members: [JSON.Member] = [
                .init("action", "write"), .init("path", .string(write.path)), .init("data", write.payload.json),
            ]
            if mount.kvVersion == 2 { members.append(.init("cas", .integer(write.replaces))) }
            return JSON.object(members)
        }
        return try await answers(actions, in: mount)?.map { response in
            Result { () throws(UpstreamError) in try VaultShape.written(response, mount, origin) }
        }
    }

    private func answers(_ actions: [JSON], in mount: VaultMount) async throws -> [UpstreamResponse]? {
        var call = VaultCall(
            "POST", "secrets/batch", json: ["mount_point": .string(mount.path), "actions": .array(actions)])
        call.root = "api/v2"
        let response: UpstreamResponse
        do {
            response = try await session.send(call)
        } catch let error as UpstreamError where error.kind == .tooLarge {
            return nil
        }
        guard response.status == 200 else {
            // What is wrong with all of them, one of them alone will tell better.
            if response.status < 500 { return nil }
            _ = try VaultShape.checked(response, origin)
            throw VaultShape.noVaultAnswer
        }
        let results = (try? JSON(parsing: response.body))?["results"]?.elements
        guard let results, results.count == actions.count else { return nil }
        return results.map { result in
            UpstreamResponse(status: result["status"]?.integer ?? 0, body: result["body"]?.bytes ?? [])
        }
    }
}
