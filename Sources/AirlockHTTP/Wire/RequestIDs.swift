import Synchronization

/// Ids in a uuid's notation, each given once: no secret, so they are counted and mixed, where random ones would cost a system
/// call each (https://prng.di.unimi.it/splitmix64.c).
final class RequestIDs: Sendable {
    static let length = 36

    private let count: Atomic<UInt64>
    /// Of this process.
    private let salt = UInt64.random(in: .min ... .max)

    init() { count = Atomic(UInt64.random(in: .min ... .max)) }

    /// - Parameter text: of `length` bytes.
    func next(into text: UnsafeMutableRawBufferPointer) {
        let number = count.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        // Version 4, variant 1 (https://www.rfc-editor.org/rfc/rfc9562#section-5.4).
        let high = RequestIDs.mixed(number) & ~0xF000 | 0x4000
        let low = RequestIDs.mixed(number ^ salt) & ~(0b11 << 62) | 0b10 << 62
        var place = 0
        for half in 0..<2 {
            let word = half == 0 ? high : low
            for shift in stride(from: 60, through: 0, by: -4) {
                if place == 8 || place == 13 || place == 18 || place == 23 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                text[place] = RequestIDs.digit(word >> UInt64(shift) & 0xF)
                place += 1
            }
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: value) + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
    }

    private static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
