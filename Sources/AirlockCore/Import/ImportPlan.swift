/// What an import would write, decided before anything is written. Nothing printable in it is secret.
package struct ImportPlan: Sendable {
    package struct Item: Sendable {
        package let target: ImportTarget
        package let origin: ImportOrigin
        package let content: ImportContent
    }

    /// In the order of the files.
    package private(set) var items: [Item] = []
    /// One note for each reason, so a line can have several.
    package private(set) var rejected: [ImportSource.Note] = []
    package var rejectedLines: Int { Set(rejected.map(\.origin)).count }
    package private(set) var warnings: [ImportSource.Note] = []
    package private(set) var skipped: [ImportSource.Skipped] = []

    /// What the rejected candidates would have been, and which of them are so for the sake of another.
    package private(set) var rejectedTargets: [ImportOrigin: ImportTarget] = [:]
    package private(set) var collisions: Set<ImportOrigin> = []

    package init(_ sources: [ImportSource]) {
        skipped = sources.flatMap(\.skipped)
        rejected = sources.flatMap(\.rejected)
        let rivals = ImportPlan.rivals(sources)
        for source in sources {
            for candidate in source.candidates {
                if let same = rivals[candidate.target.folded] {
                    collisions.insert(candidate.origin)
                    reject(candidate, clash(candidate, same))
                } else {
                    judge(candidate)
                }
            }
        }
        sort(&rejected, sources)
        sort(&warnings, sources)
    }

    /// Those that go by one name, or by two that Airflow's environment form takes for one.
    private static func rivals(_ sources: [ImportSource]) -> [ImportTarget: [ImportOrigin]] {
        var counts: [ImportTarget: Int32] = [:]
        for source in sources {
            for candidate in source.candidates { counts[candidate.target.folded, default: 0] += 1 }
        }
        var rivals: [ImportTarget: [ImportOrigin]] = [:]
        guard counts.count < sources.reduce(0, { $0 + $1.candidates.count }) else { return rivals }
        for source in sources {
            for candidate in source.candidates where counts[candidate.target.folded] ?? 0 > 1 {
                rivals[candidate.target.folded, default: []].append(candidate.origin)
            }
        }
        return rivals
    }

    private mutating func judge(_ candidate: ImportCandidate) {
        for warning in candidate.warnings { warn(candidate, warning) }
        switch ImportContent.read(candidate) {
        case .failure(let refusal): for reason in refusal.reasons { reject(candidate, reason) }
        case .success(let (content, notes)):
            for note in notes { warn(candidate, note) }
            items.append(Item(target: candidate.target, origin: candidate.origin, content: content))
        }
    }

    private mutating func reject(_ candidate: ImportCandidate, _ reason: String) {
        rejected.append(.init(origin: candidate.origin, message: reason))
        rejectedTargets[candidate.origin] = candidate.target
    }

    private mutating func warn(_ candidate: ImportCandidate, _ text: String) {
        warnings.append(.init(origin: candidate.origin, message: text))
    }

    private func clash(_ candidate: ImportCandidate, _ same: [ImportOrigin]) -> String {
        "\(candidate.target.kind.rawValue) \(candidate.target.name) is also given at "
            + same.filter { $0 != candidate.origin }.map(\.description).joined(separator: ", ") + "; keep one of them"
    }

    private func sort(_ notes: inout [ImportSource.Note], _ sources: [ImportSource]) {
        guard notes.count > 1 else { return }
        let names = sources.flatMap { $0.candidates.map(\.origin.source) + $0.rejected.map(\.origin.source) }
        let order = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        notes.sort {
            (order[$0.origin.source] ?? 0, $0.origin.line, $0.origin.column)
                < (order[$1.origin.source] ?? 0, $1.origin.line, $1.origin.column)
        }
    }
}

extension ImportTarget {
    /// Equal for two that Airflow's environment form, which tells no cases apart, takes for one. So does an import.
    var folded: ImportTarget {
        ImportTarget(kind, team: team.map(ImportTarget.folded), id: ImportTarget.folded(id))
    }

    /// Upper case first: `ß` becomes `SS`, as in Airflow.
    package static func folded(_ name: String) -> String { name.uppercased().lowercased() }
}

/// Where in a mount each kind goes: the places `VaultBackend`, with the same kwargs, looks first.
package struct ImportLayout: Sendable {
    private let kwargs: BackendKwargs

    package init(_ kwargs: BackendKwargs) { self.kwargs = kwargs }

    /// Whether a folder below one of those is a team's.
    package var hasTeams: Bool { kwargs.useTeamSecretsPath }

    /// Every folder that `VaultBackend` looks in, in its order; none where it does not look for that kind.
    package func folders(of kind: ImportTarget.Kind) -> [String] {
        let paths = kind == .connection ? kwargs.connectionsPaths : kwargs.variablesPaths
        return (paths ?? []) + (kwargs.globalSecretsPath.map { [$0] } ?? [])
    }

    package func path(of target: ImportTarget) throws(BackendKwargs.Fault) -> String {
        let base = try folder(of: target)
        return base.isEmpty ? target.name : "\(base)/\(target.name)"
    }

    /// Where the ids of that kind without a team lie; teams' folders lie there too.
    package func folder(of target: ImportTarget) throws(BackendKwargs.Fault) -> String {
        let (key, paths) =
            switch target.kind {
            case .connection: ("connections_path", kwargs.connectionsPaths)
            case .variable: ("variables_path", kwargs.variablesPaths)
            }
        guard let base = paths?.first else {
            throw BackendKwargs.Fault(
                key: key, reason: "is null or empty, so Airflow would look for no \(target.kind.rawValue); give a path")
        }
        if target.team != nil, !kwargs.useTeamSecretsPath {
            throw BackendKwargs.Fault(
                key: "use_team_secrets_path",
                reason: "is false, so Airflow would not find \(target.kind.rawValue) \(target.name) of a team")
        }
        return base
    }
}
