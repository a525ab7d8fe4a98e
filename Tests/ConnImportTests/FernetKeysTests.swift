import Foundation
import Testing

@testable import conn_import

struct FernetKeysTests {
    private static let variable = "AIRFLOW__CORE__FERNET_KEY"
    private static let (first, second) = (
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    )

    private func keys(_ text: String?, files: [String] = [], _ more: [String: String] = [:]) throws -> FernetKeys {
        var environment = more
        environment[Self.variable] = text
        return try FernetKeys(files: files, environment: environment)
    }

    private func file(_ text: String) throws -> String {
        let name = FileManager.default.temporaryDirectory.appending(path: "fernet-keys-\(UUID().uuidString)").path
        try text.write(toFile: name, atomically: false, encoding: .utf8)
        return name
    }

    @Test(arguments: [
        ("\(first),\(second)", 2), ("\(first)\n\(second)\n", 2), ("  \(first) , \(second)\r\n", 2), (first, 1), ("", 0),
    ])
    func `Keys stand between commas, as Airflow has them, or on lines`(_ text: String, _ count: Int) throws {
        #expect(try keys(text).count == count)
        guard count > 0 else { return }
        let name = try file(text)
        defer { try? FileManager.default.removeItem(atPath: name) }
        #expect(try keys(nil, files: [name]).count == count)
        #expect(try keys(Self.second, files: [name, name]).count == 2 * count + 1)
    }

    @Test func `No key at all is an Airflow that does not encrypt`() throws {
        #expect(try keys(nil).count == 0)
        #expect(try keys("").count == 0)
    }

    @Test func `A malformed key is wrong usage, by its place and without its text`() throws {
        let error = #expect(throws: ConnImport.UsageError.self) { try keys("\(Self.first),canary-key") }
        #expect(
            error?.message
                == "key 2 in AIRFLOW__CORE__FERNET_KEY is no Fernet key, which is 32 bytes in URL-safe base64")
    }

    @Test func `A file without a key is wrong usage`() throws {
        let name = try file("\n")
        defer { try? FileManager.default.removeItem(atPath: name) }
        #expect(throws: ConnImport.UsageError.self) { try keys(nil, files: [name]) }
    }

    @Test(arguments: ["_CMD", "_SECRET"])
    func `A setting that names a command or a secret is not carried out, and said to be missing`(_ end: String) throws {
        let indirect = [Self.variable + end: "cat key"]
        let error = #expect(throws: ConnImport.UsageError.self) { try keys(nil, indirect) }
        #expect(error?.message.hasPrefix("AIRFLOW__CORE__FERNET_KEY\(end) is not carried out here") == true)
        #expect(try keys(Self.first, indirect).count == 1, "Airflow too takes the key itself before the command")
    }
}
