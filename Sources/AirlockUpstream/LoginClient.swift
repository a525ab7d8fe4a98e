package import AirlockCore

/// Asks what logins need to know, each question with the authorities that its configuration trusts.
package struct LoginClient: LoginFetcher {
    private let away: any UpstreamTransport
    /// Without the environment's proxy, which would get to see what is meant to stay on this machine.
    private let local: any UpstreamTransport

    package init() {
        var options = CurlClient.Options()
        options.timeout = .seconds(5)
        options.responseLimit = KeySets.sizeLimit
        away = CurlClient(options: options)
        options.proxies = .byScheme([:])
        local = CurlClient(options: options)
    }

    package func fetch(_ question: LoginQuestion) async throws -> LoginAnswer {
        var request = UpstreamRequest(method: question.body == nil ? "GET" : "POST", url: question.url.text)
        request.verification = question.authority.isEmpty ? .system : .authorityText(question.authority)
        request.headers = [("Accept", SecretText("application/json"))]
        if let body = question.body {
            request.body = body.bytes
            request.headers.append(("Content-Type", SecretText("application/json")))
        }
        if let bearer = question.bearer {
            request.headers.append(("Authorization", SecretText("Bearer \(bearer.revealed)")))
        }
        let transport = question.url.isEncrypted ? away : local
        let answer = try await transport.send(request)
        return LoginAnswer(status: answer.status, body: SecretPayload(answer.body))
    }
}
