import Testing

@testable import AirlockCore

struct PlanDocumentTests {
    private static let items = [
        PlannedItem(
            target: ImportTarget(.connection, team: "sales", id: "pg"), origin: "a.env:1", path: "connections/sales/pg",
            action: .update, replaces: ImportState(version: 3, digest: "0a"), content: "0b"),
        PlannedItem(
            target: ImportTarget(.variable, id: "k"), origin: "a \"b\".env:2", path: "k", action: .create,
            replaces: ImportState(version: nil, digest: nil), content: "0c"),
    ]

    private func document(_ items: [PlannedItem] = items) -> PlanDocument {
        PlanDocument(
            header: .init(
                id: "i", key: "k", address: "http://h", namespace: "n", mount: "airflow", kvVersion: 2,
                sources: ["a.env", "--variables"], skipsRejected: true, count: items.count), items: items)
    }

    private func bytes(_ document: PlanDocument) -> [UInt8] {
        var bytes: [UInt8] = []
        document.write { bytes += $0 }
        return bytes
    }

    @Test(arguments: [items, [], [items[1]]])
    func `A plan comes back from its file as it was`(items: [PlannedItem]) throws {
        let document = document(items)
        let read = try PlanDocument(parsing: bytes(document))
        #expect(read.header == document.header)
        #expect(read.items == items)
    }

    @Test func `A plan is one JSON value`() throws {
        let json = try JSON(parsing: bytes(document()))
        #expect(json["items"]?.elements?.count == 2)
        #expect(json["mount"]?.text == "airflow")
    }

    @Test func `A plan that lost any of its bytes is refused`() {
        let whole = bytes(document())
        for length in whole.indices {
            #expect(throws: PlanDocument.Fault.self) { try PlanDocument(parsing: Array(whole[..<length])) }
        }
        #expect(throws: PlanDocument.Fault.self) { try PlanDocument(parsing: whole + [10]) }
    }

    @Test(arguments: ["../../sys/policy", "a//b", "", "connections/../x"])
    func `A path that leads elsewhere is refused`(path: String) {
        let item = PlannedItem(
            target: ImportTarget(.variable, id: "k"), origin: "a", path: path, action: .create,
            replaces: ImportState(version: 0, digest: nil), content: "")
        #expect(throws: PlanDocument.Fault(line: 2, reason: "this is no item of a plan; make the plan anew")) {
            try PlanDocument(parsing: bytes(document([item])))
        }
    }

    // MARK: The journal

    private func journal(_ lines: [[UInt8]], cut: Int = 0) throws -> ImportJournal {
        try ImportJournal(parsing: Array(lines.joined().dropLast(cut)), plan: "i", count: 2)
    }

    private let first = ImportJournal.firstLine(plan: "i")
    private let one = ImportJournal.line(1, ImportReceipt(version: 4))
    private let plain = ImportJournal.line(0, ImportReceipt(version: nil))

    @Test func `A journal tells what was written`() throws {
        let read = try journal([first, one, plain])
        #expect(read.receipts == [1: ImportReceipt(version: 4), 0: ImportReceipt(version: nil)])
        #expect(try journal([]).receipts.isEmpty)
    }

    @Test func `A line that a killed run left half written says nothing and is cut off`() throws {
        for cut in 1...plain.count {
            let read = try journal([first, one, plain], cut: cut)
            #expect(read.receipts == [1: ImportReceipt(version: 4)])
            #expect(read.length == first.count + one.count)
        }
        #expect(try journal([first], cut: 3).length == 0)
    }

    @Test func `Another plan's journal and a damaged one are refused`() {
        #expect(throws: ImportJournal.Fault.self) { try journal([ImportJournal.firstLine(plan: "j"), one]) }
        #expect(throws: ImportJournal.Fault.self) { try journal([first, Array("nonsense\n".utf8), one]) }
        #expect(throws: ImportJournal.Fault.self) { try journal([first, ImportJournal.line(2, .init(version: 1))]) }
        #expect(throws: ImportJournal.Fault.self) { try journal([first, Array("{\"item\":1}\n".utf8)]) }
    }
}
