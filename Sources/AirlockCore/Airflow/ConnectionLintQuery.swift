/// The rules about a URI's query, which becomes `extra`.
extension ConnectionLint.Linter {
    mutating func lintQuery(_ range: Range<Int>) {
        if let plus = bytes[range].firstIndex(of: UInt8(ascii: "+")) {
            add(
                .queryPlus, at: plus, .extra, "`+` is a blank in a query (and itself in a password)",
                fix: "write %2B at byte \(plus) for a plus sign, %20 for a blank")
        }
        if let semicolon = bytes[range].firstIndex(of: UInt8(ascii: ";")) {
            add(
                .querySemicolon, at: semicolon, .extra, "`;` does not part two values; it becomes part of one",
                fix: "write `&` at byte \(semicolon) to begin another value, %3B for a semicolon")
        }
        lintEntries(entries(range))
    }

    private struct Entry {
        let name: [UInt8]
        let value: [UInt8]
        let nameOffset: Int
        let valueOffset: Int
    }

    private func entries(_ range: Range<Int>) -> [Entry] {
        bytes[range].split(separator: UInt8(ascii: "&")).map { part in
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let valueStart = min(equals + 1, part.endIndex)
            let (name, value) = bytes.withUnsafeBufferPointer { bytes in
                (
                    PythonQuoting.queryText(bytes[part.startIndex..<equals]),
                    PythonQuoting.queryText(bytes[valueStart..<part.endIndex])
                )
            }
            return Entry(name: name, value: value, nameOffset: part.startIndex, valueOffset: valueStart)
        }
    }

    private mutating func lintEntries(_ entries: [Entry]) {
        var seen: Set<[UInt8]> = []
        var hasTyped = false
        let isExtraKey = { (entry: Entry) in entry.name.elementsEqual("__extra__".utf8) }
        let whole = entries.last(where: isExtraKey)
        for entry in entries {
            if !seen.insert(entry.name).inserted {
                add(
                    .queryRepeatedName, at: entry.nameOffset, .extra,
                    "a name that was given before; the last value wins",
                    fix: "remove one of the two, or put a list into `__extra__` as JSON")
            }
            if whole == nil, !hasTyped, isTyped(entry.value) {
                hasTyped = true
                add(
                    .queryTypedValue, at: entry.valueOffset, .extra,
                    "Airflow 3's API server reads this value as JSON, its workers and Airflow 2 as text",
                    fix: "use JSON, with `extra` as an object, and write the value as a string or not")
            }
        }
        if let whole {
            lintWhole(whole.value, at: whole.valueOffset, other: entries.first { !isExtraKey($0) }?.nameOffset)
        }
    }

    private func isTyped(_ value: [UInt8]) -> Bool {
        guard !value.isEmpty else { return false }
        do {
            _ = try PythonJSONReader.read(value)
            return true
        } catch .syntax {
            return false
        } catch {
            return true
        }
    }

    private mutating func lintWhole(_ value: [UInt8], at offset: Int, other: Int?) {
        if let other {
            add(
                .extraKeySwallowsOthers, at: other, .extra, "beside `__extra__` no other name is read",
                fix: "put this value into the JSON object of `__extra__`")
        }
        lintExtraText(value, at: offset, from: offset)
    }

    /// The text of an `extra`, which must be a JSON object. Shared with the JSON form.
    mutating func lintExtraText(_ text: [UInt8], at offset: Int, from place: Int) {
        guard !text.isEmpty else { return }
        do {
            guard case .object = try PythonJSONReader.read(text) else {
                add(
                    .extraNotObject, at: offset, .extra, "Airflow 3's API server takes only a JSON object as extra",
                    fix: "write an object: {\"NAME\": VALUE}")
                return
            }
        } catch {
            add(
                .extraNotJSON, at: offset, .extra,
                "extra is no JSON; Airflow 3's API server refuses it, others read nothing from it",
                fix: "write an object: {\"NAME\": \"VALUE\"}")
        }
    }
}
