import AirlockCore
import Testing

@testable import AirlockStore

/// What lies inside a seal, taken apart again.
struct CacheEntryBytesTests {
    private static let entries: [CacheEntry] = {
        let moments = [0, 1, -1, Int64.max, .min].map(Timestamp.init(nanoseconds:))
        let payloads: [SecretPayload?] = [
            nil, SecretPayload([]), SecretPayload([0, 255, 1]), SecretPayload(Array(0..<200)),
        ]
        var entries = moments.map { CacheEntry(secret: nil, fetched: $0) }
        for data in payloads {
            for metadata in payloads {
                for (version, created) in [(nil, nil), (0, moments[3]), (Int.max, nil), (nil, moments[4])] {
                    let secret = Secret(
                        data: data, metadata: metadata, version: version, created: created, leaseDuration: .max)
                    entries.append(CacheEntry(secret: secret, fetched: moments[1]))
                }
            }
        }
        return entries + entries.map { CacheEntry(secret: $0.secret, fetched: $0.fetched, expired: true) }
    }()

    @Test func `Every entry comes back as it was`() {
        for entry in CacheEntryBytesTests.entries { #expect(CacheEntry(encoded: entry.encoded) == entry) }
        #expect(Set(CacheEntryBytesTests.entries.map(\.encoded)).count == CacheEntryBytesTests.entries.count)
    }

    @Test func `Every cut and every addition is refused`() {
        for entry in CacheEntryBytesTests.entries {
            let bytes = entry.encoded
            for count in bytes.indices { #expect(CacheEntry(encoded: Array(bytes[..<count])) == nil) }
            #expect(CacheEntry(encoded: bytes + [0]) == nil)
        }
    }

    /// What does decode is what some entry is encoded to: nothing has two forms.
    @Test func `Changed and random bytes are refused or are another entry, and never a trap`() {
        var generator = SystemRandomNumberGenerator()
        var accepted = 0
        for entry in CacheEntryBytesTests.entries {
            for _ in 0..<300 {
                var bytes = entry.encoded
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    // Mostly near the front, where the lengths are.
                    let place = Int.random(
                        in: 0..<min(bytes.count, Bool.random() ? 48 : bytes.count), using: &generator)
                    bytes[place] =
                        Bool.random()
                        ? .random(in: 0...255, using: &generator) : [0, 1, 127, 128, 255].randomElement()!
                }
                guard let decoded = CacheEntry(encoded: bytes) else { continue }
                accepted += 1
                #expect(decoded.encoded == bytes)
            }
        }
        #expect(accepted > 1_000)
    }

    @Test func `Lengths beyond the end, negative ones and other formats are refused`() {
        let front: [UInt8] = [1, 6] + [UInt8](repeating: 0, count: 16)
        #expect(CacheEntry(encoded: front + [0, 0, 0, 0, 0, 0, 0, 1, 7])?.secret?.data == SecretPayload([7]))
        for length: [UInt8] in [
            [0, 0, 0, 0, 0, 0, 0, 2], [255, 255, 255, 255, 255, 255, 255, 255],
            [127, 255, 255, 255, 255, 255, 255, 255], [128, 0, 0, 0, 0, 0, 0, 1],
        ] {
            #expect(CacheEntry(encoded: front + length + [7]) == nil)
        }
        for format: UInt8 in [0, 2, 255] {
            #expect(CacheEntry(encoded: [format, 0] + [UInt8](repeating: 0, count: 8)) == nil)
        }
        // A negative answer with data, and flags that do not exist.
        for flags: UInt8 in [4, 16, 64, 128] { #expect(CacheEntry(encoded: [1, flags] + front.dropFirst(2)) == nil) }
    }
}
