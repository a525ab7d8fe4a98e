/// Which ids a list is of, as Airflow's REST API understands its two kinds of patterns.
/// https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html, "Filtering with pattern parameters"
package struct IDPattern: Sendable {
    private enum Term: Sendable {
        /// Anywhere in the id, whatever the case; `%` stands for any characters, `_` for one.
        case search([Unicode.Scalar])
        /// At the beginning, in this case.
        case prefix(String)
    }

    /// One of them is enough.
    private let terms: [Term]

    /// `*_pattern`.
    package init(search text: String) {
        terms = IDPattern.alternatives(text).map { .search(["%"] + Array($0.lowercased().unicodeScalars) + ["%"]) }
    }

    /// `*_prefix_pattern`: what is no letter or digit at its end does not count, as in Airflow.
    package init(prefix text: String) {
        terms = IDPattern.alternatives(text).map { term in
            var scalars = term.unicodeScalars
            while let last = scalars.last, !IDPattern.isAlphanumeric(last) { scalars.removeLast() }
            return .prefix(String(scalars))
        }
    }

    package func matches(_ id: String) -> Bool {
        terms.contains { term in
            switch term {
            case .search(let pattern): IDPattern.isLike(Array(id.lowercased().unicodeScalars), pattern)
            case .prefix(let prefix): id.utf8.starts(with: prefix.utf8)
            }
        }
    }

    /// `|` parts them, `~` is everything.
    private static func alternatives(_ text: String) -> [String] {
        if text == "~" { return [""] }
        let terms = text.split(separator: "|").map { PythonText.strip(String($0)) }.filter { !$0.isEmpty }
        return text.contains("|") && !terms.isEmpty ? terms.map(String.init) : [text]
    }

    private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    /// SQL's `LIKE`. A mismatch goes back to the last `%` only, so that no pattern takes more than its length times the text's.
    private static func isLike(_ text: [Unicode.Scalar], _ pattern: [Unicode.Scalar]) -> Bool {
        var (at, place) = (0, 0)
        var retry: (at: Int, place: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == "%" {
                retry = (at, place)
                place += 1
            } else if place < pattern.count, pattern[place] == "_" || pattern[place] == text[at] {
                (at, place) = (at + 1, place + 1)
            } else if let last = retry {
                retry = (last.at + 1, last.place)
                (at, place) = (last.at + 1, last.place + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "%" }
    }
}
