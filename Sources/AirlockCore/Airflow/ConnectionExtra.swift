/// What each Airflow makes of the text of `extra`.
enum ConnectionExtra {
    /// Airflow's database models check extra when it is set, the 3.x one strictly; Airflow 2 only warns, but fails where
    /// Python's JSON reader fails on other than syntax. The Task SDK does not look.
    static func check(_ text: String, _ dialect: Dialect) throws(ConnectionError) {
        if dialect == .sdk || text.isEmpty { return }
        do {
            let value = try PythonJSONReader.read(text)
            if dialect == .server {
                guard case .object = value else { throw ConnectionError(.extraNotObject, field: .extra) }
            }
        } catch let failure as PythonJSONReader.Failure {
            if case .syntax = failure, dialect != .server { return }
            if case .syntax = failure { throw ConnectionError(.extraNotJSON, field: .extra) }
            throw ConnectionError(failure.reason, field: .extra)
        } catch let refusal as ConnectionError {
            throw refusal
        } catch {
            throw ConnectionError(.extraNotJSON, field: .extra)
        }
    }

    /// `extra_dejson`: no JSON counts as an empty object.
    static func decoded(_ text: String) throws(ConnectionError) -> PythonJSON {
        do {
            return try PythonJSONReader.read(text)
        } catch .syntax {
            return .object([])
        } catch {
            throw ConnectionError(error.reason, field: .extra)
        }
    }
}
