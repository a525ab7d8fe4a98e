import Testing

@testable import AirlockCore

struct ImportDecisionTests {
    private static let canary = "canary-51c0"

    private func item(_ line: String) throws -> ImportPlan.Item {
        try #require(ImportPlan([ImportSource(EnvFile(parsing: line), named: "a.env")]).items.first)
    }

    private func decide(
        _ line: String, _ stored: String?, twin: String? = nil, _ rule: ConflictRule = .overwrite
    ) throws -> ImportDecision {
        ImportDecision(
            try item(line), stored: stored.map { SecretPayload(Array($0.utf8)) }, twin: twin, rule: rule)
    }

    @Test(arguments: [
        (nil, ConflictRule.fail, ImportAction.create), (#"{"value":"b"}"#, .fail, .unchanged),
        (#"{"value":"c"}"#, .fail, .conflict), (#"{"value":"c"}"#, .skip, .skip),
        (#"{"value":"c"}"#, .overwrite, .update), (#"{"other":"b"}"#, .overwrite, .update),
    ])
    func `What is there decides, and the rule where it is another value`(
        stored: String?, rule: ConflictRule, action: ImportAction
    ) throws {
        #expect(try decide("AIRFLOW_VAR_A=b", stored, rule).action == action)
    }

    @Test(arguments: [(ConflictRule.fail, ImportAction.conflict), (.overwrite, .conflict), (.skip, .skip)])
    func `An id that differs in case alone from one that is there is never written`(
        rule: ConflictRule, action: ImportAction
    ) throws {
        let decision = try decide("AIRFLOW_VAR_A=b", nil, twin: "A", rule)
        #expect(decision.action == action)
        #expect(decision.reason?.contains("variable A is there already") == true)
    }

    @Test(arguments: [
        (#"{"conn_type": "http", "host": "h", "login": "u", "password": "CANARY", "port": 1}"#, "-port"),
        (#"{"conn_type": "http", "host": "H", "password": "CANARY"}"#, "~host +login"),
        (#"{"conn_type": "http", "host": "h", "login": "u", "password": "old"}"#, "~password"),
        (#"{"conn_type": "http", "host": "h", "login": "u", "password": "CANARY", "extra": "{\"a\": 1}"}"#, "-extra"),
        (#"{"conn_type": "CANARY"}"#, "~conn_type +host +login +password"),
        (#"{"password": "CANARY", "username": "x"}"#, "unreadable"), ("[]", "unreadable"),
    ])
    func `A change is told by the names of the fields and by no value`(stored: String, told: String) throws {
        let line = #"AIRFLOW_CONN_A='{"conn_type": "http", "host": "h", "login": "u", "password": "CANARY"}'"#
        func filled(_ text: String) -> String { text.replacing("CANARY", with: ImportDecisionTests.canary) }
        let changes = try decide(filled(line), filled(stored)).changes
        #expect(changes.map(\.description).joined(separator: " ") == told)
        for change in changes {
            #expect(!String(decoding: change.json.bytes, as: UTF8.self).contains(ImportDecisionTests.canary))
        }
    }

    @Test func `What one Airflow alone would read otherwise is a change too`() throws {
        // The workers read the text "false" from both; the API server reads a boolean from the stored URI.
        let line = #"AIRFLOW_CONN_A='{"conn_type": "http", "host": "h", "schema": "", "extra": {"verify": "false"}}'"#
        #expect(try decide(line, #"{"conn_uri": "http://h/?verify=false"}"#).changes.map(\.description) == ["~extra"])
    }

    @Test func `A description of a variable is changed where the source has one, and else left`() throws {
        let with = ImportContent.variable(Variable(value: "b", description: "d"))
        let without = ImportContent.variable(Variable(value: "b"))
        let stored = SecretPayload(Array(#"{"description":"old","value":"b"}"#.utf8))
        #expect(with.changes(from: stored) == [ImportChange("description", .changed)])
        #expect(without.changes(from: stored) == [])
    }

    @Test func `Two ids that one name in the environment stands for are one`() {
        #expect(ImportTarget.folded("Pg_Main") == ImportTarget.folded("PG_MAIN"))
        #expect(ImportTarget.folded("stra\u{DF}e") == ImportTarget.folded("STRASSE"))
        #expect(ImportTarget.folded("pg") != ImportTarget.folded("pg1"))
    }

    // MARK: A plan's item

    private func planned(_ action: ImportAction, _ version: Int?, _ digest: String?) -> PlannedItem {
        PlannedItem(
            target: ImportTarget(.variable, id: "a"), origin: "a.env:1", path: "variables/a", action: action,
            replaces: ImportState(version: version, digest: digest), content: "new")
    }

    typealias Standing = PlannedItem.Standing

    @Test(arguments: [
        (ImportState(version: 3, digest: "old"), Standing.asPlanned),
        (ImportState(version: 4, digest: "new"), .written(ImportReceipt(version: 4))),
        (ImportState(version: 4, digest: "other"), .moved), (ImportState(version: 5, digest: "new"), .moved),
        (ImportState(version: 3, digest: nil), .moved), (ImportState(version: 0, digest: nil), .moved),
        // A key that was deleted whole and made anew counts from 1 again.
        (ImportState(version: 3, digest: "other"), .moved),
    ])
    func `A target that has moved is told from one that this plan has written`(
        current: ImportState, standing: Standing
    ) {
        #expect(planned(.update, 3, "old").standing(current) == standing)
    }

    @Test func `What a plan does not write counts as moved whatever has become of it`() {
        #expect(planned(.unchanged, 3, "new").standing(ImportState(version: 3, digest: "new")) == .asPlanned)
        #expect(planned(.unchanged, 3, "new").standing(ImportState(version: 4, digest: "new")) == .moved)
    }

    @Test func `Without versions the content alone tells`() {
        let item = planned(.update, nil, "old")
        #expect(item.standing(ImportState(version: nil, digest: "old")) == .asPlanned)
        #expect(item.standing(ImportState(version: nil, digest: "new")) == .written(ImportReceipt(version: nil)))
        #expect(item.standing(ImportState(version: nil, digest: nil)) == .moved)
    }

    typealias Undoing = PlannedItem.Undoing
    static let changed = Undoing.left(reason: "it has changed since this plan was applied")

    @Test(
        arguments: [
            (ImportAction.update, 4, ImportState(version: 4, digest: "new"), Undoing.restore(version: 3, written: 4)),
            (.update, nil, ImportState(version: 4, digest: "new"), .restore(version: 3, written: 4)),
            (.update, nil, ImportState(version: 3, digest: "old"), .nothing),
            (.update, nil, ImportState(version: 4, digest: "other"), .nothing),
            (.update, 4, ImportState(version: 5, digest: "old"), .nothing),
            (.update, 4, ImportState(version: 5, digest: "other"), changed),
            (.update, 4, ImportState(version: 4, digest: nil), changed),
            (.update, 4, ImportState(version: 0, digest: nil), changed),
            (.unchanged, nil, ImportState(version: 3, digest: "old"), .nothing),
        ] as [(ImportAction, Int?, ImportState, Undoing)])
    func `Undo restores what this plan wrote and leaves what others wrote`(
        action: ImportAction, noted: Int?, current: ImportState, undoing: Undoing
    ) {
        let receipt = noted.map { ImportReceipt(version: $0) }
        #expect(planned(action, 3, "old").undoing(current, noted: receipt) == undoing)
    }

    @Test(
        arguments: [
            (1, ImportState(version: 1, digest: "new"), Undoing.delete(version: 1)),
            (nil, ImportState(version: 1, digest: "new"), .delete(version: 1)),
            (1, ImportState(version: 1, digest: nil), .nothing), (1, ImportState(version: 0, digest: nil), .nothing),
            (1, ImportState(version: 2, digest: "new"), changed),
        ] as [(Int?, ImportState, Undoing)])
    func `Undo deletes the version that a plan created`(noted: Int?, current: ImportState, undoing: Undoing) {
        let receipt = noted.map { ImportReceipt(version: $0) }
        #expect(planned(.create, 0, nil).undoing(current, noted: receipt) == undoing)
    }

    @Test func `On version 1 what was created can be undone and nothing else`() {
        let noted = ImportReceipt(version: nil)
        func state(_ digest: String?) -> ImportState { ImportState(version: nil, digest: digest) }
        #expect(planned(.create, nil, nil).undoing(state("new"), noted: noted) == .delete(version: nil))
        #expect(planned(.create, nil, nil).undoing(state(nil), noted: noted) == .nothing)
        #expect(planned(.create, nil, nil).undoing(state("other"), noted: noted) == ImportDecisionTests.changed)
        #expect(
            planned(.update, nil, "old").undoing(state("new"), noted: noted)
                == .left(reason: "KV version 1 keeps no earlier value to put back"))
        #expect(planned(.update, nil, "old").undoing(state("old"), noted: noted) == .nothing)
    }
}
