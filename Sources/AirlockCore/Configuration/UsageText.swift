/// What a program says of a command line it does not understand.
package enum UsageText {
    /// ArgumentParser quotes what it does not understand, and that may be a token in the wrong place. Names of options
    /// stay readable, values do not.
    package static func withoutValues(_ text: String, arguments: [String]) -> String {
        var text = text
        for argument in arguments.dropFirst() {
            let value = argument.hasPrefix("-") ? argument.drop { $0 != "=" }.dropFirst() : argument[...]
            if !value.isEmpty { text = text.replacing("'\(value)'", with: "(value not shown)") }
        }
        return text
    }
}
