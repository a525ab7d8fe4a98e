import AirlockCore

/// A plan as it is shown: names of fields, never a value.
struct PlanReport {
    private let plan: ImportPlan
    /// `nil` when the target was not asked.
    private let planning: Planning?

    init(_ plan: ImportPlan, _ planning: Planning?) {
        self.plan = plan
        self.planning = planning
    }

    // MARK: Table

    var table: [String] {
        var rows = plan.items.indices.map { index in
            let item = plan.items[index]
            let changes = decision(index)?.changes.map(\.description).joined(separator: " ")
            return [
                verb(index), item.target.kind.rawValue, item.target.name, item.origin.description, changes ?? "",
            ]
        }
        rows += rejected.map { [$0.verb, $0.target?.kind.rawValue ?? "-", $0.target?.name ?? "-", "\($0.origin)", ""] }
        rows += plan.skipped.map { ["skip", "-", $0.name, $0.origin.description, ""] }
        return Console.table(rows)
    }

    /// What could not be read is neither planned nor rejected.
    private func verb(_ index: Int) -> String {
        guard let planning else { return "import" }
        return planning.action(index)?.rawValue ?? "unknown"
    }

    private func decision(_ index: Int) -> ImportDecision? {
        if case .made(let decision, _)? = planning?.decided[index] { decision } else { nil }
    }

    private struct Rejected {
        let verb: String
        let origin: ImportOrigin
        let target: ImportTarget?
    }

    /// Each line once, whatever is wrong with it.
    private var rejected: [Rejected] {
        var seen: Set<ImportOrigin> = []
        return plan.rejected.filter { seen.insert($0.origin).inserted }.map { note in
            Rejected(
                verb: plan.collisions.contains(note.origin) ? "conflict" : "rejected", origin: note.origin,
                target: plan.rejectedTargets[note.origin])
        }
    }

    // MARK: Counts

    var counts: [(name: String, count: Int)] {
        var counts = ImportAction.allCases.map { ($0.rawValue, planning?.count($0) ?? 0) }
        counts.append(("rejected", plan.rejectedLines))
        if let failures = planning?.failures, failures > 0 { counts.append(("unknown", failures)) }
        return counts
    }

    // MARK: JSON

    /// In pieces, which follow one another.
    func json(_ target: JSON, _ emit: ([UInt8]) -> Void) {
        var notes: [ImportOrigin: [String]] = [:]
        for note in plan.warnings { notes[note.origin, default: []].append(note.message) }
        for note in plan.rejected { notes[note.origin, default: []].append(note.message) }
        emit(Array("{\"target\":".utf8) + target.bytes + Array(",\"items\":[".utf8))
        var separator = "\n"
        func line(_ members: [JSON.Member]) {
            emit(Array(separator.utf8) + JSON.object(members).bytes)
            separator = ",\n"
        }
        for index in plan.items.indices {
            let item = plan.items[index]
            var members = PlanReport.members(verb(index), item.target, item.origin)
            members.append(.init("changes", .array((decision(index)?.changes ?? []).map(\.json))))
            if let reason = decision(index)?.reason { members.append(.init("reason", .string(reason))) }
            members.append(.init("findings", .strings(notes[item.origin] ?? [])))
            line(members)
        }
        for one in rejected {
            line(
                PlanReport.members(one.verb, one.target, one.origin) + [
                    .init("changes", []), .init("findings", .strings(notes[one.origin] ?? [])),
                ])
        }
        let skipped = plan.skipped.map { ["name": .string($0.name), "origin": .string("\($0.origin)")] as JSON }
        let summary = JSON.object(counts.map { JSON.Member($0.name, .integer($0.count)) })
        // What closes the list goes on with the rest of the object.
        let rest = JSON.object([.init("skipped", .array(skipped)), .init("summary", summary)]).bytes
        emit(Array("\n],".utf8) + rest.dropFirst() + [UInt8(ascii: "\n")])
    }

    private static func members(_ verb: String, _ target: ImportTarget?, _ origin: ImportOrigin) -> [JSON.Member] {
        [
            .init("action", .string(verb)), .init("kind", .orNull(target?.kind.rawValue)),
            .init("team", .orNull(target?.team)), .init("id", .orNull(target?.id)),
            .init("origin", .string(origin.description)),
        ]
    }
}
