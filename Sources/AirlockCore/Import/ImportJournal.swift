/// What has been written of a plan, as text: a line for the plan, then one for each write. A last line that a killed run left
/// half written says nothing.
package struct ImportJournal: Sendable, Equatable {
    package struct Fault: Error, Sendable, Equatable {
        package let reason: String
    }

    /// By the item's place in the plan.
    package let receipts: [Int: ImportReceipt]
    /// Bytes that are whole lines; what follows is to be cut off.
    package let length: Int

    package static func firstLine(plan: String) -> [UInt8] { line(["conn_import_journal": 1, "plan": .string(plan)]) }

    package static func line(_ item: Int, _ receipt: ImportReceipt) -> [UInt8] {
        line(["item": .integer(item), "version": receipt.version.map(JSON.integer) ?? .null])
    }

    private static func line(_ json: JSON) -> [UInt8] { json.bytes + [UInt8(ascii: "\n")] }

    /// - Parameter count: of the plan's items.
    package init(parsing bytes: [UInt8], plan: String, count: Int) throws(Fault) {
        length = (bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        var receipts: [Int: ImportReceipt] = [:]
        for (index, line) in bytes[..<length].split(separator: UInt8(ascii: "\n")).enumerated() {
            let json = try? JSON(parsing: line)
            if index == 0 {
                guard json?["plan"]?.text == plan else {
                    throw Fault(reason: "it is the journal of another plan; give this one another name")
                }
            } else {
                guard let json, let item = json["item"]?.integer, (0..<count).contains(item), json["version"] != nil
                else {
                    throw Fault(reason: "line \(index + 1) is damaged; make a new plan")
                }
                receipts[item] = ImportReceipt(version: json["version"]?.integer)
            }
        }
        self.receipts = receipts
    }
}
