import AirlockCore
import Foundation

/// Where the audit log goes: a file that is only ever appended to, or standard output.
package struct AuditFile: Sendable {
    /// `stdout`, or the path of a file.
    package let path: String
    private var descriptor: Int32
    /// A line was cut short: what comes next begins a line of its own.
    private var isTorn = false

    package static let standardOutput = "stdout"

    /// - Throws: `AirlockError` for a file that cannot be opened.
    package init(path: String) throws {
        self.path = path
        descriptor = try AuditFile.open(path)
    }

    /// Closes the file and opens whatever has its path now. When that fails the one open so far stays in use.
    mutating func reopen() throws {
        guard path != AuditFile.standardOutput else { return }
        let fresh = try AuditFile.open(path)
        close(descriptor)
        descriptor = fresh
        isTorn = false
    }

    private static func open(_ path: String) throws -> Int32 {
        guard path != standardOutput else { return STDOUT_FILENO }
        // A pipe that nobody reads is an error, not a wait without end.
        let descriptor = Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else {
            throw AirlockError(
                .broken, "the audit log \(path) cannot be opened: \(String(cString: strerror(errno)))",
                hint: "make its directory and let Airlock's user write there, or name another file in the setting audit"
            )
        }
        return descriptor
    }

    /// Writes until all is written or the system refuses.
    /// - Returns: how many of the bytes were written, and the reason when it is not all of them.
    mutating func append(_ bytes: [UInt8]) -> (count: Int, failure: String?) {
        if isTorn {
            var feed: UInt8 = 0x0A
            guard write(descriptor, &feed, 1) == 1 else { return (0, String(cString: strerror(errno))) }
            isTorn = false
        }
        return bytes.withUnsafeBytes { buffer in
            var count = 0
            while count < buffer.count {
                let written = write(descriptor, buffer.baseAddress! + count, buffer.count - count)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else {
                    let reason = String(cString: strerror(errno))
                    isTorn = count > 0 && buffer[count - 1] != 0x0A
                    return (count, reason)
                }
                count += written
            }
            return (count, nil)
        }
    }
}
