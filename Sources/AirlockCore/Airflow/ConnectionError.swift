/// Why a connection cannot be read or written. It never holds any of the text it is about: that text is a secret.
package struct ConnectionError: Error, Equatable, Sendable {
    package let reason: Reason
    /// UTF-8 bytes from the start of the text that was read, where a single place is to blame.
    package let offset: Int?
    /// One of the field names Airflow knows.
    package let field: Field?

    package init(_ reason: Reason, at offset: Int? = nil, field: Field? = nil) {
        self.reason = reason
        self.offset = offset
        self.field = field
    }

    package enum Field: String, Sendable, CaseIterable {
        case connType = "conn_type"
        case host, login, password, schema, port, extra, description, uri
        case teamName = "team_name"
        case connURI = "conn_uri"
        case connID = "conn_id"
        case value
    }

    package enum Reason: String, Sendable, CaseIterable {
        case tooManySchemes = "more than two '://' in a connection URI; percent-encode those that are data"
        case hostSchemeAfterUserinfo =
            "'@' or ':' stands before the second '://'; percent-encode the one that is data, or use JSON"
        case unbalancedBracket = "'[' or ']' without its partner before the path; write %5B and %5D"
        case badBracketedHost = "the text in brackets is no IPv6 address; write %5B and %5D for brackets that are data"
        case hiddenDelimiter =
            "a character that Unicode normalization (NFKC) turns into a delimiter; percent-encode it"
        case portNotNumber =
            "the port is no number; a '/', '?', '#' or ':' in a password must be percent-encoded"
        case portOutOfRange = "the port is not between 0 and 65535"
        case portTooLarge = "the port does not fit in 64 bits"
        case portNotInteger = "the port is not an integer"
        case extraNotObject = "extra is JSON but not an object"
        case extraNotJSON = "extra is not JSON"
        case numberTooLong = "an integer of more than 4300 digits, which Python refuses to read"
        case nestedTooDeeply = "JSON nested too deeply for Python's reader"
        case loneSurrogate = "half of a surrogate pair, which is no character; remove it"
        case notUTF8 = "not UTF-8"
        case emptyText = "the text is empty"
        case notJSON = "not JSON"
        case notJSONString = "not a JSON string"
        case notObject = "not a JSON object"
        case unknownField = "a field that Airflow does not know; it would refuse the whole connection"
        case connIDInside = "conn_id stands inside the connection; Airflow gets it from the path, so remove it"
        case uriMixed = "uri stands beside other fields; use one or the other"
        case notString = "the value is not a string; write it in quotes"
        case missingValue = "no member named value; store {\"value\": \"...\"}"
        case valueNotString = "value is not a string; store it as JSON text inside a string"
    }
}

extension ConnectionError: CustomStringConvertible {
    package var description: String {
        var text = ""
        if let field { text += "\(field.rawValue): " }
        text += reason.rawValue
        if let offset { text += " (at byte \(offset))" }
        return text
    }
}
