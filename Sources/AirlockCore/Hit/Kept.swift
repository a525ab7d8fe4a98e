import Synchronization

extension Front {
    /// What a mount was when its secrets were read.
    package final class Place: Sendable {
        package let mount: Mount
        /// Counts its hits; `nil` for a mount that has no backend but the embedded store.
        package let hits: Metrics.Count?
        /// When a reading last showed that the mount is still this one.
        let confirmed = Atomic<Moment>(0)

        init(_ reading: Reading) {
            mount = reading.mount
            hits = reading.hits
        }
    }

    /// An answer in memory: who asked for it as it was asked for may have it, if the token's policies allow it.
    package final class Kept: Sendable {
        package let place: Place
        package let surface: Surface
        package let leaseDuration: Int
        let validity: Validity
        /// The target, the path that the policies are asked about, and the answer, in one piece of memory.
        private let bytes: [UInt8]
        private let targetEnd: Int32
        private let pathEnd: Int32
        /// Nanoseconds since 1970, of the last hit.
        private let used = Atomic(Int64.min)
        /// The last reader that was noted, and the second it was.
        private let notedReader = Atomic(0)
        private let notedSecond = Atomic(0)

        init(_ reading: Reading, place: Place) {
            self.place = place
            let answer = reading.answer
            surface = reading.surface
            (leaseDuration, validity) = (answer.leaseDuration, answer.validity)
            let (target, path) = (reading.target, reading.policyPath)
            bytes = target + path + answer.data.bytes
            (targetEnd, pathEnd) = (Int32(target.count), Int32(target.count + path.count))
        }

        /// The envelope's `data`, or the whole body, as the surface has it.
        package func withData<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
            try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[Int(pathEnd)...])) }
        }

        package var dataCount: Int { bytes.count - Int(pathEnd) }

        /// The secret's path below its mount.
        package var path: SecretPath {
            let below = bytes[Int(targetEnd)..<Int(pathEnd)].dropFirst(place.mount.readPath.utf8.count)
            return SecretPath(known: String(decoding: below, as: UTF8.self))
        }

        var cost: Int { bytes.count + Front.overhead }

        func isFor(_ target: UnsafeRawBufferPointer) -> Bool {
            bytes.withUnsafeBytes { $0.prefix(Int(targetEnd)).elementsEqual(target) }
        }

        func isAllowed(by access: AccessControl) -> Bool {
            access.allows(.read, on: bytes[Int(targetEnd)..<Int(pathEnd)])
        }

        var lastHit: Timestamp { Timestamp(nanoseconds: used.load(ordering: .relaxed)) }

        func use(at now: Timestamp) { used.store(now.nanoseconds, ordering: .relaxed) }

        /// Whether this is a reader's first hit in this second: the others say nothing new.
        package func isFirst(by reader: KnownToken, at now: Timestamp) -> Bool {
            let isAnother = notedReader.exchange(reader.number, ordering: .relaxed) != reader.number
            return notedSecond.exchange(now.seconds, ordering: .relaxed) != now.seconds || isAnother
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
