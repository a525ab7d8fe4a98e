/// A connection as text, in either of Airflow's two forms, told apart as its secrets backends do: blanks at both ends go, then
/// a `{` means JSON and anything else a URI.
/// https://github.com/apache/airflow/blob/2.10.5/airflow/secrets/base_secrets.py
package enum ConnectionText {
    package static func parse(
        _ text: String, dialect: Dialect = .sdk, numbers: ConnectionJSON.Numbers = .refused
    ) throws(ConnectionError) -> Connection {
        let stripped = PythonText.strip(text)
        guard let first = stripped.utf8.first else { throw ConnectionError(.emptyText) }
        if first == UInt8(ascii: "{") {
            return try ConnectionJSON.parse(String(stripped), dialect: dialect, numbers: numbers)
        }
        return try ConnectionURI.parse(String(stripped), dialect: dialect)
    }

    /// Whether the text was plainly meant as a JSON object: a `{`, then a quote or the `}`. No URI begins like that.
    package static func opensLikeObject(_ text: String) -> Bool {
        let stripped = PythonText.strip(text)
        guard stripped.utf8.first == UInt8(ascii: "{") else { return false }
        switch PythonText.strip(String(stripped.dropFirst())).utf8.first {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "}"): return true
        default: return false
        }
    }

    /// The text that one line of JSON, a string, stands for.
    package static func jsonString(_ line: UnsafeBufferPointer<UInt8>) throws(ConnectionError) -> String {
        let found: PythonString
        do {
            found = try PythonJSONReader.string(line)
        } catch {
            throw ConnectionError(.notJSONString, at: error.offset)
        }
        if let text = String(validating: found.bytes, as: UTF8.self) { return text }
        throw ConnectionError(found.hasLoneSurrogate ? .loneSurrogate : .notUTF8)
    }
}
