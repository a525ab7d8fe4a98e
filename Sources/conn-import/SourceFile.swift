import AirlockCore
import Foundation

/// The files that can be imported, told apart by their names.
enum SourceFile {
    enum Kind: String, CaseIterable {
        case env, json, yaml
    }

    struct Unreadable: Error {
        let name: String
        let reason: String
    }

    /// A larger one is no file of connections, and reading it would take the machine's memory.
    private static let sizeLimit = 512 << 20

    /// `prod.env`, `.env`, and its usual companions such as `.env.local` and `prod.env.local`; `x.json`, `x.yaml`, `x.yml`.
    static func kind(of name: String) throws -> Kind {
        if name == "-" { return .env }
        if let kind = kind(byEnding: name) { return kind }
        let parts = parts(name)
        let others = ["toml", "ini", "csv", "db", "sqlite", "zip", "gz", "gpg", "age", "enc"]
        if parts.contains("env"), let last = parts.last, !others.contains(String(last)) { return .env }
        throw ConnImport.UsageError(
            message: "the format of a file is told by its name, and this name is none of the known "
                + "(.env, .json, .yaml, .yml): \(name); give --format")
    }

    private static func kind(byEnding name: String) -> Kind? {
        switch parts(name).last {
        case "env": .env
        case "json": .json
        case "yaml", "yml": .yaml
        default: nil
        }
    }

    private static func parts(_ name: String) -> [Substring] {
        URL(filePath: name).lastPathComponent.lowercased().split(separator: ".")
    }

    static func read(_ name: String, as kind: Kind, _ reading: ImportReading) throws -> ImportSource {
        let bytes = try contents(name)
        let name = name == "-" ? "stdin" : name
        switch kind {
        case .env: return ImportSource(EnvFile(parsing: bytes), named: name, reading: reading)
        case .json: return ImportSource(json: bytes, named: name, reading: reading)
        case .yaml: return ImportSource(yaml: bytes, named: name, reading: reading)
        }
    }

    // MARK: Folders

    /// A folder whose name has a file's ending is none: somebody took it for a file.
    static func isFolder(_ name: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) && isFolder.boolValue
            && kind(byEnding: name) == nil
    }

    /// The files of a folder, by name: those whose names end in a known way, and `.env` itself. Folders in it, other hidden
    /// files and backups (`prod.env~`, `prod.env.bak`) are named as skipped, so that nothing is forgotten unseen.
    static func readFolder(_ folder: String, _ reading: ImportReading) throws -> [ImportSource] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw Unreadable(name: folder, reason: "the folder cannot be read; check its permissions")
        }
        var others = ImportSource(named: folder)
        var sources: [ImportSource] = []
        for name in names.sorted() {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            if let kind = kind(byEnding: name), !name.hasPrefix(".") || name == ".env" {
                sources.append(try read(path, as: kind, reading))
            } else {
                others.skip(name, from: ImportOrigin(source: folder))
            }
        }
        guard !sources.isEmpty else {
            throw Unreadable(name: folder, reason: "there is no .env, .json, .yaml or .yml file in this folder")
        }
        return sources + [others]
    }

    // MARK: Bytes

    static func contents(_ name: String) throws -> [UInt8] {
        if name == "-" { return try contents(of: STDIN_FILENO, named: "stdin") }
        let file = open(name, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            switch errno {
            case ENOENT: throw Unreadable(name: name, reason: "there is no such file")
            case ELOOP: throw Unreadable(name: name, reason: "its symbolic links lead in a circle")
            default: throw Unreadable(name: name, reason: "cannot be read; check its permissions")
            }
        }
        defer { close(file) }
        return try contents(of: file, named: name)
    }

    private static func contents(of file: Int32, named name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var status = stat()
        if fstat(file, &status) == 0, status.st_size > 0 { bytes.reserveCapacity(min(Int(status.st_size), sizeLimit)) }
        var part = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Foundation.read(file, &part, part.count)
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Unreadable(
                    name: name,
                    reason: errno == EISDIR
                        ? "this is a folder with the name of a file; rename it, or name the files in it"
                        : "cannot be read; check its permissions")
            }
            bytes += part[..<count]
            guard bytes.count <= sizeLimit else {
                throw Unreadable(name: name, reason: "larger than 512 MiB, which no file of connections is; split it")
            }
        }
    }
}
