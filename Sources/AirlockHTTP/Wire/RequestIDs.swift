import Synchronization

/// Ids in a uuid's notation, each given once: no secret, so they are counted and mixed, where random ones would cost a system
/// call each (https://prng.di.unimi.it/splitmix64.c).
final class RequestIDs: Sendable {
    static let length = 36

    private let count: Atomic<UInt64>
    /// Of this process.
    private let salt = UInt64.random(in: .min ... .max)

    init() { count = Atomic(UInt64.random(in: .min ... .max)) }

    func next() -> [UInt8] {
        let number = count.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        // Version 4, variant 1 (https://www.rfc-editor.org/rfc/rfc9562#section-5.4).
        let high = RequestIDs.mixed(number) & ~0xF000 | 0x4000
        let low = RequestIDs.mixed(number ^ salt) & ~(0b11 << 62) | 0b10 << 62
        var text = [UInt8](repeating: UInt8(ascii: "-"), count: RequestIDs.length)
        var place = 0
        for word in [high, low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                if place == 8 || place == 13 || place == 18 || place == 23 { place += 1 }
                text[place] = RequestIDs.digits[Int(word >> UInt64(shift) & 0xF)]
                place += 1
            }
        }
        return text
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
