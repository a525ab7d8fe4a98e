import Foundation
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct VaultLoginTests {
    struct Transcript: CustomTestStringConvertible {
        let kwargs: String
        let request: String
        let body: String
        var testDescription: String { request }
    }

    private static let user = #""username": "al ice", "password": "p""#

    @Test(arguments: [
        Transcript(
            kwargs: #""auth_type": "approle", "role_id": "r""#, request: "POST auth/approle/login",
            body: #"{"role_id":"r"}"#),
        Transcript(
            kwargs: #""auth_type": "approle", "role_id": "r", "secret_id": "s", "auth_mount_point": "team/ap""#,
            request: "POST auth/team/ap/login", body: #"{"role_id":"r","secret_id":"s"}"#),
        Transcript(
            kwargs: #""auth_type": "userpass", \#(user)"#, request: "POST auth/userpass/login/al%20ice",
            body: #"{"password":"p"}"#),
        Transcript(
            kwargs: #""auth_type": "ldap", \#(user)"#, request: "POST auth/ldap/login/al%20ice",
            body: #"{"password":"p"}"#),
        Transcript(
            kwargs: #""auth_type": "radius", "radius_host": "h", "radius_secret": "x", \#(user)"#,
            request: "POST auth/radius/login/al%20ice", body: #"{"password":"p"}"#),
        Transcript(
            kwargs: #""auth_type": "github", "token": "g""#, request: "POST auth/github/login",
            body: #"{"token":"g"}"#),
        Transcript(
            kwargs: #""auth_type": "jwt", "jwt_role": "r", "jwt_token": "j""#, request: "POST auth/jwt/login",
            body: #"{"role":"r","jwt":"j"}"#),
        Transcript(
            kwargs: #""auth_type": "cert", "cert": "/c.pem""#, request: "POST auth/cert/login", body: "{}"),
        Transcript(
            kwargs: #""auth_type": "cert", "cert": "/c.pem", "cert_role": "web""#, request: "POST auth/cert/login",
            body: #"{"name":"web"}"#),
    ])
    func `Each login is one request`(transcript: Transcript) async throws {
        let vault = FakeVault()
        _ = try await TestUpstream(vault, transcript.kwargs).read("a")
        #expect(vault.seen == [transcript.request, "GET airflow/data/a"])
        #expect(vault.tokens == [nil, "login-1"])
        let request = try #require(vault.change { $0.requests.first })
        #expect(request.body.map { String(decoding: $0, as: UTF8.self) } == transcript.body)
        #expect(request.headers.map(\.name) == ["X-Vault-Request", "Content-Type"])
    }

    @Test(arguments: [
        (
            #""auth_type": "jwt", "jwt_role": "r", "jwt_token_path""#, "POST auth/jwt/login",
            #"{"role":"r","jwt":"FILE"}"#
        ),
        (
            #""auth_type": "kubernetes", "kubernetes_role": "r", "kubernetes_jwt_path""#, "POST auth/kubernetes/login",
            #"{"role":"r","jwt":"FILE"}"#
        ),
        (#""auth_type": "github", "token_path""#, "POST auth/github/login", #"{"token":"FILE"}"#),
        (
            #""auth_type": "approle", "role_id": "r", "secret_id_path""#, "POST auth/approle/login",
            #"{"role_id":"r","secret_id":"FILE"}"#
        ),
    ])
    func `A credential in a file is read again at each login`(kwargs: String, line: String, body: String) async throws {
        let path = NSTemporaryDirectory() + "airlock-login-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let vault = FakeVault()
        let upstream = try TestUpstream(vault, #"\#(kwargs): "\#(path)""#)
        for text in ["one", "two"] {
            try "\(text)\n".write(toFile: path, atomically: true, encoding: .utf8)
            vault.change { $0.good = [] }
            _ = try await upstream.read("a")
            let sent = vault.change { $0.requests.last { $0.url.hasSuffix("/login") } }
            #expect(sent?.body.map { String(decoding: $0, as: UTF8.self) } == body.replacing("FILE", with: text))
        }
        #expect(vault.count(line) == 2)
    }

    @Test(arguments: [("", "cannot be read"), (" \n", "is empty")])
    func `A credential file that holds none is named by its key`(text: String, reason: String) async throws {
        let path = NSTemporaryDirectory() + "airlock-login-\(UUID().uuidString)"
        if !text.isEmpty { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = try await TestUpstream(FakeVault(), #""token_path": "\#(path)""#).failure("a")
        #expect(error.kind == .unauthenticated)
        #expect(error.message.contains("token_path"))
        #expect(error.message.contains(reason))
    }

    @Test func `The namespace goes with every request of a login and a read`() async throws {
        let vault = FakeVault()
        _ = try await TestUpstream(vault, TestUpstream.approle + #", "namespace": "team""#).read("a")
        let namespaces = vault.change {
            $0.requests.map { $0.headers.first { $0.name == "X-Vault-Namespace" }?.value.revealed }
        }
        #expect(namespaces == ["team", "team"])
    }

    @Test(arguments: ["aws_iam", "azure", "gcp"])
    func `Logins that are not there yet are refused with a way out`(type: String) throws {
        let kwargs = try BackendKwargs(
            parsing: """
                {"auth_type": "\(type)", "token": "t", "username": "u", "password": "p", "role_id": "r",
                 "gcp_scopes": "s", "azure_resource": "r", "azure_tenant_id": "t"}
                """)
        let fault = try #require(throws: BackendKwargs.Fault.self) {
            try VaultLogin(kwargs, environmentToken: SecretText("t"))
        }
        #expect(fault.reason.contains("\(type) is not supported yet"))
        #expect(fault.reason.contains("approle"))
    }

    @Test func `A token in the environment is used by auth_type token alone`() throws {
        let environmentToken = SecretText("from-environment")
        let token = try VaultLogin(BackendKwargs(), environmentToken: environmentToken)
        #expect(token == VaultLogin(.token(.given(environmentToken))))
        #expect(throws: BackendKwargs.Fault.self) {
            try VaultLogin(try BackendKwargs(parsing: #"{"auth_type": "github"}"#), environmentToken: environmentToken)
        }
    }

    @Test func `A login cannot be printed`() throws {
        let login = VaultLogin(.approle(roleID: "r", secretID: .given(SecretText("canary-0b77")), isWrapped: false))
        var dumped = ""
        dump(login, to: &dumped)
        dump(try login.step(), to: &dumped)
        #expect(!dumped.contains("canary-0b77"))
    }
}
