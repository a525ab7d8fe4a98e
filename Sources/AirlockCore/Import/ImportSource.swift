/// What a person says about the files to be read.
package struct ImportReading: Sendable {
    /// JSON and YAML files, and lines without a prefix, hold variables.
    package var readsVariables: Bool
    /// `username` and its like stand for Airflow's own names.
    package var mapsAliases: Bool

    package init(readsVariables: Bool = false, mapsAliases: Bool = false) {
        self.readsVariables = readsVariables
        self.mapsAliases = mapsAliases
    }
}

/// What a file holds for an import. Each kind of file has an initialiser of its own.
package struct ImportSource: Sendable {
    package struct Skipped: Sendable, Equatable {
        package let name: String
        package let origin: ImportOrigin

        package init(name: String, origin: ImportOrigin) {
            self.name = name
            self.origin = origin
        }
    }

    package struct Note: Sendable, Equatable, CustomStringConvertible {
        package let origin: ImportOrigin
        package let message: String

        package var description: String { "\(origin): \(message)" }
    }

    package let name: String
    package let reading: ImportReading
    package private(set) var candidates: [ImportCandidate] = []
    package private(set) var skipped: [Skipped] = []
    package private(set) var rejected: [Note] = []

    /// A source that is filled by `offer`, `skip` and `reject`.
    package init(named name: String, reading: ImportReading = ImportReading()) {
        self.name = name
        self.reading = reading
    }

    package mutating func offer(_ candidate: ImportCandidate) {
        if let fault = candidate.target.fault { return reject(candidate.origin, fault) }
        guard candidate.text.revealed.utf8.count <= ImportCandidate.sizeLimit else {
            return reject(candidate.origin, ImportCandidate.tooLarge)
        }
        candidates.append(candidate)
    }

    package mutating func skip(_ name: String, from origin: ImportOrigin) {
        skipped.append(Skipped(name: name, origin: origin))
    }

    package mutating func reject(_ origin: ImportOrigin, _ reason: String) {
        rejected.append(Note(origin: origin, message: reason))
    }

    /// Nothing of a file is offered that cannot be read to its end: what is missing may be what matters.
    package mutating func rejectAll(_ origin: ImportOrigin, _ reason: String) {
        candidates = []
        rejected = [Note(origin: origin, message: reason)]
    }
}

// MARK: - .env files and the environment

extension ImportSource {
    /// `AIRFLOW_CONN_<ID>` and `AIRFLOW_VAR_<KEY>` lines. A file with neither is one of `ID=uri` lines, as
    /// `airflow connections import` takes it.
    package init(_ file: EnvFile, named source: String, reading: ImportReading = ImportReading()) {
        self.init(named: source, reading: reading)
        let hasPrefix = file.entries.contains { ImportSource.target(ofVariable: $0.name) != nil }
        let bareKind = reading.readsVariables ? ImportTarget.Kind.variable : .connection
        for entry in file.entries {
            let origin = ImportOrigin(source: source, line: entry.line)
            let target =
                hasPrefix ? ImportSource.target(ofVariable: entry.name) : ImportTarget(bareKind, id: entry.name)
            guard let target else {
                skip(entry.name, from: origin)
                continue
            }
            let warnings = entry.hasReference ? ["holds ${...} or $(...), which is imported as it stands"] : []
            add(target, origin, entry.value, isFile: !hasPrefix, warnings)
        }
        for fault in file.faults { reject(.init(source: source, line: fault.line), fault.reason) }
    }

    /// The `AIRFLOW_CONN_<ID>` and `AIRFLOW_VAR_<KEY>` among a process's variables; others are not this program's business.
    package init(environment: [String: String], reading: ImportReading = ImportReading()) {
        self.init(named: "environment", reading: reading)
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            guard let target = ImportSource.target(ofVariable: name) else { continue }
            let origin = ImportOrigin(source: "environment \(name)")
            guard !value.unicodeScalars.contains("\u{FFFD}") else {
                reject(origin, "the value is not valid UTF-8")
                continue
            }
            add(target, origin, SecretText(value), isFile: false, [])
        }
    }

    private mutating func add(
        _ target: ImportTarget, _ origin: ImportOrigin, _ text: SecretText, isFile: Bool, _ warnings: [String]
    ) {
        // An object of Airflow's own names, and what is no object, is judged as it stands.
        guard target.kind == .connection, let members = ImportSource.members(text.revealed, origin.line),
            isFile || ConnectionObject.hasOtherNames(members)
        else { return offer(ImportCandidate(target, from: origin, text: text, warnings: warnings)) }
        offer(
            ConnectionObject(members, id: target.id, reading: reading, isFile: isFile), as: target, from: origin,
            warnings)
    }

    private static func members(_ text: String, _ line: Int) -> [ConnectionObject.Member]? {
        guard ConnectionText.opensLikeObject(text) else { return nil }
        var members: [ConnectionObject.Member] = []
        var hasFlaw = false
        do throws(JSON.SyntaxError) {
            try JSON.forEachMember(of: Array(text.utf8), stringLimit: ImportCandidate.sizeLimit) { member in
                members.append(.init(name: member.name, line: line, value: member.value))
                hasFlaw = hasFlaw || member.flaw != nil
            }
        } catch {
            return nil
        }
        return hasFlaw ? nil : members
    }

    mutating func offer(
        _ object: ConnectionObject, as target: ImportTarget, from origin: ImportOrigin, _ warnings: [String]
    ) {
        for reason in object.reasons { reject(origin, reason) }
        guard object.reasons.isEmpty else { return }
        offer(
            ImportCandidate(
                ImportTarget(target.kind, team: object.team ?? target.team, id: target.id), from: origin,
                text: SecretText(object.text(from: origin.line)), keepsLines: true,
                warnings: warnings + object.warnings))
    }

    /// Airflow looks a lower- or upper-case id up by its upper-case name, so the name cannot tell which it was; ids are
    /// lower-case by custom.
    static func target(ofVariable name: String) -> ImportTarget? {
        for (prefix, kind) in [("AIRFLOW_CONN_", ImportTarget.Kind.connection), ("AIRFLOW_VAR_", .variable)]
        where name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.count).lowercased()
            // AIRFLOW_CONN__<TEAM>___<ID>
            if rest.hasPrefix("_"), let gap = rest.dropFirst().firstRange(of: "___") {
                let (team, id) = (rest.dropFirst()[..<gap.lowerBound], rest[gap.upperBound...])
                if !team.isEmpty, !id.isEmpty { return ImportTarget(kind, team: String(team), id: String(id)) }
            }
            return ImportTarget(kind, id: rest)
        }
        return nil
    }
}
