/// One thing about a connection's text that Airflow will refuse, or read as something other than what was meant.
///
/// It never holds any of the text: types and schemes are named only when they are in a list of ours.
package struct Finding: Sendable, Equatable {
    package let code: Code
    /// UTF-8 bytes from the start of the text.
    package let offset: Int
    package let field: ConnectionError.Field?
    package let message: String
    /// What to do, exactly.
    package let fix: String

    package var severity: Severity { code.severity }

    package enum Severity: String, Sendable { case error, warning }

    /// Stable names, for scripts.
    package enum Code: String, Sendable, CaseIterable {
        // Both forms
        case emptyText = "empty-text"
        case byteOrderMark = "byte-order-mark"
        case quotedText = "quoted-text"
        case surroundingBlanks = "surrounding-blanks"
        case refused = "refused"
        case extraNotJSON = "extra-not-json"
        case extraNotObject = "extra-not-object"
        // URIs
        case noScheme = "no-scheme"
        case schemeUnderscore = "scheme-underscore"
        case schemeInvalid = "scheme-invalid"
        case schemeUppercase = "scheme-uppercase"
        case schemeDriver = "scheme-driver"
        case schemeHTTPS = "scheme-https"
        case nestedScheme = "nested-scheme"
        case controlCharacter = "control-character"
        case rawURLInQuery = "raw-url-in-query"
        case straySchemeSeparator = "stray-scheme-separator"
        case tooManySchemes = "too-many-schemes"
        case delimiterInUserinfo = "delimiter-in-userinfo"
        case atSignInUserinfo = "at-sign-in-userinfo"
        case bracket
        case hiddenDelimiter = "hidden-delimiter"
        case severalHosts = "several-hosts"
        case portNotNumber = "port-not-number"
        case portOutOfRange = "port-out-of-range"
        case noAtSign = "no-at-sign"
        case hostUppercase = "host-uppercase"
        case fragment
        case percentNotText = "percent-not-text"
        case percentStray = "percent-stray"
        case queryPlus = "query-plus"
        case querySemicolon = "query-semicolon"
        case queryRepeatedName = "query-repeated-name"
        case queryTypedValue = "query-typed-value"
        case extraKeySwallowsOthers = "extra-key-swallows-others"
        // JSON
        case notJSON = "not-json"
        case notObject = "not-object"
        case repeatedName = "repeated-name"
        case unknownField = "unknown-field"
        case connIDInside = "conn-id-inside"
        case uriMixed = "uri-mixed"
        case missingConnType = "missing-conn-type"
        case numberAsText = "number-as-text"
        case notText = "not-text"
        case loneSurrogate = "lone-surrogate"
        case portNotInteger = "port-not-integer"
        case portAsText = "port-as-text"
        case looksURLEncoded = "looks-url-encoded"
        case lostInURI = "lost-in-uri"
        case refusedAsURI = "refused-as-uri"
        // Vault secrets
        case connURIShadowsFields = "conn-uri-shadows-fields"

        package var severity: Severity {
            switch self {
            case .surroundingBlanks, .schemeUppercase, .schemeDriver, .schemeHTTPS, .atSignInUserinfo, .noAtSign,
                .hostUppercase, .fragment, .percentStray, .queryPlus, .querySemicolon, .queryTypedValue, .numberAsText,
                .portAsText, .looksURLEncoded, .lostInURI, .refusedAsURI, .connURIShadowsFields:
                .warning
            default: .error
            }
        }
    }

    package var json: JSON {
        .object([
            .init("code", .string(code.rawValue)), .init("severity", .string(severity.rawValue)),
            .init("offset", .integer(offset)), .init("field", .orNull(field?.rawValue)),
            .init("message", .string(message)), .init("fix", .string(fix)),
        ])
    }
}
