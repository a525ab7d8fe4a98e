import AirlockCore
import AirlockUpstream

/// What is to be done about each item of an import, decided on what the target has.
struct Planning: Sendable {
    enum Decided: Sendable {
        case made(ImportDecision, on: ImportState)
        /// The target does not tell.
        case failed(String)
    }

    let plan: ImportPlan
    let layout: ImportLayout
    let mount: ImportMount
    let key: PlanKey
    /// One for each item, in order.
    let decided: [Decided]
    let unlisted: [String]

    init(
        _ plan: ImportPlan, _ layout: ImportLayout, _ mount: ImportMount, rule: ConflictRule, key: PlanKey
    ) async throws {
        (self.plan, self.layout, self.mount, self.key) = (plan, layout, mount, key)
        var survey = Survey(mount)
        let twins = try await survey.twins(of: plan.items, in: layout)
        let paths = try plan.items.map { try layout.path(of: $0.target) }
        var decided = [Decided](repeating: .failed("not asked"), count: paths.count)
        var bar = ProgressBar(total: paths.count)
        defer { bar.clear() }
        try await survey.read(paths) { index, answer in
            switch answer {
            case .failure(let error): decided[index] = .failed(error.message)
            case .success(let found):
                decided[index] = .made(
                    ImportDecision(plan.items[index], stored: found?.data, twin: twins[index], rule: rule),
                    on: key.state(of: found, at: paths[index], in: mount))
            }
            bar.advance(by: 1)
        }
        self.decided = decided
        unlisted = survey.unlisted
    }

    func action(_ index: Int) -> ImportAction? {
        if case .made(let decision, _) = decided[index] { decision.action } else { nil }
    }

    func count(_ action: ImportAction) -> Int { decided.indices.count { self.action($0) == action } }

    var failures: Int { decided.indices.count { action($0) == nil } }

    /// What is to be written.
    func jobs() throws -> [ImportJob] {
        try plan.items.indices.compactMap { index in
            guard case .made(let decision, let state) = decided[index], decision.action.writes else { return nil }
            let item = plan.items[index]
            return ImportJob(
                item: index, path: try layout.path(of: item.target), content: item.content, replaces: state.version ?? 0
            )
        }
    }

    /// The same as a document, when every item is decided.
    func document(_ header: (Int) -> PlanDocument.Header) throws -> PlanDocument {
        let items: [PlannedItem] = try plan.items.indices.compactMap { index in
            guard case .made(let decision, let state) = decided[index] else { return nil }
            let item = plan.items[index]
            let path = try layout.path(of: item.target)
            return PlannedItem(
                target: item.target, origin: item.origin.description, path: path, action: decision.action,
                replaces: state, content: key.digest(item.content.payload, at: path))
        }
        return PlanDocument(header: header(items.count), items: items)
    }

    /// Tells on stderr what stands in the way, or what could not be looked at.
    func complain() {
        for folder in unlisted {
            Console.complain(
                "warning: \(mount.mount.path)/\(folder) may not be listed with this token, so an id there that differs "
                    + "from an imported one in upper and lower case alone is not noticed")
        }
        let messages = plan.items.indices.compactMap { index -> (String, String)? in
            let item = plan.items[index]
            let place = "\(item.origin): \(item.target.kind.rawValue) \(item.target.name)"
            switch decided[index] {
            case .failed(let reason): return (place, reason)
            case .made(let decision, _):
                guard let reason = decision.reason, decision.action == .conflict else { return nil }
                return (place, "conflict: \(reason)")
            }
        }
        Console.complain(each: messages)
    }
}
