/// Loading a policy document into the account: what it changes, worked out before anything is written.
package struct ConjurLoad: Sendable {
    package enum Mode: Sendable {
        /// `POST`: adds, and deletes nothing.
        case add
        /// `PATCH`: also deletes what the document says.
        case change
        /// `PUT`: also deletes what the policy had been loaded with and the document does not name.
        case replace
    }

    /// Why it cannot be done.
    package enum Refusal: Error {
        case fault(ConjurPolicy.Fault)
        /// A record that the document names is not there.
        case missing(line: Int)
        case noPolicy
        /// Somebody else loaded a policy meanwhile.
        case conflict
    }

    package let policy: ConjurPolicy
    package let mode: Mode

    package init(_ policy: ConjurPolicy, mode: Mode) {
        self.policy = policy
        self.mode = mode
    }

    /// What is to be written and removed.
    package struct Plan {
        var written: [ConjurID: ConjurRecord] = [:]
        package fileprivate(set) var removed: Set<ConjurID> = []
        fileprivate(set) var madeHosts: [ConjurID] = []
        /// Of the policy, once this is done.
        fileprivate(set) var version = 0

        /// Whose values go with them.
        package var removedVariables: Set<ConjurID> { removed.filter { $0.kind == .variable } }
    }

    /// - Throws: `Refusal`
    package func plan(_ reader: any StorageReader, now: Timestamp) throws -> Plan {
        var plan = Plan()
        func record(_ id: ConjurID) throws -> ConjurRecord? {
            if let written = plan.written[id] { return written }
            return try plan.removed.contains(id) ? nil : reader.conjurRecord(id)
        }
        let branchID = ConjurID(.policy, policy.branch)
        guard var branch = try record(branchID) else { throw Refusal.noPolicy }
        branch.version += 1
        plan.version = branch.version
        plan.written[branchID] = branch

        if mode == .replace { try removeUnnamed(&plan, reader) }
        for declaration in policy.declarations {
            if var found = try record(declaration.id) {
                found.annotations.merge(declaration.annotations) { $1 }
                plan.written[declaration.id] = found
                continue
            }
            plan.written[declaration.id] = ConjurRecord(
                policy: policy.branch, created: now, annotations: declaration.annotations)
            if declaration.id.kind == .host { plan.madeHosts.append(declaration.id) }
        }
        var known: Set<ConjurID> = []
        func isThere(_ id: ConjurID) throws -> Bool {
            if known.contains(id) { return true }
            guard try record(id) != nil else { return false }
            known.insert(id)
            return true
        }
        for permit in policy.permits {
            guard try isThere(permit.resource), try isThere(permit.role) else {
                throw Refusal.missing(line: permit.line)
            }
        }
        for (role, permits) in Dictionary(grouping: policy.permits, by: \.role) {
            guard var host = try record(role) else { continue }
            add(permits, to: &host)
            plan.written[role] = host
        }
        try delete(&plan, reader)
        return plan
    }

    private func add(_ permits: [ConjurPolicy.Permit], to host: inout ConjurRecord) {
        var places: [ConjurID: Int] = [:]
        for (place, right) in host.rights.enumerated() where right.isGiven(by: policy.branch) {
            places[right.resource] = place
        }
        for permit in permits {
            if let place = places[permit.resource] {
                host.rights[place].privileges.formUnion(permit.privileges)
                continue
            }
            places[permit.resource] = host.rights.count
            host.rights.append(
                .init(
                    kind: permit.resource.kind.rawValue, name: permit.resource.name.text,
                    privileges: permit.privileges, policy: policy.branch))
        }
    }

    private func removeUnnamed(_ plan: inout Plan, _ reader: any StorageReader) throws {
        let named = Set(policy.declarations.map(\.id))
        for kind in [ConjurKind.variable, .policy, .host] {
            for (id, record) in try reader.conjurRecords(kind) where record.isLoaded(with: policy.branch) {
                if !named.contains(id), plan.written[id] == nil { plan.removed.insert(id) }
            }
        }
        for (id, host) in try reader.conjurRecords(.host) where !plan.removed.contains(id) {
            var host = host
            host.rights.removeAll { $0.isGiven(by: policy.branch) }
            plan.written[id] = host
        }
        try dropRights(&plan, reader)
        try checkEmpty(&plan, reader, line: 1)
    }

    private func delete(_ plan: inout Plan, _ reader: any StorageReader) throws {
        guard let first = policy.deletions.first else { return }
        guard mode != .add else {
            throw Refusal.fault(
                .init(line: first.line, reason: "!delete needs the policy to be changed (PATCH) or replaced (PUT)"))
        }
        for deletion in policy.deletions {
            guard deletion.id != ConjurID(.policy, policy.branch) else {
                throw Refusal.fault(
                    .init(
                        line: deletion.line, reason: "a policy cannot delete itself: load this into the one around it"))
            }
            plan.removed.insert(deletion.id)
            plan.written[deletion.id] = nil
            plan.madeHosts.removeAll { $0 == deletion.id }
        }
        try dropRights(&plan, reader)
        try checkEmpty(&plan, reader, line: first.line)
    }

    /// A right to what is gone would be one to what is made anew under its name.
    private func dropRights(_ plan: inout Plan, _ reader: any StorageReader) throws {
        var hosts = Dictionary(uniqueKeysWithValues: try reader.conjurRecords(.host).map { ($0.id, $0.record) })
        for (id, record) in plan.written where id.kind == .host { hosts[id] = record }
        for (id, host) in hosts where !plan.removed.contains(id) {
            guard host.rights.contains(where: { plan.removed.contains($0.resource) }) else { continue }
            var host = host
            host.rights.removeAll { plan.removed.contains($0.resource) }
            plan.written[id] = host
        }
    }

    /// What lies in a policy does not go with it unasked.
    private func checkEmpty(_ plan: inout Plan, _ reader: any StorageReader, line: Int) throws {
        let policies = plan.removed.filter { $0.kind == .policy }
        guard !policies.isEmpty else { return }
        var remaining: [(id: ConjurID, record: ConjurRecord)] = []
        for kind in [ConjurKind.variable, .policy, .host] { remaining += try reader.conjurRecords(kind) }
        remaining += plan.written.map { ($0.key, $0.value) }
        for (id, record) in remaining where !plan.removed.contains(id) {
            let isInside = ConjurLoad.policies(around: id.name).contains { policies.contains($0) }
            guard !isInside, !policies.contains(ConjurID(.policy, record.policy)) else {
                throw Refusal.fault(
                    .init(line: line, reason: "a policy that still has records cannot go: delete those first"))
            }
        }
    }

    /// Whose ids an id begins with, whether they are there or not.
    private static func policies(around name: ExactText) -> [ConjurID] {
        let text = name.text
        return text.utf8.indices.filter { text.utf8[$0] == UInt8(ascii: "/") }.map {
            ConjurID(.policy, String(Substring(text.utf8[..<$0])))
        }
    }
}
