/// `repr(float)` of Python, which is also what its `json` module writes: the fewest digits that read back the same, plain
/// between 1e-4 and 1e16, else with an exponent of at least two digits.
enum PythonFloat {
    static func json(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        let (digits, point) = shortestDigits(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if point > 16 || point < -3 {
            let exponent = point - 1
            let size = String(exponent.magnitude)
            let tail = digits.count > 1 ? "." + digits.dropFirst() : ""
            return sign + digits.prefix(1) + tail + "e" + (exponent < 0 ? "-" : "+")
                + (size.count < 2 ? "0" + size : size)
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point {
            return sign + digits + String(repeating: "0", count: point - digits.count) + ".0"
        }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// The digits without zeros at either end, and where the decimal point stands: 0.`digits` x 10^`point`. Swift finds the
    /// same shortest digits and only writes them down differently.
    private static func shortestDigits(_ value: Double) -> (digits: String, point: Int) {
        var text = Substring(value.description)
        var exponent = 0
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = text[..<mark]
        }
        let whole = text.prefix { $0 != "." }
        var digits = Substring(whole + text.dropFirst(whole.count + 1))
        var point = whole.count + exponent
        while digits.first == "0" {
            digits.removeFirst()
            point -= 1
        }
        while digits.last == "0" { digits.removeLast() }
        return (String(digits), point)
    }
}
