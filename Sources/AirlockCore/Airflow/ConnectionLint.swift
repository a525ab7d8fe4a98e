/// Looks for what Airflow would silently read as something else, or refuse, in a connection's text, and says what to write.
/// A text without an error among its findings is read by every Airflow, and means what it says.
package enum ConnectionLint {
    /// - Parameter text: either of Airflow's forms, a URI or a JSON object.
    package static func findings(in text: String, dialect: Dialect = .sdk) -> [Finding] {
        var linter = Linter(bytes: Array(text.utf8))
        linter.lintText(dialect)
        return linter.sorted
    }

    /// - Parameter data: the data object of a vault secret.
    package static func findings(inPayload data: [UInt8], dialect: Dialect = .sdk) -> [Finding] {
        var linter = Linter(bytes: data)
        linter.lintPayload(dialect)
        return linter.sorted
    }

    struct Linter {
        let bytes: [UInt8]
        private(set) var findings: [Finding] = []

        init(bytes: [UInt8]) { self.bytes = bytes }

        /// By place, and those of one place in the order they were found.
        var sorted: [Finding] {
            findings.enumerated().sorted { ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset) }.map(
                \.element)
        }

        var hasError: Bool { findings.contains { $0.severity == .error } }

        mutating func add(
            _ code: Finding.Code, at offset: Int, _ field: ConnectionError.Field?, _ message: String, fix: String
        ) {
            findings.append(Finding(code: code, offset: offset, field: field, message: message, fix: fix))
        }

        mutating func add(_ code: Finding.Code, at offset: Int, _ message: String, fix: String) {
            add(code, at: offset, nil, message, fix: fix)
        }

        /// Findings about a text that is the value of a JSON member: its own places would mislead, as escapes move them.
        mutating func add(_ inner: [Finding], within offset: Int, _ field: ConnectionError.Field) {
            for finding in inner {
                findings.append(
                    Finding(
                        code: finding.code, offset: offset, field: finding.field ?? field,
                        message: finding.message, fix: finding.fix + " (inside this value)"))
            }
        }
    }
}

// MARK: - Text of either form

extension ConnectionLint.Linter {
    mutating func lintText(_ dialect: Dialect) {
        let text = String(decoding: bytes, as: UTF8.self)
        let stripped = PythonText.strip(text)
        guard let first = stripped.utf8.first, let last = stripped.utf8.last else {
            add(.emptyText, at: 0, "there is nothing to read", fix: "write `TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA`")
            return
        }
        let start = text.utf8.distance(from: text.utf8.startIndex, to: stripped.startIndex)
        if stripped.utf8.count < bytes.count {
            let end = start == 0 ? stripped.utf8.count : 0
            add(
                .surroundingBlanks, at: end, "blanks at the ends are cut off by some readers and kept by others",
                fix: "remove the blanks at both ends; percent-encode those that are data as %20")
        }
        if stripped.unicodeScalars.first == "\u{FEFF}" {
            add(
                .byteOrderMark, at: start, "a byte-order mark makes Airflow read JSON, or a scheme, as a path",
                fix: "remove the first 3 bytes (EF BB BF); save the file as UTF-8 without a mark")
            return
        }
        if stripped.utf8.count > 1, first == last, first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
            add(
                .quotedText, at: start, "the quotes are taken for part of the text, and all of it lands in `schema`",
                fix: "remove the quotes at bytes \(start) and \(start + stripped.utf8.count - 1)")
            return
        }
        switch first {
        case UInt8(ascii: "{"): lintJSON(Array(stripped.utf8), from: start, dialect)
        case UInt8(ascii: "["):
            add(
                .notObject, at: start, "a JSON list is taken for a URI, and all of it lands in `schema`",
                fix: "write one JSON object: {\"conn_type\": ..., \"host\": ...}")
        default: lintURI(start..<(start + stripped.utf8.count), dialect)
        }
    }

    mutating func lintPayload(_ dialect: Dialect) {
        guard let fields = try? ConnectionJSON.Fields(bytes), let member = fields[.connURI], member.value.isTruthy
        else {
            lintJSON(bytes, from: 0, dialect)
            return
        }
        if let other = fields.members.first(where: { $0.field != .connURI }) {
            add(
                .connURIShadowsFields, at: other.nameOffset, .connURI, "beside `conn_uri` no other field is read",
                fix: "remove `conn_uri`, or the other fields")
        }
        guard case .string(let value) = member.value, let text = value.text else {
            add(
                .notText, at: member.valueOffset, .connURI, "`conn_uri` must be text",
                fix: "write the URI in quotes")
            return
        }
        add(ConnectionLint.findings(in: text, dialect: dialect), within: member.valueOffset, .connURI)
    }
}

/// Connection types whose names may be shown, because they are no secret: those of Airflow's providers.
enum KnownTypes {
    static let all: Set<String> = [
        "adls", "airbyte", "aws", "azure", "azure-batch", "azure-container-instance", "azure-cosmos",
        "azure-data-explorer",
        "azure-data-factory", "azure-data-lake", "azure-service-bus", "azure-synapse", "cassandra", "cloudant",
        "databricks",
        "datadog", "dbt-cloud", "discord", "docker", "dockerhub", "drill", "druid", "elasticsearch", "emr", "exasol",
        "facebook-social", "fs", "ftp", "gcpbigquery", "gcpcloudsql", "gcpssh", "generic", "git", "github",
        "google-cloud-platform", "grpc", "hdfs", "hive-cli", "hive-metastore", "hiveserver2", "http", "https", "imap",
        "impala", "influxdb", "jdbc", "jenkins", "jira", "kafka", "kubernetes", "kylin", "leveldb", "livy",
        "mesos-framework",
        "mongo", "mongodb", "mssql", "mysql", "neo4j", "odbc", "opensearch", "openlineage", "opsgenie", "oracle",
        "pagerduty",
        "papermill", "pgvector", "pinecone", "pinot", "postgres", "postgresql", "presto", "qdrant", "qubole", "redis",
        "redshift", "s3", "salesforce", "samba", "segment", "sendgrid", "sftp", "slack", "slackwebhook", "smtp",
        "snowflake",
        "spark", "spark-connect", "sqlite", "sqoop", "ssh", "tableau", "tabular", "telegram", "teradata", "trino",
        "vault",
        "vertica", "wasb", "weaviate", "yandexcloud", "ydb", "zendesk",
    ]

    /// The type as a URI's scheme is written, when it may be shown.
    static func scheme(_ bytes: some Sequence<UInt8>) -> String? {
        let name = String(
            decoding: bytes.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : PythonURL.lowerASCII($0) },
            as: UTF8.self)
        return all.contains(name) ? name : nil
    }
}
