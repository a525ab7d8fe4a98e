import Foundation

/// The settings that somebody gave a client. Each is asked for by its name; what nobody asked for is known afterwards, and listed.
struct GivenSettings {
    /// Before a name in messages: `vaults[0].config.`
    let place: String
    private let values: [String: JSON]
    private var asked: Set<String> = []

    init(_ values: [String: JSON], place: String = "") {
        self.values = values
        self.place = place
    }

    /// Those of an environment whose names begin so.
    init(environment: [String: String], prefixes: [String]) {
        let ours = environment.filter { name, value in !value.isEmpty && prefixes.contains { name.hasPrefix($0) } }
        self.init(ours.mapValues { .string($0) })
    }

    var isEmpty: Bool { values.isEmpty }

    func fault(_ name: String, _ reason: String) -> AirlockError { .badRequest("\(place)\(name) \(reason)") }

    /// `nil` also for a null.
    mutating func json(_ name: String) -> JSON? {
        asked.insert(name)
        return values[name].flatMap { $0.isNull ? nil : $0 }
    }

    /// `nil` also for an empty text, as for the clients. Digits are a text to those that read YAML.
    mutating func text(_ name: String) throws -> String? {
        guard let text = try unresolved(name), !text.isEmpty else { return nil }
        guard !GivenSettings.isReference(text) else {
            throw fault(name, "is a reference: write what it stands for instead")
        }
        return text
    }

    private mutating func unresolved(_ name: String) throws -> String? {
        guard let json = json(name) else { return nil }
        if case .number(let digits) = json { return digits }
        guard let text = json.text else { throw fault(name, "must be a text") }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Kong resolves such a text itself (https://developer.konghq.com/gateway/secrets-management/).
    private static func isReference(_ text: String) -> Bool { text.hasPrefix("{vault://") }

    /// Without slashes at its ends.
    mutating func path(_ name: String) throws -> String? {
        guard let text = try text(name) else { return nil }
        let path = text.split(separator: "/").joined(separator: "/")
        guard !path.isEmpty else { return nil }
        guard (try? SecretPath(path)) != nil else { throw fault(name, "must be a path such as secret or team/kv") }
        return path
    }

    mutating func seconds(_ name: String) throws -> Int? {
        guard let text = try text(name) else { return nil }
        guard let seconds = Int(text), seconds >= 0 else { throw fault(name, "must be whole seconds, not below 0") }
        return min(seconds, DraftCache.forever)
    }

    mutating func flag(_ name: String) throws -> Bool? {
        guard let json = json(name) else { return nil }
        guard let flag = json.boolean else { throw fault(name, "must be true or false") }
        return flag
    }

    /// The base of a server's address.
    mutating func address(_ name: String) throws -> String? {
        guard let text = try text(name) else { return nil }
        do throws(ServerAddress.Fault) {
            let address = try ServerAddress(text)
            return address.unixSocket.map { "unix://\($0)" } ?? address.base
        } catch {
            throw fault(name, "is not the address of a server: \(error.reason)")
        }
    }

    /// A secret, for a file of this name.
    mutating func secret(_ name: String, file: String) throws -> DraftMount.LoginFile? {
        guard let text = try unresolved(name), !text.isEmpty else { return nil }
        let content = GivenSettings.isReference(text) ? nil : SecretText(text)
        return .content(name: file, setting: place + name, content)
    }

    /// A certificate or key: the path of its file, or its text.
    mutating func pem(_ name: String, file: String) throws -> DraftMount.LoginFile? {
        guard let text = try unresolved(name), !text.isEmpty else { return nil }
        guard text.hasPrefix("-----BEGIN") || GivenSettings.isReference(text) else { return .path(text) }
        let content = text.replacing("\\n", with: "\n") + "\n"
        return .content(
            name: file, setting: place + name, GivenSettings.isReference(text) ? nil : SecretText(content))
    }

    mutating func has(_ name: String) -> Bool {
        guard let json = json(name) else { return false }
        return json.text != ""
    }

    /// What has a value and was not asked for.
    /// - Parameters:
    ///   - known: names that the client knows, each with why it is not carried over when it was not asked for.
    func rest(known: [String: String]) -> [(setting: String, why: String)] {
        let names = values.filter { !$0.value.isNull }.keys.filter { !asked.contains($0) }.sorted()
        let all = asked.union(known.keys).sorted()
        return names.map { name in
            if let why = known[name] { return (place + name, why) }
            let near = nearestName(to: name, among: all).map { "; did you mean \($0)?" } ?? ""
            return (place + GivenSettings.shown(name), "unknown\(near)")
        }
    }

    /// A name is quoted only when it looks like one: in a mixed-up file a secret could stand in its place.
    static func shown(_ name: String) -> String {
        let looksLikeName =
            name.utf8.count <= 60
            && name.utf8.allSatisfy { $0 == 95 || $0 == 45 || 48...57 ~= $0 || 97...122 ~= $0 | 32 }
        return looksLikeName ? name : "(a name)"
    }
}
