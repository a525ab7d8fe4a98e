import Foundation
package import Logging

/// The public keys that logins are checked with. Those from elsewhere are kept in memory and asked for again when they are
/// old, or when none of them signed a token, for the issuer may have new ones. While it does not answer, the known ones count.
package actor KeySets {
    /// Seconds between two questions to one issuer at least: strangers can send tokens that no key signed.
    static let pause = 5
    /// Seconds until a key that its issuer no longer names stops to count.
    static let freshness = 600
    /// Bytes of a set at most.
    package static let sizeLimit = 1 << 20
    private static let sourceLimit = 64

    private struct Held {
        var keys: [any VerificationKey] = []
        var asked: Timestamp
        var fetched: Timestamp?
        /// What was wrong the last time.
        var failure: String?
    }

    package nonisolated let reader: any KeyReading
    private nonisolated let fetcher: any LoginFetcher
    private nonisolated let folder: String?
    private nonisolated let now: Now
    private nonisolated let logger: Logger
    private var held: [KeySource: Held] = [:]
    private var asking: [KeySource: Task<Void, Never>] = [:]

    /// - Parameter folder: the only one that key files are read from; `nil`: none.
    package init(
        reader: any KeyReading, fetcher: any LoginFetcher, folder: String?, now: @escaping Now, logger: Logger
    ) {
        self.reader = reader
        self.fetcher = fetcher
        self.folder = folder
        self.now = now
        self.logger = logger
    }

    /// The token, when one of the source's keys signed it.
    package nonisolated func verified(_ text: SecretText, by source: KeySource) async throws(JWTFault) -> CompactJWT {
        let token: CompactJWT
        do throws(JWTFault) {
            token = try CompactJWT(text)
        } catch {
            throw JWTFault(source.malformedPrefix + error.reason)
        }
        guard !token.isCritical, JWTExpectation.allAlgorithms.contains(token.algorithm) else { throw source.noKey }
        switch source {
        case .pem(let texts):
            guard texts.compactMap({ reader.key(pem: $0) }).contains(where: { $0.signed(token) }) else {
                throw source.noKey
            }
        case .file(let name):
            guard KeySets.signed(token, try keys(inFile: name)) else { throw source.noKey }
        case .url, .discovery:
            if KeySets.signed(token, await keys(of: source)) { return token }
            let (keys, failure) = await newKeys(of: source)
            guard KeySets.signed(token, keys) else {
                throw failure == nil ? source.noKey : JWTFault("fetching keys failed: the issuer gave no key set")
            }
        }
        return token
    }

    /// Looks at the source anew, for an administrator who has just named it.
    /// - Throws: what is wrong with it; never any of what was read.
    package func check(_ source: KeySource) async throws(JWTFault) {
        switch source {
        case .pem(let texts):
            guard texts.allSatisfy({ reader.key(pem: $0) != nil }) else {
                throw JWTFault("data does not contain any valid public keys")
            }
        case .file(let name): _ = try keys(inFile: name)
        case .url, .discovery:
            await ask(source)
            if let failure = held[source]?.failure { throw JWTFault(failure) }
        }
    }

    /// What was wrong with the source when it was last asked; `nil` as long as it has not been.
    package func failure(of source: KeySource) -> String? { held[source]?.failure }

    private static func signed(_ token: CompactJWT, _ keys: [any VerificationKey]) -> Bool {
        keys.contains { (token.keyID.isEmpty || $0.id.utf8.elementsEqual(token.keyID.utf8)) && $0.signed(token) }
    }

    // MARK: Files

    private nonisolated func keys(inFile name: String) throws(JWTFault) -> [any VerificationKey] {
        guard let folder else {
            throw JWTFault("no folder of key files is set: name it by Airlock's setting jwks_dir")
        }
        guard KeySets.isFileName(name) else {
            throw JWTFault("jwks_file must be the name of a file in Airlock's folder jwks_dir, without a path")
        }
        let path = "\(folder)/\(name)"
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        // Anything but a plain file, such as a pipe, could hold up whoever reads it.
        guard attributes?[.type] as? FileAttributeType == .typeRegular,
            let size = attributes?[.size] as? Int, size <= KeySets.sizeLimit,
            let data = FileManager.default.contents(atPath: path)
        else { throw JWTFault("the key file cannot be read, or is larger than 1 MiB") }
        guard let keys = reader.keys(set: Array(data)) else { throw JWTFault("the key file is not a JSON Web Key Set") }
        return keys
    }

    /// No path, so that nobody who may configure a login can have other files read.
    package static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".")
            && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
    }

    // MARK: Other servers

    private func keys(of source: KeySource) async -> [any VerificationKey] {
        let isFresh = held[source]?.fetched.map { now() < $0.adding(seconds: KeySets.freshness) } ?? false
        if !isFresh { await askUnlessJustAsked(source) }
        return held[source]?.keys ?? []
    }

    private func newKeys(of source: KeySource) async -> (keys: [any VerificationKey], failure: String?) {
        await askUnlessJustAsked(source)
        return (held[source]?.keys ?? [], held[source]?.failure)
    }

    private func askUnlessJustAsked(_ source: KeySource) async {
        if asking[source] == nil, let asked = held[source]?.asked, now() < asked.adding(seconds: KeySets.pause) {
            return
        }
        await ask(source)
    }

    /// Those who come while it is being asked wait for the same answer.
    private func ask(_ source: KeySource) async {
        if let task = asking[source] { return await task.value }
        let task = Task { await fetch(source) }
        asking[source] = task
        await task.value
        asking[source] = nil
    }

    private func fetch(_ source: KeySource) async {
        if held.count >= KeySets.sourceLimit, held[source] == nil { held = [:] }
        held[source, default: Held(asked: now())].asked = now()
        var outcome = held[source] ?? Held(asked: now())
        do throws(JWTFault) {
            outcome.keys = try await fetched(source)
            (outcome.fetched, outcome.failure) = (now(), nil)
        } catch {
            outcome.failure = error.reason
            logger.warning("a login's keys cannot be fetched", metadata: ["reason": "\(error.reason)"])
        }
        held[source] = outcome
    }

    private nonisolated func fetched(_ source: KeySource) async throws(JWTFault) -> [any VerificationKey] {
        switch source {
        case .url(let url, let authority):
            return try await set(try KeySets.url(url), authority)
        case .discovery(let issuer, let authority):
            return try await set(try await keySetURL(of: issuer, authority), authority)
        case .pem, .file: return []
        }
    }

    private static func url(_ text: String) throws(JWTFault) -> LoginURL {
        do throws(ServerAddress.Fault) {
            return try LoginURL(text)
        } catch {
            throw JWTFault("the URL is not usable: \(error.reason)")
        }
    }

    private nonisolated func set(_ url: LoginURL, _ authority: String) async throws(JWTFault) -> [any VerificationKey] {
        guard let keys = reader.keys(set: try await body(url, authority)) else {
            throw JWTFault("the answer is not a JSON Web Key Set")
        }
        return keys
    }

    private nonisolated func keySetURL(of issuer: String, _ authority: String) async throws(JWTFault) -> LoginURL {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let url = try KeySets.url(base + "/.well-known/openid-configuration")
        guard let document = try? JSON(parsing: try await body(url, authority)), document.members != nil else {
            throw JWTFault("the discovery document is not a JSON object")
        }
        guard let named = document["issuer"]?.text, named.utf8.elementsEqual(issuer.utf8) else {
            throw JWTFault("issuer did not match the returned issuer")
        }
        let keys = try KeySets.url(document["jwks_uri"]?.text ?? "")
        // An issuer elsewhere must not turn a question to this machine.
        guard keys.isEncrypted || !url.isEncrypted else {
            throw JWTFault("the discovery document leads from https to http")
        }
        return keys
    }

    private nonisolated func body(_ url: LoginURL, _ authority: String) async throws(JWTFault) -> [UInt8] {
        var question = LoginQuestion(url)
        question.authority = authority
        let answer: LoginAnswer
        do {
            answer = try await fetcher.fetch(question)
        } catch let error as UpstreamError {
            throw JWTFault(error.message)
        } catch {
            throw JWTFault("the question was cut off")
        }
        guard answer.status == 200 else { throw JWTFault("the answer has status \(answer.status), not 200") }
        return answer.body.bytes
    }
}
