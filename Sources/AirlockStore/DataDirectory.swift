import AirlockCore
import Foundation

/// The folder that holds the database, mode 0700, held by one process at a time.
package final class DataDirectory: Sendable {
    package let root: String
    private let lock: Int32

    /// Makes the folder when it is not there, and takes its lock for as long as this object lives.
    /// - Throws: `AirlockError` when it cannot be made, is open to others, or another process holds it.
    package init(_ root: String) throws {
        self.root = root
        do {
            try FileManager.default.createDirectory(
                atPath: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw AirlockError(
                .broken, "the data directory \(root) cannot be made", hint: "name another with --data-dir, or make it")
        }
        let names = Set((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
        // A restored backup begins as a lone `store.db`, a fresh volume with the file system's own folder.
        guard names.subtracting(["lost+found"]).isEmpty || !names.isDisjoint(with: ["lock", "store.db"]) else {
            // Closing somebody's `/tmp` to all others would be the worse surprise.
            throw AirlockError(
                .broken, "\(root) is neither empty nor a data directory of Airlock",
                hint: "name a directory of its own with --data-dir")
        }
        guard chmod(root, 0o700) == 0 else {
            throw AirlockError(
                .broken, "the data directory \(root) belongs to somebody else",
                hint: "run Airlock as its owner, or name another with --data-dir")
        }
        let path = "\(root)/lock"
        lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw AirlockError(.broken, "\(path) cannot be opened", hint: "check who may write to the data directory")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw AirlockError(
                .broken, "another airlock is running on \(root)",
                hint: "stop it first, or give this one a data directory of its own with --data-dir")
        }
    }

    deinit { close(lock) }

    package func path(_ name: String) -> String { "\(root)/\(name)" }

    package func hasFile(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Writes a file, mode 0600 from its first byte on. It is there whole and durably, name included, or not at all.
    package func createFile(_ name: String, contents: [UInt8]) throws {
        let draft = path(name + ".new")
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw AirlockError(.broken, "\(draft) cannot be made", hint: "check who may write to the data directory")
        }
        defer { close(file) }
        guard fchmod(file, 0o600) == 0, write(file, contents, contents.count) == contents.count, fsync(file) == 0,
            rename(draft, path(name)) == 0, syncRoot()
        else {
            throw AirlockError(.broken, "\(path(name)) cannot be written", hint: "check that the disk is not full")
        }
    }

    /// Makes the names in the directory durable.
    private func syncRoot() -> Bool {
        let directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return false }
        defer { close(directory) }
        return fsync(directory) == 0
    }

    package func removeFile(_ name: String) { unlink(path(name)) }
}
