/// Python's own idea of blanks, lower case and whole numbers in text (CPython 3.11, Unicode 14).
enum PythonText {
    /// `str.isspace`, one character: https://docs.python.org/3.11/library/stdtypes.html#str.isspace
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// `str.strip()`.
    static func strip(_ text: String) -> Substring {
        let scalars = text.unicodeScalars
        guard let first = scalars.first, let last = scalars.last, isSpace(first) || isSpace(last) else {
            return text[...]
        }
        guard let start = scalars.firstIndex(where: { !isSpace($0) }) else { return "" }
        var end = scalars.endIndex
        while end > start {
            let before = scalars.index(before: end)
            guard isSpace(scalars[before]) else { break }
            end = before
        }
        return Substring(scalars[start..<end])
    }

    /// `str.lower()`: full mappings, and a capital sigma at the end of a word becomes a final one
    /// (`handle_capital_sigma` in CPython's `Objects/unicodeobject.c`).
    static func lower(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            guard text.utf8.contains(where: { 0x41...0x5A ~= $0 }) else { return text }
            return String(decoding: text.utf8.map(PythonURL.lowerASCII), as: UTF8.self)
        }
        let scalars = Array(text.unicodeScalars)
        var lowered = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            if scalar.value == 0x3A3 {
                lowered.append(isFinalSigma(scalars, index) ? "\u{3C2}" : "\u{3C3}")
            } else if isKnownToPython(scalar) {
                lowered.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            } else {
                lowered.append(scalar)
            }
        }
        return String(lowered)
    }

    private static func isFinalSigma(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
        let passes = { (scalar: Unicode.Scalar) in isKnownToPython(scalar) && scalar.properties.isCaseIgnorable }
        let cased = { (scalar: Unicode.Scalar) in isKnownToPython(scalar) && scalar.properties.isCased }
        guard let before = scalars[..<index].last(where: { !passes($0) }), cased(before) else { return false }
        guard let after = scalars[(index + 1)...].first(where: { !passes($0) }) else { return true }
        return !cased(after)
    }

    /// Letters added after Unicode 14 have no case in Python 3.11.
    private static func isKnownToPython(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return age.major <= 14
    }

    enum IntegerFailure: Error { case notInteger, tooLarge, tooLong }

    /// Digits an integer text may have before Python refuses it: `sys.get_int_max_str_digits()`.
    static let integerDigitLimit = 4300

    /// `int(text)`: blanks around, a sign, any decimal digits of Unicode, single underscores between digits. The four
    /// separators 0x1C to 0x1F, which `str.strip` takes for blanks, are none here.
    static func integer(_ text: String) throws(IntegerFailure) -> Int {
        let isBlank = { (scalar: Unicode.Scalar) in isSpace(scalar) && !(0x1C...0x1F ~= scalar.value) }
        var scalars = Array(text.unicodeScalars)[...].drop(while: isBlank)
        while let last = scalars.last, isBlank(last) { scalars.removeLast() }
        var isNegative = false
        if let sign = scalars.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            scalars.removeFirst()
        }
        var value: Int? = 0
        var digits = 0
        var mayUnderscore = false
        for scalar in scalars {
            if scalar == "_", mayUnderscore {
                mayUnderscore = false
                continue
            }
            guard scalar.properties.numericType == .decimal, let number = scalar.properties.numericValue else {
                throw .notInteger
            }
            digits += 1
            mayUnderscore = true
            if let soFar = value {
                let (shifted, over) = soFar.multipliedReportingOverflow(by: 10)
                let (next, overAgain) = shifted.subtractingReportingOverflow(Int(number))
                value = over || overAgain ? nil : next
            }
        }
        guard digits > 0, mayUnderscore else { throw .notInteger }
        guard digits <= integerDigitLimit else { throw .tooLong }
        guard let value, isNegative || value > Int.min else { throw .tooLarge }
        return isNegative ? value : -value
    }
}
