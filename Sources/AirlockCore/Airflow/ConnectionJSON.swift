/// Airflow's JSON form of a connection, read as its `Connection.from_json` reads it.
/// - https://github.com/apache/airflow/blob/2.10.5/airflow/models/connection.py
/// - https://github.com/apache/airflow/blob/3.3.2/task-sdk/src/airflow/sdk/definitions/connection.py
///
/// Out of reach, and refused: what Airflow would keep as a number, list or object where a text belongs (a `host` of 5), half a
/// surrogate pair in such a text, and a port beyond 64 bits.
package enum ConnectionJSON {
    /// What to do with a number where a text belongs. Airflow keeps a number there, which fails later in most hooks.
    package enum Numbers: Sendable { case refused, asText }

    package static func parse(
        _ text: String, dialect: Dialect = .sdk, numbers: Numbers = .refused
    ) throws(ConnectionError) -> Connection {
        try parse(Array(text.utf8), dialect: dialect, numbers: numbers)
    }

    /// - Parameter bytes: one JSON object in UTF-8.
    package static func parse(
        _ bytes: [UInt8], dialect: Dialect = .sdk, numbers: Numbers = .refused
    ) throws(ConnectionError) -> Connection {
        try Fields(bytes).connection(dialect, numbers)
    }

    /// The fields as Airflow's constructor takes them, `Connection(conn_type=..., host=...)`: nothing is normalised, and the
    /// port is an integer. An object as `extra` is text only to the database models.
    package static func parseArguments(
        _ bytes: [UInt8], dialect: Dialect = .sdk
    ) throws(ConnectionError) -> Connection {
        let fields = try Fields(bytes)
        var found = Connection()
        for member in fields.members {
            switch member.field {
            case .connType: found.connType = try fields.text(.connType, .refused)
            case .host: found.host = try fields.text(.host, .refused)
            case .login: found.login = try fields.text(.login, .refused)
            case .password: found.password = try fields.text(.password, .refused)
            case .schema: found.schema = try fields.text(.schema, .refused)
            case .description: found.description = try fields.text(.description, .refused)
            case .port: found.port = try fields.plainPort()
            case .extra:
                if dialect != .sdk, case .object = member.value {
                    found.extra = member.value.isTruthy ? member.value.dumped : nil
                } else {
                    found.extra = try fields.text(.extra, .refused)
                }
                if let extra = found.extra { try ConnectionExtra.check(extra, dialect) }
            default: throw ConnectionError(.unknownField, at: member.nameOffset)
            }
        }
        if dialect.dropsEmptyPassword, found.password?.isEmpty == true { found.password = nil }
        return found
    }

    /// The members of the object, each with its place.
    struct Fields {
        /// In the order of the text, repeats included.
        let written: [PythonJSONReader.Member]
        /// Of a repeated name the last one.
        let members: [PythonJSONReader.Member]

        init(_ bytes: [UInt8]) throws(ConnectionError) {
            guard String(validating: bytes, as: UTF8.self) != nil else { throw ConnectionError(.notUTF8) }
            let found: [PythonJSONReader.Member]?
            do {
                found = try PythonJSONReader.members(bytes)
            } catch {
                throw ConnectionError(error.reason, at: error.offset)
            }
            guard let found else { throw ConnectionError(.notObject, at: 0) }
            written = found
            var last: [PythonString: Int] = [:]
            last.reserveCapacity(found.count)
            for (index, member) in found.enumerated() { last[member.name] = index }
            members = last.count == found.count ? found : last.values.sorted().map { found[$0] }
        }

        subscript(field: ConnectionError.Field) -> PythonJSONReader.Member? {
            members.first { $0.field == field }
        }
    }
}

extension ConnectionError.Field {
    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { (PythonString($0.rawValue), $0) })

    init?(_ name: PythonString) {
        guard let field = ConnectionError.Field.byName[name] else { return nil }
        self = field
    }
}

extension ConnectionJSON.Fields {
    typealias Field = ConnectionError.Field
    typealias Member = PythonJSONReader.Member

    func connection(_ dialect: Dialect, _ numbers: ConnectionJSON.Numbers) throws(ConnectionError) -> Connection {
        try refuseUnknown(dialect)
        if let uri = try uri(dialect) {
            try refuseMixed(dialect)
            var found = try ConnectionURI.parse(uri, dialect: dialect)
            found.description = try text(.description, numbers)
            return found
        }
        var found = Connection()
        if let type = self[.connType], type.value.isTruthy, let text = try text(.connType, numbers) {
            found.connType = ConnectionURI.normalizedType(text)
        }
        found.host = try text(.host, numbers)
        found.login = try text(.login, numbers)
        found.password = try password(dialect, numbers)
        found.schema = try text(.schema, numbers)
        found.port = try port()
        found.extra = try extra(dialect)
        found.description = try text(.description, numbers)
        return found
    }

    private func refuseUnknown(_ dialect: Dialect) throws(ConnectionError) {
        for member in members {
            switch member.field {
            case .connType, .host, .login, .password, .schema, .port, .extra, .description, .uri: continue
            case .teamName where dialect == .server: continue
            case .connID: throw ConnectionError(.connIDInside, at: member.nameOffset, field: .connID)
            default: throw ConnectionError(.unknownField, at: member.nameOffset)
            }
        }
    }

    /// The database models take a `uri` that is false in Python for none; the Task SDK only a null.
    private func uri(_ dialect: Dialect) throws(ConnectionError) -> String? {
        guard let member = self[.uri], dialect == .sdk || member.value.isTruthy else { return nil }
        return try text(.uri, .refused)
    }

    private func refuseMixed(_ dialect: Dialect) throws(ConnectionError) {
        let port = try port()
        let mixed = members.first { member in
            switch member.field {
            case .uri: false
            // `from_json` takes these three out when they are false, before the constructor looks. A port "0" is true, but
            // the number it becomes is false again.
            case .port where dialect != .sdk: port.map { $0 != 0 } ?? false
            case .connType, .port, .extra: member.value.isTruthy
            case .description, .teamName: dialect == .sdk
            default: dialect == .sdk || member.value.isTruthy
            }
        }
        if let mixed { throw ConnectionError(.uriMixed, at: mixed.nameOffset, field: .uri) }
    }

    func text(_ field: Field, _ numbers: ConnectionJSON.Numbers) throws(ConnectionError) -> String? {
        guard let member = self[field] else { return nil }
        switch member.value {
        case .null: return nil
        case .string(let value):
            guard let text = value.text else {
                throw ConnectionError(.loneSurrogate, at: member.valueOffset, field: field)
            }
            return text
        case .integer(let digits) where numbers == .asText: return digits
        case .float(let value) where numbers == .asText: return PythonFloat.json(value)
        default: throw ConnectionError(.notString, at: member.valueOffset, field: field)
        }
    }

    func plainPort() throws(ConnectionError) -> Int? {
        guard let member = self[.port] else { return nil }
        switch member.value {
        case .null: return nil
        case .integer(let digits):
            if let port = Int(digits) { return port }
            throw ConnectionError(.portTooLarge, at: member.valueOffset, field: .port)
        default: throw ConnectionError(.portNotInteger, at: member.valueOffset, field: .port)
        }
    }

    private func password(_ dialect: Dialect, _ numbers: ConnectionJSON.Numbers) throws(ConnectionError) -> String? {
        if dialect.dropsEmptyPassword, self[.password]?.value.isTruthy == false { return nil }
        return try text(.password, numbers)
    }

    /// `int(port)`, of anything that is true in Python.
    private func port() throws(ConnectionError) -> Int? {
        guard let member = self[.port], member.value.isTruthy else { return nil }
        func refusal(_ reason: ConnectionError.Reason) -> ConnectionError {
            ConnectionError(reason, at: member.valueOffset, field: .port)
        }
        switch member.value {
        case .bool: return 1
        case .integer(let digits):
            guard let port = Int(digits) else { throw refusal(.portTooLarge) }
            return port
        case .float(let value):
            guard value.isFinite else { throw refusal(.portNotInteger) }
            guard let port = Int(exactly: value.rounded(.towardZero)) else { throw refusal(.portTooLarge) }
            return port
        case .string(let text):
            guard let text = text.text else { throw refusal(.portNotInteger) }
            do {
                return try PythonText.integer(text)
            } catch {
                switch error {
                case .notInteger: throw refusal(.portNotInteger)
                case .tooLarge: throw refusal(.portTooLarge)
                case .tooLong: throw refusal(.numberTooLong)
                }
            }
        case .null, .array, .object: throw refusal(.portNotInteger)
        }
    }

    /// A string is kept, anything else that is true in Python is written as JSON text.
    private func extra(_ dialect: Dialect) throws(ConnectionError) -> String? {
        guard let member = self[.extra], member.value.isTruthy else { return nil }
        var extra = member.value.dumped
        if case .string = member.value { extra = try text(.extra, .refused) ?? "" }
        do {
            try ConnectionExtra.check(extra, dialect)
        } catch {
            throw ConnectionError(error.reason, at: member.valueOffset, field: .extra)
        }
        return extra
    }
}
