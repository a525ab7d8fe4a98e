import Foundation

/// An address block such as `10.0.0.0/8` or `fd00::/8`; an address alone is a block of one.
package struct CIDR: Sendable, Hashable, Codable {
    /// As it was given: what a secret id and its role show.
    package let given: String
    /// As a token's settings show it: without the suffix when it is one address (VAULT-PROTOCOL 8.1).
    package var text: String { bits == bytes.count * 8 ? String(given.prefix { $0 != "/" }) : given }
    private let bytes: [UInt8]
    private let bits: Int

    /// `nil` when the text is no block.
    package init?(_ text: String) {
        // A NUL would hide what follows it from `inet_pton`.
        guard !text.utf8.contains(0) else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = CIDR.bytes(String(parts[0])) else { return nil }
        var bits = bytes.count * 8
        if parts.count == 2 {
            // Digits only: `Int` takes signs too, and `/-0` would be the whole Internet.
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let given = Int(parts[1]),
                (0...bits).contains(given)
            else { return nil }
            bits = given
        }
        self.bytes = bytes
        self.bits = bits
        given = text
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let block = CIDR(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a CIDR"))
        }
        self = block
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(given)
    }

    /// Whether all of the other block lies in this one.
    package func contains(_ other: CIDR) -> Bool {
        other.bytes.count == bytes.count && other.bits >= bits && contains(other.bytes)
    }

    /// The first bytes of an IPv4 address mapped into IPv6.
    private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// Whether the address, in text form, lies in the block. An IPv4 address mapped into IPv6 counts as IPv4.
    package func contains(_ address: String) -> Bool {
        guard var other = CIDR.bytes(address) else { return false }
        if other.count == 16, bytes.count == 4, other.starts(with: CIDR.mapped) { other = Array(other[12...]) }
        return contains(other)
    }

    private func contains(_ other: [UInt8]) -> Bool {
        guard other.count == bytes.count else { return false }
        for index in bytes.indices {
            let wanted = min(8, max(0, bits - index * 8))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> wanted)
            guard bytes[index] & mask == other[index] & mask else { return false }
        }
        return true
    }

    /// What an address counts as: itself, or the network it lies in.
    package func network(ipv6Bits: Int) -> String {
        guard bytes.count == 16, !bytes.starts(with: CIDR.mapped) else { return given }
        return bytes.prefix(ipv6Bits / 8).map { String($0, radix: 16) }.joined(separator: ":")
    }

    private static func bytes(_ address: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, address, &six) == 1 { return withUnsafeBytes(of: six) { Array($0) } }
        return nil
    }
}
