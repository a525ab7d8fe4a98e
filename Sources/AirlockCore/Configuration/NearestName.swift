/// The known name that somebody most likely meant by `name`, for "did you mean"; `nil` when none is close.
package func nearestName(to name: String, among known: some Sequence<String>) -> String? {
    let wanted = folded(name)
    // One edit in three characters: enough for a slip of the keys, too few to propose an unrelated name.
    let limit = max(1, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(wanted, folded(candidate))
        if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
}

/// "mountPoint", "mount-point" and "MOUNT_POINT" are one edit or none away from "mount_point".
private func folded(_ name: String) -> [UInt8] {
    // A longer text is no misspelt name, and the comparison below costs the product of both lengths.
    name.lowercased().utf8.prefix(64).map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
        var row = [i] + [Int](repeating: 0, count: b.count)
        for j in 1...b.count {
            let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
            row[j] = min(replaced, last[j] + 1, row[j - 1] + 1)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                row[j] = min(row[j], beforeLast[j - 2] + 1)
            }
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
