import NIOHTTP1

extension Server {
    /// The request itself was malformed: Hummingbird answers 400 and closes the connection.
    static func isParserError(_ error: any Error) -> Bool { error is HTTPParserError }
}
