import AirlockCore
import Foundation
import Synchronization

/// A plan's file and its journal's: for their owner alone, and never in the place of another.
enum PlanFile {
    struct Fault: Error { let message: String }

    static func write(_ document: PlanDocument, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw Fault(
                message: errno == EEXIST
                    ? "\(path) is there already; a plan is kept for its undo, so name another file"
                    : "\(path) cannot be made; check its folder")
        }
        defer { close(file) }
        do {
            var buffer: [UInt8] = []
            try document.write { piece in
                buffer += piece
                guard buffer.count > 1 << 16 else { return }
                try put(buffer, into: file)
                buffer = []
            }
            try put(buffer, into: file)
            guard fsync(file) == 0 else { throw Fault(message: "") }
        } catch {
            unlink(path)
            throw Fault(message: "\(path) cannot be written; see the disk")
        }
    }

    static func read(_ path: String) throws -> PlanDocument {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        guard file >= 0, let bytes = contents(of: file) else {
            throw Fault(message: "\(path) cannot be read; is it there, and yours?")
        }
        do throws(PlanDocument.Fault) {
            return try PlanDocument(parsing: bytes)
        } catch {
            throw Fault(message: "\(path):\(error.line): \(error.reason)")
        }
    }

    /// In one piece of memory: a plan of a hundred thousand has 40 MB.
    fileprivate static func contents(of file: Int32) -> [UInt8]? {
        let size = lseek(file, 0, SEEK_END)
        guard size >= 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            while count < buffer.count {
                let read = pread(file, buffer.baseAddress! + count, buffer.count - count, off_t(count))
                guard read > 0 else { break }
                count += read
            }
        }
    }

    fileprivate static func put(_ bytes: [UInt8], into file: Int32) throws {
        guard PrivateFile.writeAll(bytes, to: file) else { throw Fault(message: "cannot be written; see the disk") }
    }
}

/// The journal beside a plan. One run has it at a time.
final class JournalFile: Sendable {
    /// What was in it.
    let journal: ImportJournal
    private let file: Mutex<Int32>

    /// Opens the journal, or makes it.
    init(of document: PlanDocument, at planPath: String) throws {
        let path = planPath + ".journal"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw PlanFile.Fault(message: "\(path) cannot be opened; check its folder") }
        do {
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                throw PlanFile.Fault(message: "this plan is being carried out by another run of conn-import")
            }
            guard let bytes = PlanFile.contents(of: file) else {
                throw PlanFile.Fault(message: "\(path) cannot be read")
            }
            journal = try ImportJournal(parsing: bytes, plan: document.header.id, count: document.items.count)
            guard ftruncate(file, off_t(journal.length)) == 0, lseek(file, 0, SEEK_END) >= 0 else {
                throw PlanFile.Fault(message: "\(path) cannot be written")
            }
            if journal.length == 0 {
                try PlanFile.put(ImportJournal.firstLine(plan: document.header.id), into: file)
                guard fsync(file) == 0 else { throw PlanFile.Fault(message: "\(path) cannot be written") }
            }
        } catch let fault as ImportJournal.Fault {
            close(file)
            throw PlanFile.Fault(message: "\(path): \(fault.reason)")
        } catch {
            close(file)
            throw error
        }
        self.file = Mutex(file)
    }

    deinit { file.withLock { _ = close($0) } }

    /// On the disk when it returns.
    func append(_ receipts: [(item: Int, receipt: ImportReceipt)]) throws {
        guard !receipts.isEmpty else { return }
        let lines = receipts.flatMap { ImportJournal.line($0.item, $0.receipt) }
        try file.withLock { file in
            try PlanFile.put(lines, into: file)
            guard fdatasync(file) == 0 else { throw PlanFile.Fault(message: "the journal cannot be written") }
        }
    }
}
