import Testing

@testable import AirlockCore

struct ReferenceEnvironmentTests {
    private static func filled(
        _ inherited: [String], files: String = "", values: [Result<SecretPayload, ReferenceFault>] = []
    ) throws -> [String] {
        let file = EnvFile(parsing: files)
        #expect(file.faults.isEmpty)
        let environment = try ReferenceEnvironment(inherited: inherited.map { Array($0.utf8) }, files: file.entries)
        #expect(environment.texts.count == values.count)
        return try environment.filled(values).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    private static func value(_ text: String) -> Result<SecretPayload, ReferenceFault> {
        .success(SecretPayload(Array(text.utf8)))
    }

    @Test func `The file goes before the environment, and of two lines the later`() throws {
        let filled = try ReferenceEnvironmentTests.filled(
            ["A=1", "B={vault://not/read/k}", "C=x=y", "EMPTY="],
            files: "B=2\nD='{vault://s/a/k}'\nD=3\nA={vault://s/b/k}",
            values: [ReferenceEnvironmentTests.value("new\nline")])
        #expect(filled == ["A=new\nline", "B=2", "C=x=y", "EMPTY=", "D=3"])
    }

    @Test func `Settings of Airlock, Vault and OpenBao stay behind, those of the file too`() throws {
        let filled = try ReferenceEnvironmentTests.filled(
            ["AIRLOCK_TOKEN=t", "VAULT_ADDR=a", "BAO_TOKEN={vault://broken}", "VAULTS=kept", "AIRFLOW_HOME=kept"],
            files: "VAULT_TOKEN=t\nMY_VAULT_TOKEN=kept")
        #expect(filled == ["VAULTS=kept", "AIRFLOW_HOME=kept", "MY_VAULT_TOKEN=kept"])
    }

    @Test func `Bytes that are no text pass, unless they hold a reference`() throws {
        let bytes: [UInt8] = Array("A=".utf8) + [0xFF]
        let environment = try ReferenceEnvironment(inherited: [bytes], files: [])
        #expect(try environment.filled([]) == [SecretPayload(bytes)])
        #expect(throws: ReferenceEnvironment.Unresolved.self) {
            try ReferenceEnvironment(inherited: [bytes + Array("{vault://a/b/c}".utf8)], files: [])
        }
    }

    @Test func `Every variable in the way is named, with its reference and without a value`() throws {
        do {
            _ = try ReferenceEnvironmentTests.filled(["A={vault://a}", "B=fine", "C={vault://b?default=hunter2}"])
            Issue.record("it was taken")
        } catch let unresolved as ReferenceEnvironment.Unresolved {
            #expect(unresolved.faults.map(\.variable) == ["A", "C"])
            #expect(!unresolved.faults.map(\.fault.message).joined().contains("hunter2"))
        }
        do {
            let values: [Result<SecretPayload, ReferenceFault>] = [
                ReferenceEnvironmentTests.value("good"), .failure(.absent("there is no such secret")),
                ReferenceEnvironmentTests.value("a\0b"),
            ]
            _ = try ReferenceEnvironmentTests.filled(
                ["A={vault://a/b/c}", "B={vault://a/b/d}", "C={vault://a/b/e}"], values: values)
            Issue.record("it was taken")
        } catch let unresolved as ReferenceEnvironment.Unresolved {
            #expect(unresolved.faults.map(\.variable) == ["B", "C"])
        }
    }
}
