extension JSON {
    /// For people: a member or element a line. Objects and lists that are empty, and lists of plain values, stay on one.
    package var indented: String {
        var out: [UInt8] = []
        writeIndented(to: &out, depth: 0)
        return String(decoding: out, as: UTF8.self)
    }

    private func writeIndented(to out: inout [UInt8], depth: Int) {
        switch self {
        case .object(let members) where !members.isEmpty:
            JSON.writeLines(members.count, "{", "}", to: &out, depth: depth) { index, out in
                JSON.string(members[index].name).write(to: &out)
                out += ": ".utf8
                members[index].value.writeIndented(to: &out, depth: depth + 1)
            }
        case .array(let elements) where elements.contains { $0.members != nil || $0.elements != nil }:
            JSON.writeLines(elements.count, "[", "]", to: &out, depth: depth) { index, out in
                elements[index].writeIndented(to: &out, depth: depth + 1)
            }
        default: write(to: &out)
        }
    }

    private static func writeLines(
        _ count: Int, _ open: String, _ close: String, to out: inout [UInt8], depth: Int,
        _ body: (Int, inout [UInt8]) -> Void
    ) {
        func newLine(_ depth: Int) {
            out.append(0x0A)
            out += [UInt8](repeating: 0x20, count: depth * 2)
        }
        out += open.utf8
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            newLine(depth + 1)
            body(index, &out)
        }
        newLine(depth)
        out += close.utf8
    }
}
