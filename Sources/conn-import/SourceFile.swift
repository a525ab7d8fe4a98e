import AirlockCore
import Foundation

/// The files that can be imported, told apart by their names.
enum SourceFile {
    enum Kind: String, CaseIterable {
        case env = ".env"
    }

    struct Unreadable: Error {
        let name: String
        let reason: String
    }

    /// `prod.env`, `.env`, and its usual companions such as `.env.local` and `prod.env.local`.
    static func kind(of name: String) throws -> Kind {
        if name == "-" { return .env }
        let parts = URL(filePath: name).lastPathComponent.lowercased().split(separator: ".")
        let others = ["json", "yaml", "yml", "toml", "ini", "csv", "db", "sqlite", "zip", "gz", "gpg", "age", "enc"]
        if parts.last == "env" { return .env }
        if parts.contains("env"), let last = parts.last, !others.contains(String(last)) { return .env }
        let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
        throw ConnImport.UsageError(
            message: "the format of a file is told by its name, and this name is none of the known (\(known)): \(name)")
    }

    static func read(_ name: String, as kind: Kind) throws -> ImportSource {
        let bytes = try contents(name)
        switch kind {
        case .env: return ImportSource(EnvFile(parsing: bytes), named: name == "-" ? "stdin" : name)
        }
    }

    static func contents(_ name: String) throws -> [UInt8] {
        do {
            if name == "-" { return Array(try FileHandle.standardInput.readToEnd() ?? Data()) }
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) else {
                throw Unreadable(name: name, reason: "there is no such file")
            }
            guard !isFolder.boolValue else { throw Unreadable(name: name, reason: "this is a folder; name its files") }
            return Array(try Data(contentsOf: URL(filePath: name)))
        } catch let error as Unreadable {
            throw error
        } catch {
            throw Unreadable(name: name == "-" ? "stdin" : name, reason: "cannot be read; check its permissions")
        }
    }
}
