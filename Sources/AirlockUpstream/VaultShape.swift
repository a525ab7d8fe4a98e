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
        case 429, 501, 503:
            let reason = errors(response).contains { $0.contains("sealed") } ? "it is sealed; unseal it" : "try later"
            throw UpstreamError(.unavailable, "\(origin) is not available (HTTP \(response.status)): \(reason)")
        case 500...599:
            throw UpstreamError(.unavailable, "\(origin) failed (HTTP \(response.status)); see the server's log")
        case 413:
            throw UpstreamError(.rejected, "\(origin): the secret is larger than the server accepts (HTTP 413)")
        default:
            throw UpstreamError(
                .rejected, "\(origin) refused the request (HTTP \(response.status)); the server's log says why")
        }
    }

    static func secret(_ response: UpstreamResponse, _ mount: VaultMount) throws(UpstreamError) -> VaultAnswer {
        let data = try ranges(response.body[...])?["data"]
        if response.status == 404 { return try missing(response, mount) }
        guard response.status == 200, let data else { throw noVaultAnswer }
        if mount.kvVersion == 1 {
            guard try ranges(response.body[data]) != nil else { throw noVaultAnswer }
            return .found(SecretPayload(Array(response.body[data])), version: nil)
        }
        guard let inner = try ranges(response.body[data])?["data"],
            try ranges(response.body[shifted(inner, by: data)]) != nil,
            let version = try parsed(response)["data"]?["metadata"]?["version"].flatMap(number)
        else { throw noVaultAnswer }
        return .found(SecretPayload(Array(response.body[shifted(inner, by: data)])), version: version)
    }

    private static func missing(_ response: UpstreamResponse, _ mount: VaultMount) throws(UpstreamError) -> VaultAnswer
    {
        let json = try parsed(response)
        if json["errors"]?.elements?.isEmpty == true { return .absent }
        if mount.kvVersion == 2, json["data"]?["data"]?.isNull == true,
            let version = json["data"]?["metadata"]?["version"].flatMap(number)
        {
            return .deleted(version: version)
        }
        throw noSuchMount(json, mount)
    }

    private static func noSuchMount(_ json: JSON, _ mount: VaultMount) -> UpstreamError {
        if json["errors"]?.elements != nil {
            return UpstreamError(
                .noSuchMount, "there is no mount \(mount.path)/ on the server; check mount_point, or create the mount")
        }
        guard json["warnings"]?.elements != nil else { return noVaultAnswer }
        return UpstreamError(
            .noSuchMount,
            "the mount \(mount.path)/ is not KV version \(mount.kvVersion); set kv_engine_version to what it is")
    }

    static func written(_ response: UpstreamResponse, _ mount: VaultMount) throws(UpstreamError) -> Int? {
        if response.status == 404 { throw noSuchMount(try parsed(response), mount) }
        if mount.kvVersion == 1 { return nil }
        guard response.status == 200, let version = try parsed(response)["data"]?["version"].flatMap(number) else {
            throw UpstreamError(
                .malformed,
                "the mount \(mount.path)/ did not answer a write as KV version 2 does; check kv_engine_version")
        }
        return version
    }

    static func names(_ response: UpstreamResponse, _ mount: VaultMount) throws(UpstreamError) -> [String] {
        let json = try parsed(response)
        if response.status == 404 {
            guard json["errors"]?.elements?.isEmpty == true else { throw noSuchMount(json, mount) }
            return []
        }
        guard let keys = json["data"]?["keys"]?.elements else { throw noVaultAnswer }
        return keys.compactMap(\.text)
    }

    static func kvVersion(_ response: UpstreamResponse) throws(UpstreamError) -> Int? {
        guard response.status == 200 else { return nil }
        let data = try parsed(response)["data"]
        switch data?["type"]?.text {
        case "kv", nil: break
        case "generic", "kv-v1": return 1
        case "kv-v2": return 2
        default:
            throw UpstreamError(.noSuchMount, "the mount is no KV mount; name one by mount_point or --mount-point")
        }
        return data?["options"]?["version"]?.text == "2" ? 2 : 1
    }

    static func loginToken(
        _ response: UpstreamResponse, _ origin: String, mount: String
    ) throws(UpstreamError) -> SecretText {
        switch response.status {
        case 400, 403, 404, 405:
            throw UpstreamError(
                .unauthenticated,
                "\(origin): the login at auth/\(mount) was refused (HTTP \(response.status)); "
                    + "check the credentials and auth_mount_point")
        case 500 where errors(response).contains { $0.contains("missing") }:
            throw UpstreamError(.unauthenticated, "\(origin): the login at auth/\(mount) lacks a credential")
        default: break
        }
        guard let token = try parsed(try checked(response, origin))["auth"]?["client_token"]?.text, !token.isEmpty
        else { throw noVaultAnswer }
        return SecretText(token)
    }

    // MARK: JSON

    private static let noVaultAnswer = UpstreamError(
        .malformed, "the answer is not one of a Vault-compatible server; check the url and proxies on the way")

    private static func parsed(_ response: UpstreamResponse) throws(UpstreamError) -> JSON {
        guard let json = try? JSON(parsing: response.body), json.members != nil else { throw noVaultAnswer }
        return json
    }

    private static func errors(_ response: UpstreamResponse) -> [String] {
        (try? JSON(parsing: response.body))?["errors"]?.elements?.compactMap(\.text) ?? []
    }

    private static func ranges(_ slice: ArraySlice<UInt8>) throws(UpstreamError) -> JSON.MemberRanges? {
        do throws(JSON.SyntaxError) {
            return try JSON.parsed(Array(slice)).ranges
        } catch {
            throw noVaultAnswer
        }
    }

    private static func shifted(_ range: Range<Int>, by outer: Range<Int>) -> Range<Int> {
        range.lowerBound + outer.lowerBound..<range.upperBound + outer.lowerBound
    }

    private static func number(_ json: JSON) -> Int? { if case .number(let digits) = json { Int(digits) } else { nil } }
}
