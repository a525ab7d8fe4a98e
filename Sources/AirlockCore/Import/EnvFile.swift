/// What a `.env` file says, read as people write such files for a shell, for Docker and for python-dotenv. Where those
/// three agree a value is theirs. Where they do not, it is python-dotenv's, in single quotes the shell's, or refused.
///
/// - `NAME=value`, blanks around `=` and `export ` before the name allowed; empty lines and `#` lines are nothing.
/// - Unquoted: up to the end of the line or to a `#` with a blank before it (`p#1` is all value); `&`, `;`, `\` and `$` are
///   themselves, as in the URIs that Airflow exports, and not a shell's. A JSON object or array
///   is taken whole, `#` inside its strings included.
/// - `'single'`: nothing is special inside; `'\''` stands for a quote, as in a shell.
/// - `"double"`: `\n`, `\r`, `\t`, `\\`, `\"`, `\'`, `\$` and `` \` `` are decoded; any other backslash stays.
/// - Both kinds of quotes may hold several lines. Nothing is expanded: `${NAME}` stays as it is.
package struct EnvFile: Sendable {
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let value: SecretText
        /// The line its name stands on, counted from 1.
        package let line: Int
        /// The value has `${...}` or `$(...)` where a shell would have put something else in its place.
        package let hasReference: Bool

        package init(name: String, value: SecretText, line: Int, hasReference: Bool = false) {
            self.name = name
            self.value = value
            self.line = line
            self.hasReference = hasReference
        }
    }

    /// A line that says nothing sure. The reason never has any of the line's text.
    package struct Fault: Error, Sendable, Equatable {
        package let line: Int
        package let reason: String

        package init(line: Int, reason: String) {
            self.line = line
            self.reason = reason
        }
    }

    /// In the file's order, repeated names included.
    package let entries: [Entry]
    package let faults: [Fault]

    /// Never fails: what cannot be read is among `faults`.
    package init(parsing bytes: [UInt8]) {
        var parser = EnvFileParser(bytes: bytes)
        parser.run()
        entries = parser.entries
        faults = parser.faults
    }

    package init(parsing text: String) { self.init(parsing: Array(text.utf8)) }
}
