import AirlockCore
import ArgumentParser
import Foundation

/// An Airflow metadata database as a source, and the keys that open what is encrypted in it.
struct AirflowDatabaseOptions: ParsableArguments {
    @Option(
        name: .customLong("from-airflow-db"),
        help: ArgumentHelp(
            """
            Import the connections and variables of Airflow's metadata database: a SQLite file, the URL that Airflow has in \
            sql_alchemy_conn, or env to take that from AIRFLOW__DATABASE__SQL_ALCHEMY_CONN.
            """,
            valueName: "url"))
    var url: String?

    @Option(
        name: .customLong("fernet-key-file"),
        help: ArgumentHelp(
            """
            File with Airflow's Fernet keys, the old ones too, with commas or lines between; may be given several times. \
            AIRFLOW__CORE__FERNET_KEY in the environment is used as well.
            """,
            valueName: "file"))
    var fernetKeyFiles: [String] = []

    func read(environment: [String: String]) throws -> [ImportSource] {
        guard let given = url else {
            guard fernetKeyFiles.isEmpty else {
                throw ConnImport.UsageError(message: "--fernet-key-file goes with --from-airflow-db")
            }
            return []
        }
        let place = try AirflowDatabaseOptions.place(given, environment)
        let keys = try FernetKeys(files: fernetKeyFiles, environment: environment)
        switch place {
        case .sqlite(let path):
            var rows = AirflowRows(of: path, keyCount: keys.count, open: keys.open)
            try SQLiteDatabase(path: path).read(into: &rows)
            return [rows.source]
        case .postgreSQL(let parameters):
            let database = try PostgreSQLDatabase(parameters, environment: environment)
            var rows = AirflowRows(of: database.name, keyCount: keys.count, open: keys.open)
            try database.read(into: &rows)
            return [rows.source]
        }
    }

    private static func place(_ given: String, _ environment: [String: String]) throws -> AirflowDatabaseURL {
        let variable = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        let text = given == "env" ? environment[variable] : given
        guard let text, !text.isEmpty else {
            throw ConnImport.UsageError(message: "--from-airflow-db env needs \(variable) in the environment")
        }
        do throws(AirflowDatabaseURL.Fault) {
            let url = try AirflowDatabaseURL(text)
            if url.hasPassword, given != "env" {
                Console.complain(
                    "conn-import: warning: other users of the machine can see the password in --from-airflow-db; "
                        + "prefer env, PGPASSWORD or ~/.pgpass")
            }
            return url
        } catch {
            throw ConnImport.UsageError(message: "\(given == "env" ? variable : "--from-airflow-db") \(error.reason)")
        }
    }
}
