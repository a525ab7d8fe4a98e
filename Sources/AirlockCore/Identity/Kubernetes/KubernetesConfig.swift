import Foundation

/// The cluster that the Kubernetes login of one mount asks, or whose tokens it verifies by itself.
package struct KubernetesConfig: Sendable, Codable, Equatable {
    /// The API server's URL.
    package var host = ""
    /// PEM; empty: the pod's own (`LocalPod`).
    package var authority = ""
    package var reviewer = Reviewer()
    /// With a cluster to ask: a first check before it is asked. Without: what decides.
    package var pemKeys: [String] = []
    package var issuer = ""
    package var disablesIssuerCheck = true
    package var disablesLocalPod = false
    /// `nil`: the cluster reviews each token. Otherwise it is not asked, and these keys decide.
    package var offline: KeySource?

    package init() {}

    /// The token that is sent with a question for a review; printing it shows a placeholder.
    package struct Reviewer: Sendable, Codable, Equatable {
        package let token: SecretText

        package init(_ token: String = "") { self.token = SecretText(token) }

        package init(from decoder: any Decoder) throws {
            self.init(try decoder.singleValueContainer().decode(String.self))
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(token.revealed)
        }
    }

    /// What a token without `disable_iss_validation` must say.
    var expectedIssuer: String {
        if disablesIssuerCheck { return "" }
        return issuer.isEmpty ? "kubernetes/serviceaccount" : issuer
    }

    /// What verifies signatures here; `nil`: nothing, the review does.
    package var keys: KeySource? { offline ?? (pemKeys.isEmpty ? nil : .pem(pemKeys)) }
}

/// What a pod finds about its own cluster
/// (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod).
package enum LocalPod {
    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// - Throws: `AirlockError` where there is none: this is no pod.
    package static func authority() throws -> String {
        guard let pem = contents("ca.crt") else {
            throw AirlockError.badRequest("open \(folder)/ca.crt: no such file or directory")
        }
        return pem
    }

    /// Read anew each time, for the cluster replaces it.
    static func token() -> SecretText? { contents("token").map { SecretText($0) } }

    private static func contents(_ name: String) -> String? {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
