/// The tables of Airflow's metadata database that hold connections and variables, as 2.10 and 3.x have them.
/// - https://github.com/apache/airflow/blob/2.10.5/airflow/models/connection.py
/// - https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/models/connection.py
package enum AirflowTable: String, Sendable, CaseIterable {
    case connection, variable

    /// The database has another shape than Airflow's.
    package struct Mismatch: Error {
        package let reason: String
    }

    static let connectionColumns = [
        "conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra", "is_encrypted",
        "is_extra_encrypted",
    ]
    static let variableColumns = ["key", "val", "description", "is_encrypted"]

    /// In the order in which `query` gives them; the team follows.
    private var columns: [String] {
        switch self {
        case .connection: AirflowTable.connectionColumns
        case .variable: AirflowTable.variableColumns
        }
    }

    /// Gives no row, and the names of the columns that this table has.
    package var columnsQuery: String { "SELECT * FROM \"\(rawValue)\" LIMIT 0" }

    /// - Parameter found: the columns that this table has.
    package func query(_ found: [String]) throws(Mismatch) -> String {
        if let missing = columns.first(where: { !found.contains($0) }) {
            throw Mismatch(
                reason: "its table `\(rawValue)` has no column `\(missing)`, so it is not of Airflow 2.10 or 3")
        }
        let fields = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        return "SELECT \(fields), \(AirflowTable.team(found)) FROM \"\(rawValue)\" AS secrets ORDER BY secrets.id"
    }

    /// Airflow 3.1 refers to a team by its id, 3.2 and later by its name, and earlier ones know none.
    private static func team(_ found: [String]) -> String {
        if found.contains("team_name") { return "secrets.team_name" }
        if found.contains("team_id") { return "(SELECT name FROM team WHERE team.id = secrets.team_id)" }
        return "NULL"
    }
}
