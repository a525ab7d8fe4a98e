package import Logging

/// Whom logins ask: the issuers of keys, and clusters.
package struct IdentityServers: Sendable {
    package let keys: KeySets
    let fetcher: any LoginFetcher
    let logger: Logger

    /// - Parameter keyFolder: the only one that key files are read from; `nil`: none.
    package init(
        reader: any KeyReading, fetcher: any LoginFetcher, keyFolder: String?, now: @escaping Now, logger: Logger
    ) {
        self.fetcher = fetcher
        self.logger = logger
        keys = KeySets(reader: reader, fetcher: fetcher, folder: keyFolder, now: now, logger: logger)
    }
}
