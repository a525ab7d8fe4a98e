import AirlockCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// What a request asks, in Vault's words: an operation on a path.
struct VaultRequest: Sendable {
    enum Operation: String, Sendable {
        case read, list, write, patch, delete, scan, head, unknown
    }

    private(set) var operation: Operation
    let method: String
    /// Below `/v1/` and below the namespaces named there, percent-decoded, without a leading slash; a list's trailing slash is
    /// kept.
    var path: String
    /// Query fields; each name once. A request with a body has its fields there and none here.
    let query: [String: String]
    /// The query as it came.
    let rawQuery: String
    let token: SecretPayload?
    /// What the header names, without slashes at its ends; empty is the root namespace.
    let namespace: String
    /// The client's address.
    let source: String?
    var clientCertificates = ClientCertificates.none
    let contentType: String?
    let cacheControl: String?
    /// A webhook's, sent without a token.
    let signature: String?
    /// Seconds for which the answer is to be wrapped; `nil` when it is not.
    let wrapTTL: Int?
    /// Whether it counts as the last read of the secret that it answers.
    var isNoted = true
    /// The body as it came; empty when there is none or it has not been read yet.
    private(set) var rawBody: [UInt8] = []
    /// The same, but empty when it is not to be read as JSON.
    private(set) var body: [UInt8] = []
    /// Where the body's top-level members lie in it.
    private(set) var memberRanges = JSON.MemberRanges.none
    private(set) var fields = JSON.object([])

    /// Understands the request line and the headers; the body is read later, by `readBody`.
    /// - Throws: `AirlockError`, or a `VaultResponse.Early` for the few answers that are not Vault's error envelope.
    init(_ request: Request, source: String?) throws {
        let target = request.head.path ?? "/"
        let split = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let rawPath = String(split[0])
        let rawQuery = split.count == 2 ? String(split[1]) : ""
        guard rawPath.utf8.count <= VaultRequest.pathLimit else {
            throw AirlockError.badRequest("the path is too long")
        }
        if let clean = VaultRequest.cleaned(rawPath) {
            throw VaultResponse.Early.redirect(to: clean + (rawQuery.isEmpty ? "" : "?" + rawQuery))
        }
        path = try VaultRequest.decoded(rawPath)
        query = VaultRequest.takesBody(request.method) ? [:] : try VaultRequest.query(rawQuery)
        operation = try VaultRequest.operation(request.method, query: query)
        method = request.method.rawValue
        self.rawQuery = rawQuery
        contentType = request.headers[.contentType]
        cacheControl = request.headers[.cacheControl]
        token = VaultRequest.token(request.headers)
        signature = token == nil ? request.headers[VaultRequest.airlockSignature] : nil
        self.source = source
        namespace = VaultRequest.namespace(request.headers)
        wrapTTL = try VaultRequest.wrapTTL(request.headers)
    }

    /// One call of several that came in one request, whose headers say for whom and in which namespace.
    /// - Parameter path: below `/v1/`, of a secret that is valid as it is.
    /// - Parameter version: of a read; `nil` is the latest.
    init(
        _ operation: Operation, _ path: String, body: JSON?, headers: HTTPFields, source: String?, version: Int? = nil
    ) throws {
        self.operation = operation
        self.path = path
        method = operation == .write ? "POST" : "GET"
        (query, rawQuery) = version.map { (["version": "\($0)"], "version=\($0)") } ?? ([:], "")
        contentType = body == nil ? nil : "application/json"
        (cacheControl, signature, wrapTTL) = (nil, nil, nil)
        token = VaultRequest.token(headers)
        namespace = VaultRequest.namespace(headers)
        self.source = source
        guard let body else { return }
        self.body = body.bytes
        rawBody = self.body
        (fields, memberRanges) = try VaultRequest.parse(self.body)
    }

    /// Bytes of a path before decoding: the longest secret path with every byte escaped, and a mount before it.
    private static let pathLimit = 4 * SecretPath.lengthLimit

    /// Reads and parses the body of a write.
    /// - Parameter check: asked about the body as it came, before anything is read from it.
    mutating func readBody(_ request: Request, limit: Int, check: ([UInt8]) throws -> Void = { _ in }) async throws {
        guard operation == .write || operation == .patch else { return }
        let collected = try await VaultRequest.collect(request, limit: limit)
        try check(collected)
        // A form is not read as JSON, but what opens like an object is one, whatever its type says.
        let isForm = request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") ?? false
        rawBody = collected
        body = isForm && collected.first != UInt8(ascii: "{") ? [] : collected
        (fields, memberRanges) = try VaultRequest.parse(body)
    }

    /// As Vault's router sees it: a list is of a folder.
    var pathAsRouted: String {
        (operation == .list || operation == .scan) && !path.hasSuffix("/") ? path + "/" : path
    }

    /// The value of a top-level member exactly as it was sent.
    func verbatim(_ member: String) -> [UInt8]? { memberRanges[member].map { Array(body[$0]) } }

    private static func collect(_ request: Request, limit: Int) async throws -> [UInt8] {
        let tooLarge = AirlockError(.tooLarge, "http: request body too large")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        do {
            return Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    private static func parse(_ body: [UInt8]) throws -> (JSON, JSON.MemberRanges) {
        guard body.contains(where: { !" \t\r\n".utf8.contains($0) }) else { return (.object([]), .none) }
        do {
            let (value, ranges) = try JSON.parsed(body)
            if let ranges { return (value, ranges) }
            if value.isNull { return (.object([]), .none) }
            throw AirlockError.badRequest(
                "failed to decode JSON input: json: cannot unmarshal \(value.goKind) into Go value of type map[string]interface {}"
            )
        } catch let error as JSON.SyntaxError {
            throw AirlockError.badRequest("failed to decode JSON input: \(error.reason) at offset \(error.offset)")
        }
    }

    // MARK: Path and query

    /// The path without empty and relative parts, when it has any: the client is sent there. `nil` when it is clean.
    private static func cleaned(_ path: String) -> String? {
        let parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        if path == "/v1/sys" { return path + "/" }
        let isClean = !parts.dropLast().contains("") && !parts.contains(".") && !parts.contains("..")
        if isClean { return nil }
        var kept: [String] = []
        for part in parts {
            if part == ".." { _ = kept.popLast() } else if part != "." && !part.isEmpty { kept.append(part) }
        }
        return "/" + kept.joined(separator: "/") + (parts.last == "" && !kept.isEmpty ? "/" : "")
    }

    private static func decoded(_ path: String) throws -> String {
        guard let text = PercentEncoding.decode(path.dropFirst("/v1/".count)),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw VaultResponse.Early.empty(status: .badRequest) }
        guard
            !text.utf8.split(separator: UInt8(ascii: "/")).contains(where: {
                [".", ".."].contains(String(Substring($0)))
            })
        else {
            throw AirlockError.badRequest("relative paths not supported")
        }
        // Only escaped ones come so far. A rule on `a/b` must not be got round by asking for `a//b`.
        guard text.utf8.first != UInt8(ascii: "/"), !text.utf8.contains("//".utf8) else {
            throw AirlockError.badRequest("the path has an empty part ('//')")
        }
        return text
    }

    private static func query(_ text: String) throws -> [String: String] {
        guard let fields = PercentEncoding.query(text) else { throw AirlockError(.badRequest, nil) }
        var query: [String: String] = [:]
        for field in fields where query.updateValue(field.value, forKey: field.name) != nil {
            throw AirlockError.badRequest(
                "Field validation failed: error converting input for field \"\(field.name)\": '' expected type 'int', got unconvertible type '[]string'"
            )
        }
        return query
    }

    private static func takesBody(_ method: HTTPRequest.Method) -> Bool { [.post, .put, .patch].contains(method) }

    private static func operation(_ method: HTTPRequest.Method, query: [String: String]) throws -> Operation {
        switch method.rawValue {
        case "GET":
            switch (try flag(query["list"]), try flag(query["scan"])) {
            case (true, true): throw AirlockError(.badRequest, nil)
            case (true, false): return .list
            case (false, true): return .scan
            case (false, false): return .read
            }
        case "LIST": return .list
        case "SCAN": return .scan
        case "POST", "PUT": return .write
        case "PATCH": return .patch
        case "DELETE": return .delete
        case "HEAD": return .head
        default: return .unknown
        }
    }

    /// Go's `strconv.ParseBool`.
    static func flag(_ text: String?) throws -> Bool {
        switch text {
        case nil, "", "0", "f", "F", "false", "FALSE", "False": return false
        case "1", "t", "T", "true", "TRUE", "True": return true
        default: throw AirlockError(.badRequest, nil)
        }
    }

    // MARK: Headers

    private static let vaultToken = HTTPField.Name("X-Vault-Token")!
    private static let airlockSignature = HTTPField.Name("X-Airlock-Signature")!
    static let vaultNamespace = HTTPField.Name("X-Vault-Namespace")!
    private static let vaultWrapTTL = HTTPField.Name("X-Vault-Wrap-TTL")!
    private static let vaultWrapFormat = HTTPField.Name("X-Vault-Wrap-Format")!

    /// `X-Vault-Token` wins over `Authorization: Bearer`, whose scheme is case-sensitive (VAULT-PROTOCOL 1.1).
    static func token(_ headers: HTTPFields) -> SecretPayload? {
        if let text = headers[vaultToken]?.trimmingBlanks, !text.isEmpty { return SecretPayload(Array(text.utf8)) }
        guard let authorization = headers[.authorization], authorization.hasPrefix("Bearer ") else { return nil }
        let text = String(authorization.dropFirst("Bearer ".count)).trimmingBlanks
        return text.isEmpty ? nil : SecretPayload(Array(text.utf8))
    }

    static func namespace(_ headers: HTTPFields) -> String {
        let named = headers[vaultNamespace]?.trimmingBlanks ?? ""
        let namespace = named.split(separator: "/").joined(separator: "/")
        return namespace == "root" ? "" : namespace
    }

    private static func wrapTTL(_ headers: HTTPFields) throws -> Int? {
        guard let text = headers[vaultWrapTTL]?.trimmingBlanks else { return nil }
        guard let nanoseconds = GoDuration.parse(text) else {
            throw AirlockError.badRequest("error parsing X-Vault-Wrap-TTL header: time: invalid duration")
        }
        guard nanoseconds >= 0 else {
            throw AirlockError.badRequest(
                "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative")
        }
        guard nanoseconds > 0 else { return nil }
        guard headers[vaultWrapFormat] == nil else {
            throw AirlockError.badRequest("a wrapping token has one format: send no X-Vault-Wrap-Format")
        }
        return max(1, Int(nanoseconds / 1_000_000_000))
    }

    /// Where nothing is listed, a `GET` is a read, whatever its query says.
    mutating func listNothing() { if method == "GET" { operation = .read } }

    func checkPatchType() throws {
        guard operation == .patch else { return }
        guard let type = contentType, !type.trimmingBlanks.isEmpty else {
            throw AirlockError.badRequest("mime: no media type")
        }
        let bare = type.split(separator: ";").first.map { String($0).trimmingBlanks } ?? ""
        guard bare.lowercased() == "application/merge-patch+json" else {
            throw AirlockError(
                .unsupportedMedia, "PATCH requires Content-Type of application/merge-patch+json, provided \(bare)")
        }
    }
}

extension String {
    /// Without blanks and tabs at either end.
    var trimmingBlanks: String {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return String(rest)
    }
}

extension JSON {
    /// What Go's decoder calls this kind of value in its errors.
    var goKind: String {
        switch self {
        case .null: "nil"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object, .verbatim: "object"
        }
    }

    /// What Vault's field conversion calls this kind of value in its errors.
    var goType: String {
        switch self {
        case .null: "nil"
        case .bool: "bool"
        case .number: "json.Number"
        case .string: "string"
        case .array: "[]interface {}"
        case .object, .verbatim: "map[string]interface {}"
        }
    }
}
