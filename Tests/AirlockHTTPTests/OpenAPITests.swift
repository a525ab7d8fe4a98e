import AirlockCore
import Foundation
import HTTPTypes
import Testing

@testable import AirlockHTTP

/// The description of the typed surface against its table.
struct OpenAPITests {
    @Test func `The description has every path, method and query parameter of the table, and no other`() throws {
        let text = String(decoding: PackageResources.openapi_json, as: UTF8.self)
        let description = try #require(JSON(parsing: text).members).first { $0.name == "paths" }
        let components = try JSON(parsing: text)["components"]?["parameters"]
        var described: Set<String> = []
        for path in try #require(description?.value.members) where path.name.hasPrefix(TypedSurface.root) {
            let name = path.name.replacing(/\{[a-z_]+\}/, with: "{id}").dropFirst(TypedSurface.root.count + 1)
            for method in try #require(path.value.members) {
                let parameters = (method.value["parameters"]?.elements ?? []).map { parameter in
                    parameter["$ref"]?.text.flatMap { components?[String($0.split(separator: "/").last ?? "")] }
                        ?? parameter
                }
                let query = parameters.filter { $0["in"]?.text == "query" }.compactMap { $0["name"]?.text }.sorted()
                described.insert("\(method.name.uppercased()) \(name) \(query)")
            }
        }
        var served: Set<String> = []
        for line in TypedSurface.table {
            for method in line.methods.keys {
                served.insert("\(method.rawValue) \(line.pattern) \(line.query(method).sorted())")
            }
        }
        #expect(described.symmetricDifference(served) == [])
    }

    @Test func `The description has both paths of the token login`() throws {
        let paths = try JSON(parsing: PackageResources.openapi_json)["paths"]
        for path in TokenLogin.paths { #expect(paths?[path]?["post"] != nil, "\(path)") }
    }
}
