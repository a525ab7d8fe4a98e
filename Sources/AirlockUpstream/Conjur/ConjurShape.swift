import AirlockCore
import Foundation

/// Reads Conjur's answers. What does not have Conjur's shape is an error, never a value and never "absent": a proxy's HTML
/// page must not look like an empty Conjur. No message repeats a server's text, for that may repeat a request's.
enum ConjurShape {
    /// Passes on success, and a 404 of Conjur's own.
    static func checked(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> UpstreamResponse {
        switch response.status {
        case 200..<300: return response
        case 404:
            guard isError(response) else { throw noConjurAnswer }
            return response
        case 300..<400:
            let to = response.header("location").map { " to " + ServerAddress.origin(of: $0) } ?? ""
            throw UpstreamError(
                .redirect,
                "\(origin) redirects\(to) (HTTP \(response.status)), which is not followed; give the final address")
        case 401:
            throw UpstreamError(.unauthenticated, "\(origin) does not accept the access token (HTTP 401)")
        case 403:
            guard isRefusal(response) else { throw noConjurAnswer }
            throw UpstreamError(
                .denied, "\(origin): permission denied (HTTP 403); the login lacks the privilege in Conjur's policy")
        case 409:
            throw UpstreamError(.conflict, "\(origin): another policy is being loaded (HTTP 409); try again")
        case 429, 500:
            throw UpstreamError(.failed, "\(origin) failed (HTTP \(response.status)); see Conjur's log")
        case 501...599:
            throw UpstreamError(.unavailable, "\(origin) is not available (HTTP \(response.status)): try later")
        default:
            throw UpstreamError(
                .rejected, "\(origin) refused the request (HTTP \(response.status)); Conjur's log says why")
        }
    }

    // MARK: Values

    /// The raw value of one variable; `nil` for what Conjur itself says is not there or has no value.
    /// - Throws: `AirlockError` for a value that no answer can hold.
    static func value(_ response: UpstreamResponse, _ origin: String) throws -> String? {
        let response = try checked(response, origin)
        if response.status == 404 { return nil }
        // A value is whatever bytes come; but Conjur sends them as an attachment, a page to look at is somebody else's.
        let isPage = response.header("content-type")?.lowercased().hasPrefix("text/html") ?? false
        guard response.status == 200, !isPage || response.header("content-disposition") != nil else {
            throw noConjurAnswer
        }
        guard let text = String(validating: response.body, as: UTF8.self) else {
            throw AirlockError.badRequest("the value in Conjur is no UTF-8 text, and JSON can hold no other")
        }
        return text
    }

    /// The values of several variables by their full ids.
    static func values(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> [ExactText: String] {
        let response = try checked(response, origin)
        guard response.status == 200, let members = try? JSON(parsing: response.body).members else {
            throw noConjurAnswer
        }
        var values: [ExactText: String] = [:]
        for member in members {
            guard let text = member.value.text else { throw noConjurAnswer }
            values[ExactText(member.name)] = text
        }
        return values
    }

    /// The ids of a list's resources, without account and kind.
    static func ids(
        _ response: UpstreamResponse, account: String, _ origin: String
    ) throws(UpstreamError) -> [String] {
        let response = try checked(response, origin)
        guard response.status == 200, let elements = try? JSON(parsing: response.body).elements else {
            throw noConjurAnswer
        }
        let prefix = fullID(account, "")
        var ids: [String] = []
        for element in elements {
            guard let id = element["id"]?.text, id.utf8.starts(with: prefix.utf8) else { throw noConjurAnswer }
            ids.append(String(decoding: id.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
        }
        return ids
    }

    static func fullID(_ account: String, _ id: String) -> String { "\(account):variable:\(id)" }

    // MARK: Access tokens

    /// The access token in the answer to a login, as requests carry it.
    static func login(_ response: UpstreamResponse, _ origin: String) throws(UpstreamError) -> SecretText {
        switch response.status {
        case 401, 403, 404, 422:
            guard isRefusal(response) else { throw noConjurAnswer }
            throw UpstreamError(
                .unauthenticated,
                "\(origin): the login was refused (HTTP \(response.status)); check authn_login, its credential, account "
                    + "and authenticator")
        default: return try token(try checked(response, origin).body)
        }
    }

    /// Conjur's tokens are JSON; requests carry them in base64.
    static func token(_ bytes: [UInt8]) throws(UpstreamError) -> SecretText {
        guard let json = try? JSON(parsing: bytes), json["signature"]?.text != nil else {
            throw UpstreamError(.malformed, "the access token is not one of Conjur's")
        }
        return SecretText(Data(bytes).base64EncodedString())
    }

    /// Seconds that a token is good for, as it says itself; eight minutes when it does not say.
    static func lifetime(of token: SecretText) -> Int {
        let standard = 480
        guard let text = Data(base64Encoded: token.revealed), let json = try? JSON(parsing: text),
            let payload = json["payload"]?.text.flatMap({ Data(base64URL: $0) }),
            let claims = try? JSON(parsing: payload), let issued = claims["iat"]?.integer,
            let expires = claims["exp"]?.integer, (issued + 1...issued + 86400).contains(expires)
        else { return standard }
        return expires - issued
    }

    // MARK: JSON

    static let noConjurAnswer = UpstreamError(
        .malformed, "the answer is not one of Conjur; check appliance_url and proxies on the way")

    private static func isError(_ response: UpstreamResponse) -> Bool {
        (try? JSON(parsing: response.body))?["error"]?.members != nil
    }

    /// Said by Conjur itself, which refuses with no body or with an error of its own, and not by a gateway before it.
    private static func isRefusal(_ response: UpstreamResponse) -> Bool { response.body.isEmpty || isError(response) }
}

extension Data {
    /// With either alphabet, with or without padding.
    fileprivate init?(base64URL text: String) {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/").filter { $0 != "=" }
        self.init(base64Encoded: standard + String(repeating: "=", count: (4 - standard.count % 4) % 4))
    }
}
