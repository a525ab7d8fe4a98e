/// An object that stands for a connection in a file, with the names that files may have and Airflow's JSON form has not:
/// https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/secrets/local_filesystem.py
///
/// - `conn_id`, when it is the id that the connection goes by anyway;
/// - `team_name`, which becomes part of the path;
/// - `extra_dejson` in place of `extra`;
/// - on demand what other tools call the fields.
struct ConnectionObject {
    typealias Field = ConnectionError.Field

    struct Member {
        let name: String
        /// Of the source.
        let line: Int
        let value: JSON
    }

    private(set) var team: String?
    /// Why the object is no connection.
    private(set) var reasons: [String] = []
    private(set) var warnings: [String] = []
    private var members: [Member] = []
    private let isFile: Bool
    private let mapsAliases: Bool

    /// - Parameter isFile: not a value of the environment, where Airflow takes fewer names.
    init(_ members: [Member], id: String, reading: ImportReading, isFile: Bool) {
        self.isFile = isFile
        mapsAliases = reading.mapsAliases
        for member in members { take(member, id) }
        refuseRivals()
    }

    /// What other tools call the fields: Airflow's own list for AWS secrets, and the shape of Amazon RDS and its like.
    /// https://github.com/apache/airflow/blob/main/providers/amazon/src/airflow/providers/amazon/aws/secrets/secrets_manager.py
    private static let aliases: [String: Field] = [
        "username": .login, "user": .login, "user_name": .login, "hostname": .host, "server": .host,
        "remote_host": .host, "engine": .connType, "type": .connType, "connection_type": .connType, "dbname": .schema,
        "database": .schema, "db": .schema, "pass": .password, "passwd": .password, "pwd": .password,
        "extras": .extra, "connection_id": .connID, "conn_uri": .uri,
    ]

    /// What the secrets of Amazon RDS name besides, and no hook wants.
    private static let leftOut: Set<String> = ["dbInstanceIdentifier", "dbClusterIdentifier"]

    private static let fields: Set<String> = Set(
        [Field.connType, .host, .login, .password, .schema, .port, .extra, .description, .uri].map(\.rawValue))

    /// Whether an object has other names than Airflow's JSON form.
    static func hasOtherNames(_ members: [Member]) -> Bool {
        members.contains { !fields.contains($0.name) }
    }

    /// Whether a name tells that an object is meant for a connection.
    static func isName(_ name: String) -> Bool { fields.contains(name) || aliases[name.lowercased()] != nil }

    private mutating func take(_ member: Member, _ id: String) {
        if ConnectionObject.fields.contains(member.name) {
            members.append(normalized(member))
            return
        }
        let alias = ConnectionObject.aliases[member.name.lowercased()]
        switch member.name {
        case Field.connID.rawValue: checkID(member, id)
        case Field.teamName.rawValue where isFile: takeTeam(member)
        case "extra_dejson" where isFile || mapsAliases: takeDejson(member)
        case "extra_dejson":
            refuse(member, "`extra_dejson` is known in files only", "write `extra`, or let --map-aliases do it")
        case _ where alias == .connID && mapsAliases: checkID(member, id)
        case _ where alias != nil && mapsAliases:
            members.append(Member(name: alias?.rawValue ?? "", line: member.line, value: member.value))
        case _ where ConnectionObject.leftOut.contains(member.name) && mapsAliases:
            warnings.append("`\(member.name)` is left out (line \(member.line)), as Airflow has no field for it")
        default: refuseUnknown(member, alias)
        }
    }

    /// The number 0 is no port to Airflow's JSON form, and a port in a file.
    private func normalized(_ member: Member) -> Member {
        guard isFile, member.name == Field.port.rawValue, member.value.integer == 0 else { return member }
        return Member(name: member.name, line: member.line, value: "0")
    }

    private mutating func checkID(_ member: Member, _ id: String) {
        let isSame = member.value.text.map { text in
            // A variable of the environment does not tell cases apart.
            isFile ? text.utf8.elementsEqual(id.utf8) : text.lowercased().utf8.elementsEqual(id.lowercased().utf8)
        }
        guard isSame != true, !member.value.isNull else { return }
        refuse(
            member, "`conn_id` is another id than the one before the connection", "remove it, or correct one of them")
    }

    private mutating func takeTeam(_ member: Member) {
        if member.value.isNull { return }
        guard let name = member.value.text, !name.isEmpty else {
            return refuse(member, "`team_name` is no text", "write the team's name in quotes, or remove it")
        }
        team = name
    }

    /// `json.dumps` of it: an empty object stays one, which as `extra` it would not.
    private mutating func takeDejson(_ member: Member) {
        guard let inner = member.value.members else {
            return refuse(
                member, "`extra_dejson` is no object", "write an object, or `extra` with a text that holds one")
        }
        members.append(
            Member(name: Field.extra.rawValue, line: member.line, value: inner.isEmpty ? "{}" : member.value))
    }

    private mutating func refuseUnknown(_ member: Member, _ alias: Field?) {
        if let alias {
            let name = member.name.lowercased()
            refuse(
                member, "`\(name)` is no field that Airflow knows",
                alias == .connID ? "remove it" : "write `\(alias.rawValue)`, or let --map-aliases do it")
        } else if ConnectionObject.leftOut.contains(member.name) {
            refuse(
                member, "`\(member.name)` is no field that Airflow knows",
                "remove it, or let --map-aliases leave it out")
        } else if member.name == Field.teamName.rawValue {
            refuse(
                member, "`team_name` stands in a value of the environment", "name the variable AIRFLOW_CONN__TEAM___ID")
        } else {
            refuse(
                member, "a field that Airflow does not know, for which it refuses the whole connection",
                "remove it, or move it into `extra`")
        }
    }

    private mutating func refuse(_ member: Member, _ message: String, _ fix: String) {
        reasons.append("\(message) (line \(member.line)): \(fix)")
    }

    /// Two names for one field: neither is better than the other.
    private mutating func refuseRivals() {
        var lines: [String: Int] = [:]
        for member in members {
            if let line = lines[member.name] {
                reasons.append(
                    "`\(member.name)` is given twice (lines \(line) and \(member.line)): "
                        + "remove one of them")
            }
            lines[member.name] = member.line
        }
    }

    /// The object as Airflow's JSON form, each member as many lines below the first as it is in the file.
    func text(from firstLine: Int) -> String {
        var out: [UInt8] = [UInt8(ascii: "{")]
        var line = firstLine
        for (index, member) in members.enumerated() {
            if index > 0 { out += ", ".utf8 }
            while line < member.line {
                out.append(10)
                line += 1
            }
            JSON.string(member.name).write(to: &out)
            out += ": ".utf8
            member.value.write(to: &out)
        }
        out.append(UInt8(ascii: "}"))
        return String(decoding: out, as: UTF8.self)
    }
}
