/// Writes one piece after the other into memory that is large enough for all of them.
struct ByteWriter {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) { write(bytes.count) { $0.copyMemory(from: bytes) } }

    /// In decimal.
    /// - Parameter number: not negative.
    mutating func write(_ number: Int) {
        write(ByteWriter.digits(number)) { digits in
            var rest = number
            for place in digits.indices.reversed() {
                digits[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
        }
    }

    /// - Parameter fill: fills all of the memory that it is given.
    mutating func write(_ length: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        fill(UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + length)]))
        count += length
    }

    /// How many a number has in decimal.
    static func digits(_ number: Int) -> Int {
        var (digits, rest) = (1, number / 10)
        while rest > 0 { (digits, rest) = (digits + 1, rest / 10) }
        return digits
    }
}
