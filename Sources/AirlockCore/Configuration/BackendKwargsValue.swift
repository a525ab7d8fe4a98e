/// One value of the kwargs JSON, read as what its key wants. JSON null is "not given", as in Python.
struct BackendKwargsValue {
    let key: String
    let json: JSON

    typealias Fault = BackendKwargs.Fault

    private func fault(_ reason: String) -> Fault { Fault(key: key, reason: reason) }

    func text() throws(Fault) -> String? {
        if json.isNull { return nil }
        guard let text = json.text else { throw fault("must be a string") }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw fault("holds a control character, such as a newline at its end")
        }
        // An empty string is false in Python: to `VaultBackend` it is as good as absent.
        return text.isEmpty ? nil : text
    }

    func secret() throws(Fault) -> SecretText? { try text().map { SecretText($0) } }

    func flag() throws(Fault) -> Bool? {
        if json.isNull { return nil }
        guard let flag = json.boolean else { throw fault("must be true or false") }
        return flag
    }

    func object() throws(Fault) -> JSON? {
        if json.isNull { return nil }
        guard json.members != nil || json.text != nil else { throw fault("must be an object") }
        return json
    }

    func port() throws(Fault) -> Int? {
        if json.isNull { return nil }
        guard case .number(let digits) = json, let port = UInt16(digits), port > 0 else {
            throw fault("must be a number from 1 to 65535")
        }
        return Int(port)
    }

    func kvVersion() throws(Fault) -> Int? {
        if json.isNull { return nil }
        guard case .number(let digits) = json, digits == "1" || digits == "2" else {
            throw fault("must be the number 1 or 2")
        }
        return Int(digits)
    }

    func authType() throws(Fault) -> BackendKwargs.AuthType {
        let known = BackendKwargs.AuthType.allCases.map(\.rawValue).sorted()
        guard let text = json.text else { throw fault("must be one of \(known.joined(separator: ", "))") }
        guard let type = BackendKwargs.AuthType(rawValue: text) else {
            let near = nearestName(to: text, among: known).map { "; did you mean \($0)?" } ?? ""
            throw fault("must be one of \(known.joined(separator: ", "))\(near)")
        }
        return type
    }

    func address() throws(Fault) -> ServerAddress? {
        guard let text = try text() else { return nil }
        do throws(ServerAddress.Fault) {
            return try ServerAddress(text)
        } catch {
            throw fault("not the address of a server: \(error.reason)")
        }
    }

    /// hvac drops slashes around these two, so `airflow/` and `airflow` are one.
    func mount() throws(Fault) -> String? { try path() }

    func path() throws(Fault) -> String? {
        guard let text = try text() else { return nil }
        return try cleaned(text)
    }

    func paths() throws(Fault) -> [String]? {
        if json.isNull { return nil }
        if let text = json.text { return [try cleaned(text)] }
        guard let elements = json.elements else { throw fault("must be a string, a list of strings, or null") }
        var paths: [String] = []
        for element in elements {
            guard let text = element.text else { throw fault("must be a string, a list of strings, or null") }
            paths.append(try cleaned(text))
        }
        return paths
    }

    /// Slashes at the ends are dropped; what no vault could serve is refused.
    private func cleaned(_ text: String) throws(Fault) -> String {
        var slice = text[...]
        while slice.hasPrefix("/") { slice = slice.dropFirst() }
        while slice.hasSuffix("/") { slice = slice.dropLast() }
        if slice.isEmpty { return "" }
        do {
            return try SecretPath(String(slice)).text
        } catch {
            throw fault("is no path: it has an empty part, '.', '..' or a control character")
        }
    }

    func verification() throws(Fault) -> TLSVerification? {
        if json.isNull { return nil }
        if let flag = json.boolean { return flag ? .system : .off }
        guard let path = try text() else { throw fault("must be true, false, or the path of a CA certificate") }
        guard path.lowercased() != "true", path.lowercased() != "false" else {
            throw fault("write true or false without quotes; a string is the path of a CA certificate")
        }
        return .authority(path: path)
    }

    func certificate() throws(Fault) -> ClientCertificate? {
        if json.isNull { return nil }
        if let path = try? text() { return ClientCertificate(certificate: path, key: nil) }
        guard let pair = json.elements?.compactMap(\.text), pair.count == 2, json.elements?.count == 2 else {
            throw fault("must be the path of a PEM file, or a list of two: certificate and key")
        }
        return ClientCertificate(certificate: pair[0], key: pair[1])
    }

    func seconds() throws(Fault) -> Duration? {
        if json.isNull { return nil }
        guard case .number(let digits) = json, let seconds = Double(digits), seconds > 0, seconds <= 3600 else {
            throw fault("must be a number of seconds, above 0 and at most 3600")
        }
        return .seconds(seconds)
    }

    func proxies() throws(Fault) -> [String: SecretText]? {
        if json.isNull { return nil }
        guard let members = json.members else { throw fault("must be an object: {\"https\": \"http://PROXY:PORT\"}") }
        var proxies: [String: SecretText] = [:]
        for member in members {
            let known = ["http", "https", "all"]
            guard known.contains(member.name) else { throw fault("its keys are \(known.joined(separator: ", "))") }
            guard let proxy = member.value.text else {
                if member.value.isNull { continue }
                throw fault("each proxy must be a string")
            }
            proxies[member.name] = SecretText(proxy)
        }
        return proxies
    }
}
