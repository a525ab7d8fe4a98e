/// What to do where the target holds another value.
package enum ConflictRule: String, Sendable, CaseIterable { case fail, skip, overwrite }

/// What an import does about one id.
package enum ImportAction: String, Sendable, CaseIterable {
    case create, update, unchanged
    /// Left as it is, because the rule says so.
    case skip
    /// Not to be written, and not to be left without a word either.
    case conflict

    package var writes: Bool { self == .create || self == .update }
}

/// What is at an item's path, without what it says: enough to tell that it is still the same.
package struct ImportState: Sendable, Equatable {
    /// KV version 2: the latest version, deleted or not; 0 when there is none. `nil` on version 1, which counts none.
    package let version: Int?
    /// A keyed digest of the data; `nil` when there is none.
    package let digest: String?

    package init(version: Int?, digest: String?) {
        self.version = version
        self.digest = digest
    }
}

/// What a plan says of one item, and why.
package struct ImportDecision: Sendable {
    package let action: ImportAction
    /// What an update, or a conflict, is about.
    package let changes: [ImportChange]
    package let reason: String?

    /// - Parameters:
    ///   - stored: what is there; `nil` for nothing, and for what is deleted.
    ///   - twin: another id at the target that Airflow's environment form takes for the same.
    package init(_ item: ImportPlan.Item, stored: SecretPayload?, twin: String?, rule: ConflictRule) {
        if let twin {
            self.init(
                rule == .skip ? .skip : .conflict,
                reason:
                    "\(item.target.kind.rawValue) \(twin) is there already, and Airflow's environment form tells no "
                    + "upper and lower case apart; rename or remove one of them")
            return
        }
        let changes = stored.map { item.content.changes(from: $0) }
        switch rule {
        case _ where changes == nil: self.init(.create)
        case _ where changes == []: self.init(.unchanged)
        case .overwrite: self.init(.update, changes)
        case .skip: self.init(.skip, changes)
        case .fail:
            self.init(
                .conflict, changes,
                reason: "another value is there; --on-conflict overwrite replaces it, skip leaves it")
        }
    }

    private init(_ action: ImportAction, _ changes: [ImportChange]? = nil, reason: String? = nil) {
        self.action = action
        self.changes = changes ?? []
        self.reason = reason
    }
}

/// What a write came to: kept in the journal, so that it can be gone on with and undone.
package struct ImportReceipt: Sendable, Equatable {
    /// `nil` on KV version 1.
    package let version: Int?

    package init(version: Int?) { self.version = version }
}

/// One line of a plan: what was decided, on which state of source and target. Without secrets.
package struct PlannedItem: Sendable, Equatable {
    package let target: ImportTarget
    package let origin: String
    /// Below the mount.
    package let path: String
    package let action: ImportAction
    /// What was there when it was decided.
    package let replaces: ImportState
    /// A keyed digest of what is to be there.
    package let content: String

    package init(
        target: ImportTarget, origin: String, path: String, action: ImportAction, replaces: ImportState, content: String
    ) {
        self.target = target
        self.origin = origin
        self.path = path
        self.action = action
        self.replaces = replaces
        self.content = content
    }

    // MARK: Before a write

    package enum Standing: Sendable, Equatable {
        /// As it was when the plan was made.
        case asPlanned
        /// What is to be there is there, in the version that this plan's write makes: written by a run that was ended before
        /// it could note it.
        case written(ImportReceipt)
        case moved
    }

    package func standing(_ current: ImportState) -> Standing {
        if current == replaces { return .asPlanned }
        let isNext = replaces.version.map { current.version == $0 + 1 } ?? true
        return action.writes && isNext && current.digest == content
            ? .written(ImportReceipt(version: current.version)) : .moved
    }

    // MARK: Undo

    package enum Undoing: Sendable, Equatable {
        /// - Parameter version: the one to delete; `nil` on KV version 1.
        case delete(version: Int?)
        /// Write the data of `version` again, over the version `written`.
        case restore(version: Int, written: Int)
        /// Nothing of this plan is there: never written, or undone before.
        case nothing
        /// Left: somebody has changed it since, or the earlier value is kept nowhere.
        case left(reason: String)
    }

    /// - Parameter noted: what the journal has of it.
    package func undoing(_ current: ImportState, noted: ImportReceipt?) -> Undoing {
        guard action.writes else { return .nothing }
        let written: Int?
        switch (noted, standing(current)) {
        case (let noted?, _): written = noted.version
        case (nil, .written(let receipt)): written = receipt.version
        case (nil, _): return .nothing
        }
        guard let written else { return undoingUnversioned(current) }
        if current.version == written, current.digest == content {
            return action == .create
                ? .delete(version: written) : .restore(version: replaces.version ?? 0, written: written)
        }
        let isUndone =
            action == .create
            ? current.digest == nil && (current.version == written || current.version == 0)
            : current.version == written + 1 && current.digest == replaces.digest
        return isUndone ? .nothing : .left(reason: "it has changed since this plan was applied")
    }

    private func undoingUnversioned(_ current: ImportState) -> Undoing {
        if current == replaces { return .nothing }
        guard current.digest == content else { return .left(reason: "it has changed since this plan was applied") }
        return action == .create
            ? .delete(version: nil) : .left(reason: "KV version 1 keeps no earlier value to put back")
    }
}
