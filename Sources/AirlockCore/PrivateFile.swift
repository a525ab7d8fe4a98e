import Foundation

/// Files with secrets in them: mode 0600 from the first byte on, and there whole or not at all.
package enum PrivateFile {
    package struct Unwritable: Error {
        package let name: String
        package let reason: String
    }

    /// - Parameter name: `-` is standard output.
    /// - Throws: `Unwritable`; an older file of that name is then as it was.
    package static func write(_ bytes: [UInt8], to name: String) throws {
        func failed(_ doing: String) -> Unwritable {
            Unwritable(name: name, reason: "\(doing): \(String(cString: strerror(errno)))")
        }
        if name == "-" {
            guard writeAll(bytes, to: STDOUT_FILENO) else { throw failed("cannot be written") }
            return
        }
        let draft = "\(name).\(UInt64.random(in: .min ... .max)).new"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failed("cannot be made") }
        defer { close(file) }
        guard writeAll(bytes, to: file), fsync(file) == 0, rename(draft, name) == 0 else {
            let error = failed("cannot be written")
            unlink(draft)
            throw error
        }
    }

    package static func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
