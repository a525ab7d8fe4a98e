import Foundation

/// `schema.sql`, a part for each file.
enum Schema {
    private static let parts = String(decoding: PackageResources.schema_sql, as: UTF8.self)
        .components(separatedBy: "\n-- ==== cache.db ====\n")

    static let store = parts[0]
    static let cache = parts[1]
}
