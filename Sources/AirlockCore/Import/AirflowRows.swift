/// Makes candidates of the rows of an Airflow metadata database: the fields as Airflow gives them to a task.
package struct AirflowRows {
    /// The values of `AirflowTable.query`'s columns, in their order, as UTF-8; `nil` is NULL.
    package typealias Values = [[UInt8]?]

    private let database: String
    private let keyCount: Int
    private let open: ([UInt8]) -> [UInt8]?
    private var count = 0
    package private(set) var source: ImportSource

    /// - Parameter open: decrypts a Fernet token by whichever of the keys fits; `nil` if none does.
    package init(of database: String, keyCount: Int, open: @escaping ([UInt8]) -> [UInt8]?) {
        self.database = database
        source = ImportSource(named: database)
        self.keyCount = keyCount
        self.open = open
    }

    package mutating func add(_ values: Values, of table: AirflowTable) {
        count += 1
        var row = Row(values: values, keyCount: keyCount, open: open)
        let (kind, text): (ImportTarget.Kind, SecretText?) =
            switch table {
            case .connection: (.connection, row.connection())
            case .variable: (.variable, row.variable())
            }
        let target = ImportTarget(kind, team: row.team, id: row.id)
        let origin = ImportOrigin(
            source: database, line: count, row: "\(kind.rawValue) \(target.printable(target.name))")
        for fault in row.faults { source.reject(origin, fault) }
        guard row.faults.isEmpty, let text else { return }
        source.offer(
            ImportCandidate(target, from: origin, text: text, description: row.description, warnings: row.warnings))
    }
}

/// One row, and what is wrong with it.
private struct Row {
    let values: AirflowRows.Values
    let keyCount: Int
    let open: ([UInt8]) -> [UInt8]?
    private(set) var faults: [String] = []
    private(set) var warnings: [String] = []
    /// A variable's; a connection has it among its fields.
    private(set) var description: SecretText?

    var id: String { String(decoding: (values.first ?? nil) ?? [], as: UTF8.self) }
    var team: String? { (values.last ?? nil).map { String(decoding: $0, as: UTF8.self) } }

    init(values: AirflowRows.Values, keyCount: Int, open: @escaping ([UInt8]) -> [UInt8]?) {
        self.values = values
        self.keyCount = keyCount
        self.open = open
    }

    /// The JSON form of the fields. A URI would be parsed, which Airflow does not do with what its database holds.
    mutating func connection() -> SecretText? {
        let columns = AirflowTable.connectionColumns
        guard values.count == columns.count + 1 else { return mismatch() }
        let cells = Dictionary(uniqueKeysWithValues: zip(columns, values))
        func cell(_ name: String) -> [UInt8]? { cells[name] ?? nil }
        var members: [JSON.Member] = []
        for name in ["conn_type", "description", "host", "login", "schema"] {
            if let text = text(cell(name), name) { members.append(.init(name, .string(text))) }
        }
        for (name, flag) in [("password", "is_encrypted"), ("extra", "is_extra_encrypted")] {
            // Airflow decrypts no empty password or extra, whatever the flag says.
            let isEncrypted = isTrue(cell(flag)) && cell(name)?.isEmpty == false
            if let text = isEncrypted ? opened(cell(name), name) : text(cell(name), name) {
                members.append(.init(name, .string(text)))
            }
        }
        if let text = text(cell("port"), "port") {
            // Airflow takes the number 0 for no port at all, but reads the text.
            let port = Int(text).flatMap { $0 == 0 ? nil : JSON.integer($0) }
            members.append(.init("port", port ?? .string(text)))
        }
        if let type = text(cell("conn_type"), "conn_type"), ConnectionURI.normalizedType(type) != type {
            warnings.append("from a vault Airflow reads `conn_type` with _ for -, and postgresql as postgres")
        }
        return SecretText(String(decoding: JSON.object(members).bytes, as: UTF8.self))
    }

    mutating func variable() -> SecretText? {
        guard values.count == AirflowTable.variableColumns.count + 1 else { return mismatch() }
        guard let value = values[1] else {
            faults.append("`val` is NULL, which to Airflow is no variable; set it, or remove the row")
            return nil
        }
        description = text(values[2], "description").map { SecretText($0) }
        return (isTrue(values[3]) ? opened(value, "val") : text(value, "val")).map { SecretText($0) }
    }

    /// `1` and `0` in SQLite, `t` and `f` in PostgreSQL.
    private func isTrue(_ value: [UInt8]?) -> Bool {
        guard let value else { return false }
        return !value.elementsEqual("0".utf8) && !value.elementsEqual("f".utf8)
    }

    private mutating func opened(_ token: [UInt8]?, _ name: String) -> String? {
        guard let token else { return nil }
        if let bytes = open(token) { return text(bytes, name) }
        faults.append(
            keyCount == 0
                ? "`\(name)` is encrypted and there is no Fernet key; give Airflow's by --fernet-key-file or AIRFLOW__CORE__FERNET_KEY"
                : "none of the \(keyCount) Fernet keys opens `\(name)`; add the key that it was encrypted with")
        return nil
    }

    private mutating func text(_ bytes: [UInt8]?, _ name: String) -> String? {
        guard let bytes else { return nil }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        faults.append("`\(name)` is not UTF-8")
        return nil
    }

    private mutating func mismatch() -> SecretText? {
        faults.append("the row has another number of columns than was asked for")
        return nil
    }
}
