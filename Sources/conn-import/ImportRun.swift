import AirlockCore
import AirlockUpstream

/// One run of the program, from the finished plan to the exit code.
struct ImportRun {
    let plan: ImportPlan
    let settings: ImportSettings
    let options: ConnImport

    func run() async -> Int32 {
        for note in plan.warnings { Console.complain("\(note.origin): warning: \(note.message)") }
        for note in plan.rejected { Console.complain("\(note)") }
        if options.dryRun { return await showPlan() }
        for skipped in plan.skipped {
            Console.complain("\(skipped.origin): skipped \(skipped.name), which is no connection or variable")
        }
        guard plan.rejected.isEmpty || options.skipRejected else {
            Console.complain(
                "Nothing was written, because \(Console.counted(plan.rejectedLines, "line")) "
                    + "cannot be imported. Correct what is named above, or import the rest with --skip-rejected.")
            Console.say(summary([]))
            return ConnImport.Exit.failed
        }
        return await write()
    }

    // MARK: Write

    private func write() async -> Int32 {
        let server: ImportSettings.Server
        switch settings.server {
        case .failure(let error):
            Console.complain("conn-import: \(error.message)")
            return ConnImport.Exit.usage
        case .success(let found): server = found
        }
        do {
            let importer = try await importer(server)
            var bar = ProgressBar(total: plan.items.count)
            let outcomes = await importer.forAll(plan.items, progress: { bar.advance() }, importer.apply)
            bar.clear()
            return finish(outcomes)
        } catch {
            Console.complain("conn-import: \(ImportRun.text(error)). Nothing was written.")
            Console.say(summary([]))
            return ConnImport.Exit.failed
        }
    }

    private func importer(_ server: ImportSettings.Server) async throws -> Importer {
        let mount = try await settings.mount(on: server)
        let importer = Importer(client: server.client, mount: mount, layout: settings.layout)
        if let first = plan.items.first { try await importer.probe(first) }
        return importer
    }

    private func finish(_ outcomes: [Importer.Outcome]) -> Int32 {
        var notTried = 0
        var failed = false
        for (item, outcome) in zip(plan.items, outcomes) {
            switch outcome {
            case .done: break
            case .failed(let reason):
                failed = true
                Console.complain("\(item.origin): \(item.target.kind.rawValue) \(item.target.name): \(reason)")
            case .notTried: notTried += 1
            }
        }
        if failed {
            let left = notTried > 0 ? " \(notTried) were not tried after the failure." : ""
            Console.complain("Not all could be written.\(left) Run it again: what is there already is left alone.")
        }
        Console.say(summary(outcomes))
        return failed || !plan.rejected.isEmpty ? ConnImport.Exit.failed : ConnImport.Exit.done
    }

    // MARK: Dry run

    private func showPlan() async -> Int32 {
        var actions: [Importer.Outcome] = []
        switch settings.server {
        case .failure(let error): Console.complain("The target was not asked: \(error.message).")
        case .success(let server):
            do {
                let importer = try await importer(server)
                actions = await importer.forAll(plan.items) { try await importer.action(for: $0).0 }
            } catch {
                Console.complain("The target was not asked: \(ImportRun.text(error)).")
            }
        }
        var rows: [[String]] = []
        for (index, item) in plan.items.enumerated() {
            var verb = "import"
            if index < actions.count {
                switch actions[index] {
                case .done(let action): verb = action.rawValue
                case .failed(let reason): Console.complain("\(item.origin): \(item.target.name): \(reason)")
                case .notTried: break
                }
            }
            rows.append([verb, item.target.kind.rawValue, item.target.name, item.origin.description])
        }
        rows += plan.skipped.map { ["skip", "-", $0.name, $0.origin.description] }
        for line in ImportRun.table(rows) { Console.say(line) }
        // What is there already only the server knows.
        if actions.isEmpty { actions = plan.items.map { _ in .done(.create) } }
        Console.say("dry run, nothing was written: \(summary(actions, "would import"))")
        return plan.rejected.isEmpty ? ConnImport.Exit.done : ConnImport.Exit.failed
    }

    private static func table(_ rows: [[String]]) -> [String] {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return cells.joined(separator: "  ").trimmingSuffix(" ")
        }
    }

    // MARK: Summary

    /// - Parameter outcomes: one for each item of the plan, in order; none at all where the server was not asked.
    private func summary(_ outcomes: [Importer.Outcome], _ verb: String = "imported") -> String {
        var counted: [ImportPlan.Item] = []
        var (unchanged, failed) = (0, 0)
        for (item, outcome) in zip(plan.items, outcomes) {
            switch outcome {
            case .done(.unchanged): unchanged += 1
            case .done: counted.append(item)
            case .failed, .notTried: failed += 1
            }
        }
        let connections = counted.count { $0.target.kind == .connection }
        var text =
            "\(verb) \(Console.counted(connections, "connection")), "
            + "\(Console.counted(counted.count - connections, "variable")); "
            + "skipped \(plan.skipped.count); rejected \(plan.rejectedLines)"
        if unchanged > 0 { text += "; unchanged \(unchanged)" }
        if failed > 0 { text += "; failed \(failed)" }
        return text
    }

    private static func text(_ error: any Error) -> String {
        (error as? UpstreamError)?.message ?? (error as? BackendKwargs.Fault)?.description ?? "\(type(of: error))"
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var slice = self[...]
        while slice.last == character { slice = slice.dropLast() }
        return String(slice)
    }
}
