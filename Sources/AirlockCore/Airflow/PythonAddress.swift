/// What may stand in the brackets of a URL: `_check_bracketed_host` of CPython 3.11.7's `urllib/parse.py` and
/// `IPv6Address` of its `ipaddress.py`. https://docs.python.org/3.11/library/ipaddress.html
enum PythonAddress {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    static func isBracketedHost(_ bytes: Slice<Bytes>) -> Bool {
        if bytes.first == UInt8(ascii: "v") { return isFutureAddress(bytes.dropFirst()) }
        return isIPv6(bytes)
    }

    /// `v` (taken already), hexadecimal digits, a point, and at least one character.
    private static func isFutureAddress(_ bytes: Slice<Bytes>) -> Bool {
        let rest = bytes.drop(while: isHex)
        return rest.startIndex > bytes.startIndex && rest.first == UInt8(ascii: ".") && rest.count > 1
    }

    private static func isIPv6(_ bytes: Slice<Bytes>) -> Bool {
        var address = bytes
        if let percent = bytes.firstIndex(of: UInt8(ascii: "%")) {
            let zone = bytes[(percent + 1)...]
            if zone.isEmpty || zone.contains(UInt8(ascii: "%")) { return false }
            address = bytes[..<percent]
        }
        if address.contains(UInt8(ascii: "/")) || bytes.contains(UInt8(ascii: "/")) { return false }
        var parts = address.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return false }
        if let last = parts.last, last.contains(UInt8(ascii: ".")) {
            guard isIPv4(last) else { return false }
            parts.removeLast()
            // An IPv4 tail stands for two groups; any two groups of digits do for the checks below.
            let firstOctet = last.prefix(1)
            parts += [firstOctet, firstOctet]
        }
        guard parts.count <= 9, let first = parts.first, let last = parts.last else { return false }
        let skips = parts.indices.dropFirst().dropLast().filter { parts[$0].isEmpty }
        guard skips.count <= 1 else { return false }
        guard let skip = skips.first else {
            return parts.count == 8 && parts.allSatisfy(isGroup)
        }
        var high = parts[..<skip]
        var low = parts[(skip + 1)...]
        if first.isEmpty {
            high.removeFirst()
            if !high.isEmpty { return false }
        }
        if last.isEmpty {
            low.removeLast()
            if !low.isEmpty { return false }
        }
        return high.count + low.count <= 7 && high.allSatisfy(isGroup) && low.allSatisfy(isGroup)
    }

    private static func isGroup(_ part: Slice<Bytes>) -> Bool {
        !part.isEmpty && part.count <= 4 && part.allSatisfy(isHex)
    }

    private static func isIPv4(_ bytes: Slice<Bytes>) -> Bool {
        let octets = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return octets.count == 4
            && octets.allSatisfy { octet in
                guard (1...3).contains(octet.count), octet.allSatisfy({ 0x30...0x39 ~= $0 }) else { return false }
                guard octet.count == 1 || octet.first != UInt8(ascii: "0") else { return false }
                return octet.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 255
            }
    }

    private static func isHex(_ byte: UInt8) -> Bool { Hexadecimal.value(byte) != nil }
}
