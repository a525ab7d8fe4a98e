import Foundation
import Synchronization

extension Front {
    /// What a mount was when its secrets were read.
    package final class Place: Sendable {
        package let mount: Mount
        /// Counts its hits; `nil` for a mount that has no backend but the embedded store.
        package let hits: Metrics.Count?
        /// When a reading last showed that the mount is still this one.
        let confirmed = Atomic(Place.never)

        /// Before all changes.
        static let never: Moment = 0

        init(_ reading: Reading) {
            mount = reading.mount
            hits = reading.hits
        }
    }

    /// An answer in memory: who asked for it as it was asked for may have it, if the token's policies allow it.
    ///
    /// One piece of memory, because with very many of them each further piece is one more wait for memory at each hit: the
    /// facts, the marks, and the text, which is the target, the path that the policies are asked about, and the answer. Only the
    /// marks change once it is made.
    package struct Kept: @unchecked Sendable {
        private struct Facts {
            let place: Place
            let leaseDuration: Int
            let validity: Validity
            let surface: Surface
            let targetEnd: Int32
            let pathStart: Int32
            let pathEnd: Int32
            let end: Int32
        }

        private enum Mark: Int, CaseIterable {
            /// Nanoseconds since 1970, of the last hit.
            case used
            /// The last reader that was noted, and the second it was.
            case notedReader, notedSecond
        }

        private let memory: ManagedBuffer<Facts, Atomic<Int64>>
        private var facts: Facts { memory.header }

        init(_ reading: Reading, place: Place) {
            let (target, path, data) = (reading.target, reading.policyPath, reading.answer.data.bytes)
            // Most targets end in that very path.
            let shared = target.suffix(path.count) == path[...] ? path.count : 0
            let pathEnd = target.count + path.count - shared
            let facts = Facts(
                place: place, leaseDuration: reading.answer.leaseDuration, validity: reading.answer.validity,
                surface: reading.surface, targetEnd: Int32(target.count), pathStart: Int32(pathEnd - path.count),
                pathEnd: Int32(pathEnd), end: Int32(pathEnd + data.count))
            let marks = Mark.allCases.count
            memory = .create(minimumCapacity: marks + (Int(facts.end) + 7) / 8) { _ in facts }
            memory.withUnsafeMutablePointerToElements { words in
                for mark in 0..<marks { (words + mark).initialize(to: Atomic(0)) }
                let text = UnsafeMutableRawBufferPointer(start: words + marks, count: Int(facts.end))
                text.copyBytes(from: target)
                UnsafeMutableRawBufferPointer(rebasing: text[Int(facts.pathStart)...]).copyBytes(from: path)
                UnsafeMutableRawBufferPointer(rebasing: text[pathEnd...]).copyBytes(from: data)
            }
        }

        package var place: Place { facts.place }
        package var surface: Surface { facts.surface }
        package var leaseDuration: Int { facts.leaseDuration }
        var validity: Validity { facts.validity }

        private func withText<Result>(_ start: Int32, _ end: Int32, _ body: (UnsafeRawBufferPointer) -> Result)
            -> Result
        {
            memory.withUnsafeMutablePointerToElements { words in
                let text = UnsafeRawPointer(words + Mark.allCases.count)
                return body(UnsafeRawBufferPointer(start: text + Int(start), count: Int(end - start)))
            }
        }

        private func withMark<Result>(_ mark: Mark, _ body: (borrowing Atomic<Int64>) -> Result) -> Result {
            memory.withUnsafeMutablePointerToElements { body($0[mark.rawValue]) }
        }

        /// The envelope's `data`, or the whole body, as the surface has it.
        package func withData<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            withText(facts.pathEnd, facts.end, body)
        }

        package var dataCount: Int { Int(facts.end - facts.pathEnd) }

        /// The secret's path below its mount.
        package var path: SecretPath {
            let below = facts.pathStart + Int32(place.mount.readPath.utf8.count)
            return SecretPath(known: withText(below, facts.pathEnd) { String(decoding: $0, as: UTF8.self) })
        }

        var cost: Int { Int(facts.end) + Front.overhead }

        func isFor(_ target: UnsafeRawBufferPointer) -> Bool {
            withText(0, facts.targetEnd) { own in
                guard own.count == target.count, let ownStart = own.baseAddress, let start = target.baseAddress else {
                    return false
                }
                return memcmp(ownStart, start, own.count) == 0
            }
        }

        func isAllowed(by access: AccessControl) -> Bool {
            withText(facts.pathStart, facts.pathEnd) { access.allows(.read, on: $0) }
        }

        var lastHit: Timestamp? {
            let used = withMark(.used) { $0.load(ordering: .relaxed) }
            return used == 0 ? nil : Timestamp(nanoseconds: used)
        }

        func use(at now: Timestamp) { withMark(.used) { $0.store(now.nanoseconds, ordering: .relaxed) } }

        package func isNoted(_ reader: KnownToken, second: Int) -> Bool {
            withMark(.notedReader) { $0.load(ordering: .relaxed) } == Int64(reader.number) && notedSecond == second
        }

        /// In which a reader was noted last.
        package var notedSecond: Int { Int(withMark(.notedSecond) { $0.load(ordering: .relaxed) }) }

        package func note(_ reader: KnownToken, second: Int) {
            withMark(.notedReader) { $0.store(Int64(reader.number), ordering: .relaxed) }
            withMark(.notedSecond) { $0.store(Int64(second), ordering: .relaxed) }
        }
    }

    /// A token, its rights, and what it dies with.
    package final class KnownToken: Sendable {
        package let token: Token
        private let presented: SecretPayload
        private let access: AccessControl
        let line: TokenLine
        /// No other has it.
        let number: Int

        private static let numbers = Atomic(0)

        init(_ reading: Reading) {
            token = reading.token
            presented = reading.presented
            access = reading.access
            line = reading.line
            number = KnownToken.numbers.wrappingAdd(1, ordering: .relaxed).newValue
        }

        /// - Returns: `nil` for a token that is looked at each time.
        init?(_ issued: IssuedToken, access: AccessControl) {
            guard issued.token.mayBeKept, let line = TokenLine(of: issued) else { return nil }
            token = issued.token
            presented = issued.text
            self.access = access
            self.line = line
            number = KnownToken.numbers.wrappingAdd(1, ordering: .relaxed).newValue
        }

        var hash: Int { presented.bytes.withUnsafeBytes(Front.hash) }

        /// In constant time: no answer's time tells how much of a text is right.
        func isPresented(as text: UnsafeRawBufferPointer) -> Bool {
            presented.bytes.withUnsafeBytes { own in
                guard own.count == text.count else { return false }
                var difference: UInt8 = 0
                for index in own.indices { difference |= own[index] ^ text[index] }
                return difference == 0
            }
        }

        func isAlive(at now: Timestamp) -> Bool { line.isAlive(at: now) }

        func mayRead(_ kept: Kept) -> Bool { kept.isAllowed(by: access) }
    }
}
