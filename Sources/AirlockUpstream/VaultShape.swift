import AirlockCore

/// Reads Vault's answers. What does not have Vault's shape is an error, never a value and never "absent": a proxy's HTML
/// page must not look like an empty vault. No message repeats a server's text, for that may repeat a request's.
enum VaultShape {
    /// Passes 200, 204 and 404 on.
    static func checked(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> UpstreamResponse {
        switch response.status {
        case 200, 204, 404: return response
        case 300..<400:
            let to = response.header("location").map { " to " + ServerAddress.origin(of: $0) } ?? ""
            throw UpstreamError(
                .redirect,
                "\(origin) redirects\(to) (HTTP \(response.status)), which is not followed; give the final address")
        case 400 where errors(response).contains { $0.contains("check-and-set parameter did not match") }:
            throw UpstreamError(.conflict, "\(origin): the secret has changed meanwhile; run again")
        case 400 where errors(response).contains { $0.contains("check-and-set parameter required") }:
            throw UpstreamError(.rejected, "\(origin): the mount demands check-and-set for this write")
        case 400 where String(decoding: response.body, as: UTF8.self).contains("HTTP request to an HTTPS server"):
            throw UpstreamError(.tls, "\(origin) speaks TLS there; write https:// in its address")
        case 403:
            // A gateway's page is no denial: what is kept of the path must not go because of it.
            guard isRefusal(response) else { throw noVaultAnswer }
            throw UpstreamError(
                .denied, "\(origin): permission denied (HTTP 403); the token's policies do not allow this")
        case 429, 500:
            // May be about this one path: a quota, or a broken secret.
            throw UpstreamError(.failed, "\(origin) failed (HTTP \(response.status)); see the server's log")
        case 501...599:
            let reason = errors(response).contains { $0.contains("sealed") } ? "it is sealed; unseal it" : "try later"
            throw UpstreamError(.unavailable, "\(origin) is not available (HTTP \(response.status)): \(reason)")
        case 413:
            throw UpstreamError(.rejected, "\(origin): the secret is larger than the server accepts (HTTP 413)")
        default:
            throw UpstreamError(
                .rejected, "\(origin) refused the request (HTTP \(response.status)); the server's log says why")
        }
    }

    /// An answer that is passed on: of any status, but the server's own. A proxy's page must not look like a write that went
    /// through, nor like a login that was refused.
    static func passed(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> ForwardedAnswer {
        if (300..<400).contains(response.status) { _ = try checked(response, origin) }
        if !response.body.isEmpty { _ = try object(response.body) }
        return ForwardedAnswer(status: response.status, body: SecretPayload(response.body))
    }

    // MARK: Secrets

    /// `nil` for what the server itself says is not there.
    static func secret(
        _ response: UpstreamResponse, _ mount: VaultMount, _ origin: String
    ) throws(UpstreamError) -> Secret? {
        let response = try checked(response, origin)
        let (json, ranges) = try object(response.body)
        let data = ranges["data"].map { Array(response.body[$0]) }
        if response.status == 404 {
            if json["errors"]?.elements?.isEmpty == true { return nil }
            guard mount.kvVersion == 2, let data, let deleted = try? versioned(data), deleted.data == nil else {
                throw noSuchMount(json, mount)
            }
            return deleted
        }
        guard response.status == 200, let data else { throw noVaultAnswer }
        if mount.kvVersion == 2 {
            let secret = try versioned(data)
            guard secret.data != nil else { throw noVaultAnswer }
            return secret
        }
        _ = try object(data)
        return Secret(data: SecretPayload(data), leaseDuration: json["lease_duration"]?.integer ?? 0)
    }

    /// KV version 2's `{"data":...,"metadata":...}`.
    private static func versioned(_ bytes: [UInt8]) throws(UpstreamError) -> Secret {
        let (json, ranges) = try object(bytes)
        guard let data = json["data"], data.isNull || data.members != nil, let dataRange = ranges["data"],
            let metadata = json["metadata"], let metadataRange = ranges["metadata"],
            let version = metadata["version"]?.integer
        else { throw noVaultAnswer }
        return Secret(
            data: data.isNull ? nil : SecretPayload(Array(bytes[dataRange])),
            metadata: SecretPayload(Array(bytes[metadataRange])), version: version,
            created: metadata["created_time"]?.text.flatMap(Timestamp.init(rfc3339:)))
    }

    private static let noSuchNamespace = UpstreamError(
        .noSuchMount, "there is no such namespace on the server; check namespace")

    private static func noSuchMount(_ json: JSON, _ mount: VaultMount) -> UpstreamError {
        if let errors = json["errors"]?.elements {
            guard !errors.contains(where: { $0.text == "namespace not found" }) else {
                return noSuchNamespace
            }
            return UpstreamError(
                .noSuchMount, "there is no mount \(mount.path)/ on the server; check mount_point, or create the mount")
        }
        guard json["warnings"]?.elements != nil else { return noVaultAnswer }
        return UpstreamError(
            .noSuchMount,
            "the mount \(mount.path)/ is not KV version \(mount.kvVersion); set kv_engine_version to what it is")
    }

    static func written(
        _ response: UpstreamResponse, _ mount: VaultMount, _ origin: String
    ) throws(UpstreamError) -> Int? {
        let response = try checked(response, origin)
        if response.status == 404 { throw noSuchMount(try parsed(response), mount) }
        if mount.kvVersion == 1 { return nil }
        guard response.status == 200, let version = try parsed(response)["data"]?["version"]?.integer else {
            throw UpstreamError(
                .malformed,
                "the mount \(mount.path)/ did not answer a write as KV version 2 does; check kv_engine_version")
        }
        return version
    }

    static func names(
        _ response: UpstreamResponse, _ mount: VaultMount, _ origin: String
    ) throws(UpstreamError) -> [String] {
        let response = try checked(response, origin)
        let json = try parsed(response)
        if response.status == 404 {
            guard json["errors"]?.elements?.isEmpty == true else { throw noSuchMount(json, mount) }
            return []
        }
        guard let keys = json["data"]?["keys"]?.elements else { throw noVaultAnswer }
        return keys.compactMap(\.text)
    }

    static func kvVersion(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> Int? {
        guard try checked(response, origin).status == 200 else { return nil }
        let data = try parsed(response)["data"]
        switch data?["type"]?.text {
        case "kv", nil: break
        case "generic", "kv-v1": return 1
        case "kv-v2": return 2
        default:
            throw UpstreamError(.noSuchMount, "the mount is no KV mount; name another")
        }
        return data?["options"]?["version"]?.text == "2" ? 2 : 1
    }

    /// The mount that the answer describes.
    static func mount(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> VaultMount {
        if response.status == 404, errors(response).contains("namespace not found") { throw noSuchNamespace }
        guard let version = try kvVersion(response, origin), let path = try parsed(response)["data"]?["path"]?.text,
            path.utf8.last == UInt8(ascii: "/")
        else {
            throw UpstreamError(.unsupported, "\(origin) does not tell its mounts, as every Vault since 0.10 does")
        }
        return VaultMount(path: String(path.dropLast()), kvVersion: version)
    }

    // MARK: Tokens

    static func login(
        _ response: UpstreamResponse, _ origin: String, mount: String, at now: Timestamp
    ) throws(UpstreamError) -> VaultLease {
        switch response.status {
        case 400, 403, 404, 405:
            guard isRefusal(response) else { throw noVaultAnswer }
            throw UpstreamError(
                .unauthenticated,
                "\(origin): the login at auth/\(mount) was refused (HTTP \(response.status)); "
                    + "check the credentials and auth_mount_point")
        case 500 where errors(response).contains { $0.contains("missing") }:
            throw UpstreamError(.unauthenticated, "\(origin): the login at auth/\(mount) lacks a credential")
        default: break
        }
        let auth = try parsed(try checked(response, origin))["auth"]
        guard let auth, let token = auth["client_token"]?.text, !token.isEmpty else { throw noVaultAnswer }
        return VaultLease(
            token: SecretText(token), since: now, duration: auth["lease_duration"]?.integer ?? 0,
            uses: auth["num_uses"]?.integer ?? 0, isRenewable: auth["renewable"]?.boolean ?? false)
    }

    static func renewed(
        _ response: UpstreamResponse, _ origin: String, _ old: VaultLease, at now: Timestamp
    ) throws(UpstreamError) -> VaultLease {
        let auth = try parsed(try checked(response, origin))["auth"]
        guard let auth, let duration = auth["lease_duration"]?.integer else { throw noVaultAnswer }
        return VaultLease(
            token: old.token, since: now, duration: duration, full: old.full, uses: old.uses,
            isRenewable: auth["renewable"]?.boolean ?? false)
    }

    /// What a token says about itself.
    static func lookedUp(
        _ response: UpstreamResponse, _ origin: String, _ old: VaultLease, at now: Timestamp
    ) throws(UpstreamError) -> VaultLease {
        let data = try parsed(try checked(response, origin))["data"]
        guard let data, let duration = data["ttl"]?.integer else { throw noVaultAnswer }
        return VaultLease(
            token: old.token, since: now, duration: duration, uses: data["num_uses"]?.integer ?? 0,
            isRenewable: data["renewable"]?.boolean ?? false)
    }

    /// The secret id in the answer to an unwrapping.
    static func unwrapped(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> SecretText {
        if [400, 403, 404, 405].contains(response.status), isRefusal(response) {
            throw UpstreamError(
                .unauthenticated,
                "\(origin): the wrapping token of the secret id is not valid (HTTP \(response.status)): it was used or it "
                    + "expired, possibly by somebody else's hand; find out who, and issue a new one")
        }
        let data = try parsed(try checked(response, origin))["data"]
        guard let secretID = data?["secret_id"]?.text, !secretID.isEmpty else {
            throw UpstreamError(
                .unauthenticated, "\(origin): the wrapping token holds no secret_id; wrap the right answer")
        }
        return SecretText(secretID)
    }

    // MARK: JSON

    static let noVaultAnswer = UpstreamError(
        .malformed, "the answer is not one of a Vault-compatible server; check the url and proxies on the way")

    private static func parsed(_ response: UpstreamResponse) throws(UpstreamError) -> JSON {
        guard let json = try? JSON(parsing: response.body), json.members != nil else { throw noVaultAnswer }
        return json
    }

    /// Said by the server itself, and not by a gateway before it, whose word on a credential is not taken.
    static func isRefusal(_ response: UpstreamResponse) -> Bool {
        (try? JSON(parsing: response.body))?["errors"]?.elements != nil
    }

    private static func errors(_ response: UpstreamResponse) -> [String] {
        (try? JSON(parsing: response.body))?["errors"]?.elements?.compactMap(\.text) ?? []
    }

    private static func object(_ bytes: [UInt8]) throws(UpstreamError) -> (json: JSON, ranges: JSON.MemberRanges) {
        guard let (json, ranges) = try? JSON.parsed(bytes), let ranges else { throw noVaultAnswer }
        return (json, ranges)
    }
}
