import AirlockCore
import Foundation
import Testing

/// What three Airflows did with 121 texts, observed by running them; blanks are stripped and `{` means JSON.
struct ConnectionVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let label: String
        let input: String
        let answers: [Dialect: JSON]

        var testDescription: String { label }
    }

    static let vectors: [Vector] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Fixtures/airflow-connection-vectors.json")
        guard let data = try? Data(contentsOf: file), let json = try? JSON(parsing: data) else { return [] }
        let names: [(Dialect, String)] = [
            (.v2_10, "airflow_2.10.5_orm"), (.server, "airflow_3.3.2_orm"), (.sdk, "airflow_3.3.2_task_sdk_1.3.2"),
        ]
        return (json["vectors"]?.elements ?? []).compactMap { vector in
            guard let label = vector["label"]?.text, let input = vector["input"]?.text else { return nil }
            return Vector(
                label: label, input: input,
                answers: Dictionary(
                    uniqueKeysWithValues: names.compactMap { dialect, name in
                        vector[name].map { (dialect, $0) }
                    }))
        }
    }()

    @Test func `All 121 vectors are there for all three dialects`() {
        #expect(Self.vectors.count == 121)
        #expect(Self.vectors.allSatisfy { $0.answers.count == 3 })
    }

    @Test(arguments: vectors, Dialect.allCases)
    func `Airlock reads and writes what Airflow reads and writes`(vector: Vector, dialect: Dialect) throws {
        let airflow = try #require(vector.answers[dialect])
        let connection = try? ConnectionText.parse(vector.input, dialect: dialect)
        // A number as password is the one answer that a connection of texts cannot hold.
        let isHeld = ["conn_type", "host", "login", "password", "schema", "extra"].allSatisfy { name in
            airflow[name].map { $0.isNull || $0.text != nil } ?? true
        }
        guard airflow["error"] == nil, isHeld else {
            #expect(connection == nil)
            return
        }
        let found = try #require(connection)
        let fields: [(String, JSON)] = [
            ("conn_type", .orNull(found.connType)), ("host", .orNull(found.host)), ("login", .orNull(found.login)),
            ("password", .orNull(found.password)), ("schema", .orNull(found.schema)),
            ("port", found.port.map { .integer($0) } ?? .null), ("extra", .orNull(found.extra)),
        ]
        for (name, value) in fields {
            #expect(airflow[name]?.bytes == value.bytes, "\(name)")
        }
        let uri = try ConnectionURI.build(found, dialect: dialect)
        let expected = try #require(airflow["get_uri"]?.text)
        if expected.hasPrefix("!") {
            // Airflow refuses the URI that it wrote itself.
            #expect(throws: ConnectionError.self) { try ConnectionURI.parse(uri, dialect: dialect) }
        } else {
            #expect(uri == expected)
        }
    }
}
