import Testing

@testable import AirlockCore

struct SettingTests {
    @Test func `A known setting is taken`() throws {
        #expect(!Setting.all.isEmpty)
        for setting in Setting.all { try Setting.check(setting.key) }
    }

    @Test(arguments: [
        ("listne", "listen"), ("LISTEN", "listen"), ("data-dir", "data_dir"), ("datadir", "data_dir"),
        ("keyfile", "key_file"), ("backend_kwarg", "backend_kwargs"),
        ("max_requst_size", "max_request_size"), ("insecure-http", "insecure_http"), ("loglevel", "log_level"),
    ])
    func `An unknown setting is refused with the nearest known name`(typed: String, meant: String) {
        let error = #expect(throws: AirlockError.self) { try Setting.check(typed) }
        #expect(error?.code == .badRequest)
        #expect(error?.message == "unknown setting \"\(typed)\": did you mean \"\(meant)\"?")
    }

    @Test func `With no name near it, all known ones are told`() {
        let error = #expect(throws: AirlockError.self) { try Setting.check("colour") }
        for setting in Setting.all { #expect(error?.message?.contains(setting.key) == true) }
    }

    @Test func `Each setting is described once, and has a row of the table`() {
        #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
        let rows = Setting.markdown.split(separator: "\n")
        #expect(rows.count == Setting.all.count + 2)
        for (setting, row) in zip(Setting.all, rows.dropFirst(2)) {
            #expect(row.hasPrefix("| `\(setting.key)` |") && row.contains(setting.help))
            #expect(row.filter { $0 == "|" }.count == 6)
        }
    }
}
