/// Percent-encoding as CPython 3.11's `urllib.parse` does it: `unquote` (with `errors="replace"`), `quote` and `quote_plus`
/// with nothing safe, `parse_qsl`. https://docs.python.org/3.11/library/urllib.parse.html
enum PythonQuoting {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    /// `unquote(text)`.
    ///
    /// Python decodes each run of ASCII on its own and Swift all of it at once. That makes no difference: what stands
    /// unescaped is whole characters, which no neighbouring byte can join. Each invalid sequence becomes U+FFFD in both.
    static func unquoted(_ slice: Slice<Bytes>) -> String {
        let bytes = Bytes(rebasing: slice)
        guard bytes.contains(UInt8(ascii: "%")) else { return String(decoding: bytes, as: UTF8.self) }
        return String(unsafeUninitializedCapacity: bytes.count) { unescape(bytes, into: $0, plusIsSpace: false).count }
    }

    static func unquoted(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBufferPointer { unquoted($0[...]) }
    }

    /// A name or a value of a query, as UTF-8: as `unquoted`, and `+` is a blank.
    static func queryText(_ slice: Slice<Bytes>) -> [UInt8] {
        let bytes = Bytes(rebasing: slice)
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return Array(bytes) }
        var isPlain = true
        let decoded = [UInt8](unsafeUninitializedCapacity: bytes.count) { out, count in
            (count, isPlain) = unescape(bytes, into: out, plusIsSpace: true)
        }
        return isPlain ? decoded : Array(String(decoding: decoded, as: UTF8.self).utf8)
    }

    /// `isPlain`: no escape stood for a byte above 0x7F, so the result is valid UTF-8 if the source was.
    private static func unescape(
        _ bytes: Bytes, into out: UnsafeMutableBufferPointer<UInt8>, plusIsSpace: Bool
    ) -> (count: Int, isPlain: Bool) {
        var isPlain = true
        var count = 0
        var index = 0
        while index < bytes.count {
            var byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "%"), index + 1 < bytes.count,
                let high = Hexadecimal.value(bytes[index]), let low = Hexadecimal.value(bytes[index + 1])
            {
                byte = high << 4 | low
                index += 2
                if byte >= 0x80 { isPlain = false }
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                byte = 0x20
            }
            out.initializeElement(at: count, to: byte)
            count += 1
        }
        return (count, isPlain)
    }

    /// `quote(text, safe="")`, or `quote_plus(text)`, whose only difference is the blank.
    static func quote(_ text: some Collection<UInt8>, blankAsPlus: Bool = false, into out: inout [UInt8]) {
        for byte in text {
            if isUnreserved(byte) {
                out.append(byte)
            } else if blankAsPlus, byte == 0x20 {
                out.append(UInt8(ascii: "+"))
            } else {
                out.append(UInt8(ascii: "%"))
                out.append(upperHex(byte >> 4))
                out.append(upperHex(byte & 15))
            }
        }
    }

    private static func upperHex(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x41 - 10 + digit }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        PythonURL.isLetter(byte) || 0x30...0x39 ~= byte
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "~")
    }
}
