/// The rules about the JSON form, and about the fields of a vault secret.
extension ConnectionLint.Linter {
    typealias Field = ConnectionError.Field
    typealias Member = PythonJSONReader.Member

    /// - Parameter start: where `text` begins in the whole.
    mutating func lintJSON(_ text: [UInt8], from start: Int, _ dialect: Dialect) {
        let fields: ConnectionJSON.Fields
        do throws(ConnectionError) {
            fields = try ConnectionJSON.Fields(text)
        } catch {
            let code: Finding.Code = error.reason == .notObject ? .notObject : .notJSON
            add(
                code, at: start + (error.offset ?? 0), error.reason.rawValue,
                fix:
                    "correct the JSON at byte \(start + (error.offset ?? 0)); it must be one object, names and texts in double quotes"
            )
            return
        }
        lintNames(fields, start)
        lintURIMember(fields, start, dialect)
        for member in fields.members {
            guard let field = member.field else { continue }
            switch field {
            case .connType, .host, .login, .password, .schema, .description: lintTextField(member, field, start)
            case .port: lintPort(member, start)
            case .extra: lintExtra(member, start)
            case .uri, .teamName, .connURI, .connID, .value: continue
            }
        }
        lintAsURI(text, fields, start, dialect)
    }

    // MARK: Names

    /// What people and other tools call the fields. Lower case.
    private static let aliases: [String: Field] = [
        "username": .login, "user": .login, "hostname": .host, "server": .host, "engine": .connType, "type": .connType,
        "dbname": .schema, "database": .schema, "db": .schema, "pass": .password, "passwd": .password, "pwd": .password,
        "extra_dejson": .extra, "extras": .extra,
    ]

    private mutating func lintNames(_ fields: ConnectionJSON.Fields, _ start: Int) {
        var seen: Set<PythonString> = []
        for member in fields.written where !seen.insert(member.name).inserted {
            add(
                .repeatedName, at: start + member.nameOffset, member.field,
                "a name that was given before; the last value wins",
                fix: "remove one of the two")
        }
        for member in fields.members {
            let offset = start + member.nameOffset
            switch member.field {
            case .connType, .host, .login, .password, .schema, .port, .extra, .description, .uri: continue
            case .connID:
                add(
                    .connIDInside, at: offset, .connID, "Airflow takes the id from the path, and refuses a second one",
                    fix: "remove `conn_id`")
            case .connURI:
                add(
                    .unknownField, at: offset, .connURI, "`conn_uri` is a field of vault secrets, not of this form",
                    fix: "write `uri`, and no other field beside it")
            default: lintUnknown(member, offset)
            }
        }
        if fields[.connType]?.value.isTruthy != true, fields[.uri] == nil {
            add(
                .missingConnType, at: start, .connType,
                "without a type Airflow finds no hook, and some versions refuse it",
                fix: "add \"conn_type\"")
        }
    }

    private mutating func lintUnknown(_ member: Member, _ offset: Int) {
        let name = member.name.text?.lowercased() ?? ""
        let message = "a field that Airflow does not know, for which it refuses the whole connection"
        if let meant = Self.aliases[name] {
            add(
                .unknownField, at: offset, meant, message,
                fix: "write `\(meant.rawValue)` in place of `\(name)`")
        } else if member.field == .teamName {
            add(
                .unknownField, at: offset, .teamName, "`team_name` is known to Airflow 3's API server alone",
                fix: "remove `team_name`; put the team into the path")
        } else {
            add(.unknownField, at: offset, message, fix: "remove the field at byte \(offset), or move it into `extra`")
        }
    }

    private mutating func lintURIMember(_ fields: ConnectionJSON.Fields, _ start: Int, _ dialect: Dialect) {
        guard let member = fields[.uri] else { return }
        if case .null = member.value { return }
        if let other = fields.members.first(where: { $0.field != .uri }) {
            add(
                .uriMixed, at: start + other.nameOffset, .uri, "`uri` cannot stand beside other fields",
                fix: "remove `uri`, or the other fields")
        }
        guard case .string(let value) = member.value, let text = value.text else {
            add(.notText, at: start + member.valueOffset, .uri, "`uri` must be text", fix: "write the URI in quotes")
            return
        }
        var inner = ConnectionLint.Linter(bytes: Array(text.utf8))
        inner.lintURI(0..<text.utf8.count, dialect)
        add(inner.sorted, within: start + member.valueOffset, .uri)
    }

    // MARK: Values

    private mutating func lintTextField(_ member: Member, _ field: Field, _ start: Int) {
        let offset = start + member.valueOffset
        switch member.value {
        case .null: return
        case .integer, .float:
            add(
                .numberAsText, at: offset, field, "a number where a text belongs: workers keep a number, others fail",
                fix: "write the value in quotes")
        case .bool, .array, .object:
            add(.notText, at: offset, field, "a text is expected", fix: "write the value as text, in quotes")
        case .string(let value):
            if value.hasLoneSurrogate {
                add(
                    .loneSurrogate, at: offset, field, "half a surrogate pair is no character",
                    fix: "remove the \\u escape")
            } else if field != .description, field != .connType, looksEncoded(value.bytes) {
                add(
                    .looksURLEncoded, at: offset, field, "percent-escapes are not decoded in JSON",
                    fix: "write the characters themselves, if the escapes stand for them")
            }
        }
    }

    private func looksEncoded(_ bytes: [UInt8]) -> Bool {
        bytes.indices.dropLast(2).contains { index in
            bytes[index] == UInt8(ascii: "%") && Hexadecimal.value(bytes[index + 1]) != nil
                && Hexadecimal.value(bytes[index + 2]) != nil
        }
    }

    private mutating func lintPort(_ member: Member, _ start: Int) {
        guard member.value.isTruthy else { return }
        let offset = start + member.valueOffset
        var port: Int?
        switch member.value {
        case .integer(let digits): port = Int(digits)
        case .string(let value): port = value.text.flatMap { try? PythonText.integer($0) }
        case .float(let value) where value == value.rounded(): port = Int(exactly: value)
        default: port = nil
        }
        guard let port else {
            add(
                .portNotInteger, at: offset, .port, "the port is not an integer",
                fix: "write the port as a number, as in 5432")
            return
        }
        guard (0...65535).contains(port) else {
            add(
                .portOutOfRange, at: offset, .port, "a port is between 0 and 65535",
                fix: "correct the port")
            return
        }
        if case .integer = member.value { return }
        add(
            .portAsText, at: offset, .port, "the port is converted to an integer",
            fix: "write the number without quotes or fraction")
    }

    private mutating func lintExtra(_ member: Member, _ start: Int) {
        let offset = start + member.valueOffset
        switch member.value {
        case .null, .object: return
        case .string(let value): lintExtraText(value.bytes, at: offset, from: start)
        case .bool, .integer, .float, .array:
            guard member.value.isTruthy else { return }
            add(
                .extraNotObject, at: offset, .extra, "Airflow 3's API server takes only a JSON object as extra",
                fix: "write an object: {\"NAME\": VALUE}")
        }
    }

    // MARK: As a URI

    /// `[secrets] use_cache` keeps `get_uri()` of a connection and reads that back, so what a URI loses is lost on the second
    /// lookup.
    private mutating func lintAsURI(
        _ text: [UInt8], _ fields: ConnectionJSON.Fields, _ start: Int, _ dialect: Dialect
    ) {
        let connection: Connection
        do throws(ConnectionError) {
            connection = try ConnectionJSON.parse(text, dialect: dialect, numbers: .asText)
        } catch {
            guard !hasError else { return }
            add(
                .refused, at: start + (error.offset ?? 0), error.field, error.reason.rawValue,
                fix: "correct the value")
            return
        }
        guard fields[.uri] == nil, !hasError else { return }
        guard let uri = try? ConnectionURI.build(connection, dialect: dialect),
            let again = try? ConnectionURI.parse(uri, dialect: dialect)
        else {
            add(
                .refusedAsURI, at: start + (fields[.host]?.valueOffset ?? 0), .host,
                "Airflow refuses its own URI of this connection, so its secrets cache fails on the second lookup",
                fix: "keep JSON, and leave `[secrets] use_cache` off")
            return
        }
        let pairs: [(Field, String?, String?)] = [
            (.connType, connection.connType, again.connType), (.host, connection.host, again.host),
            (.login, connection.login, again.login), (.password, connection.password, again.password),
            (.schema, connection.schema, again.schema),
            (.port, connection.port.map(String.init), again.port.map(String.init)),
            (.description, connection.description, nil),
        ]
        for (field, before, after) in pairs where !(before ?? "").utf8.elementsEqual((after ?? "").utf8) {
            lost(field, fields, start)
        }
        if Self.json(connection.extra) != Self.json(again.extra) { lost(.extra, fields, start) }
    }

    private mutating func lost(_ field: Field, _ fields: ConnectionJSON.Fields, _ start: Int) {
        add(
            .lostInURI, at: start + (fields[field]?.valueOffset ?? 0), field,
            "a URI of this connection, as Airflow's secrets cache keeps it, does not keep `\(field.rawValue)`",
            fix: "keep JSON, and leave `[secrets] use_cache` off if this field matters")
    }

    private static func json(_ extra: String?) -> String? {
        guard let extra, !extra.isEmpty else { return nil }
        return (try? PythonJSONReader.read(extra))?.dumped ?? extra
    }
}
