package import AirlockCore
import Crypto
import Dispatch
package import Logging
import Synchronization

/// The audit log: one writer, whose `record` returns when write(2) has taken the line. Lines that come while it writes go
/// together in its next write.
package final class AuditLog: Sendable {
    private struct Line: Sendable {
        let bytes: [UInt8]
        let written: @Sendable (Bool) -> Void
    }

    private struct State {
        var waiting: [Line] = []
        var isRunning = false
    }

    let path: String
    let hash: AuditHash
    private let file: Mutex<AuditFile>
    private let state = Mutex(State())
    private let isFailing = Mutex(false)
    private let queue = DispatchQueue(label: "airlock.audit.writer")
    private let logger: Logger

    /// - Parameter key: of the codes that stand for texts.
    package init(file: AuditFile, key: SecretPayload, logger: Logger) {
        path = file.path
        self.file = Mutex(file)
        self.logger = logger
        let key = SymmetricKey(data: key.bytes)
        hash = AuditHash { text in
            var text = text
            return text.withUTF8 { bytes in
                var code = HMAC<SHA256>(key: key)
                code.update(data: UnsafeRawBufferPointer(bytes))
                return code.finalize().withUnsafeBytes(Hexadecimal.text)
            }
        }
    }

    /// What OpenBao answers when an entry cannot be written; the reason is in Airlock's own log.
    static let refusal = AirlockError(.vaultServerError, "internal error")

    /// - Throws: `refusal` when the line could not be written.
    func record(_ bytes: [UInt8]) async throws {
        let isWritten = await withCheckedContinuation { continuation in
            enqueue(Line(bytes: bytes) { continuation.resume(returning: $0) })
        }
        guard isWritten else { throw AuditLog.refusal }
    }

    /// Opens the file anew: its log was rotated.
    package func reopen() {
        queue.async {
            do {
                try self.file.withLock { try $0.reopen() }
                self.logger.notice("the audit log \(self.path) is opened anew")
            } catch {
                let reason = (error as? AirlockError)?.message ?? "the audit log cannot be opened anew"
                self.logger.error("\(reason)", metadata: ["hint": "the file opened before stays in use"])
            }
        }
    }

    private func enqueue(_ line: Line) {
        let mustStart = state.withLock { state in
            state.waiting.append(line)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { queue.async { self.drain() } }
    }

    private func drain() {
        while true {
            let lines = state.withLock { state in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isRunning = false }
                return state.waiting
            }
            guard !lines.isEmpty else { return }
            let bytes = lines.count == 1 ? lines[0].bytes : Array(lines.map(\.bytes).joined())
            let (count, failure) = file.withLock { $0.append(bytes) }
            report(failure)
            var end = 0
            for line in lines {
                end += line.bytes.count
                line.written(end <= count)
            }
        }
    }

    /// Says once that writing fails, and once that it works again.
    private func report(_ failure: String?) {
        let wasFailing = isFailing.withLock { isFailing in
            defer { isFailing = failure != nil }
            return isFailing
        }
        if let failure, !wasFailing {
            logger.error(
                "the audit log \(path) cannot be written: \(failure)",
                metadata: ["hint": "requests are refused until it can be: make room on its disk; no restart is needed"])
        }
        if failure == nil, wasFailing { logger.notice("the audit log \(path) is written again") }
    }
}
