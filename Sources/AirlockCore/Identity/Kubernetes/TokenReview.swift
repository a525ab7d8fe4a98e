/// The question whether a service account's token is good, to its cluster
/// (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1).
struct TokenReview: Sendable {
    let token: SecretText
    /// One of which the token must be meant for; empty: the API server's own.
    let audiences: [String]

    /// - Parameter mayUsePod: whether Airlock's own token in its pod may go along where no reviewer's is set. Who may configure
    ///   a login in a namespace chooses where the question goes, and must not get that token.
    func question(_ config: KubernetesConfig, mayUsePod: Bool) throws(JWTFault) -> LoginQuestion {
        let host = config.host.hasSuffix("/") ? String(config.host.dropLast()) : config.host
        var question: LoginQuestion
        do throws(ServerAddress.Fault) {
            question = LoginQuestion(try LoginURL(host + "/apis/authentication.k8s.io/v1/tokenreviews"))
        } catch {
            throw JWTFault(error.reason)
        }
        do {
            question.authority = config.authority.isEmpty ? try LocalPod.authority() : config.authority
        } catch {
            throw JWTFault("the cluster's certificate authority is neither set nor in this pod")
        }
        let reviewer = config.reviewer.token.revealed.isEmpty ? nil : config.reviewer.token
        question.bearer = reviewer ?? (mayUsePod && !config.disablesLocalPod ? LocalPod.token() : nil) ?? token
        var spec: [JSON.Member] = [.init("token", .string(token.revealed))]
        if !audiences.isEmpty { spec.append(.init("audiences", .strings(audiences))) }
        let body: JSON = [
            "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": .object([]),
            "spec": .object(spec), "status": ["user": .object([])],
        ]
        question.body = SecretPayload(body.bytes)
        return question
    }

    /// Whose token it is by the cluster's word.
    /// - Throws: why that is nobody; nothing of the answer is in it.
    func account(_ answer: LoginAnswer) throws(JWTFault) -> ServiceAccount {
        guard (200...206).contains(answer.status) else {
            throw JWTFault("the token review was answered with status \(answer.status)")
        }
        guard let status = (try? JSON(parsing: answer.body.bytes))?["status"], status.members != nil else {
            throw JWTFault("the answer is not a token review")
        }
        guard status["error"]?.text ?? "" == "", case .bool(true)? = status["authenticated"] else {
            throw JWTFault("the cluster does not accept the token")
        }
        let meant = Set((status["audiences"]?.elements ?? []).compactMap { $0.text.map { ExactText($0) } })
        guard audiences.isEmpty || audiences.contains(where: { meant.contains(ExactText($0)) }) else {
            throw JWTFault("the token is good, but for other audiences")
        }
        let name = (status["user"]?["username"]?.text ?? "").split(separator: ":", omittingEmptySubsequences: false)
        guard name.count == 4, name[0] == "system", name[1] == "serviceaccount" else {
            throw JWTFault("the token is not a service account's")
        }
        return ServiceAccount(
            name: String(name[3]), namespace: String(name[2]), uid: status["user"]?["uid"]?.text ?? "")
    }
}
