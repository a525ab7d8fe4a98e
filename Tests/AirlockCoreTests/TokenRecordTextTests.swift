import Foundation
import Testing

@testable import AirlockCore

struct TokenRecordTextTests {
    private let full = Token(
        accessor: "a\"<é", policies: ["default", "p"], path: "auth/approle/login", displayName: "approle",
        meta: ["role_name": "r", "k": "\u{1}\n"], issued: Timestamp(nanoseconds: 1), creationTTL: 2,
        expires: Timestamp(nanoseconds: 3), lastTTL: 4, explicitMaxTTL: 5, period: 6, usesLeft: 7, usesGranted: 8,
        renewable: true, parent: Token.Parent(digest: "d", accessor: "e"), lostParent: true, hasChildren: true,
        entityID: "f", issuedThrough: "g", loginRole: "h", tokenRole: "i", boundCIDRs: [CIDR("10.0.0.0/8")!],
        certificateDigest: "j", lastRenewal: Timestamp(nanoseconds: 9))
    private let bare = Token(
        accessor: "", policies: [], path: "", displayName: "", meta: nil, issued: Timestamp(nanoseconds: -1),
        creationTTL: 0, expires: nil, lastTTL: 0, explicitMaxTTL: 0, period: 0, usesLeft: 0, usesGranted: nil,
        renewable: false, parent: nil, entityID: "", issuedThrough: nil, loginRole: nil, tokenRole: nil,
        boundCIDRs: [], certificateDigest: nil)

    @Test func `A token is written so that it is read as itself, as Codable writes it`() throws {
        for token in [full, bare] {
            let text = try #require(token.recordText)
            #expect(try RecordValue.decode(Token.self, text) == token)
            let names = try JSON(parsing: text).members?.map(\.name).sorted()
            let known = try JSON(parsing: RecordValue.encode(token)).members?.map(\.name).sorted()
            #expect(names == known)
        }
    }

    @Test func `A field that is added to tokens is to be written, too`() throws {
        // All but an upstream's grant and the namespace, with which a token is left to Codable.
        let text = try #require(full.recordText)
        let written = try JSON(parsing: text).members?.count ?? 0
        #expect(Mirror(reflecting: full).children.count == written + 2)
        var other = full
        other.home = try Namespace(name: "a", in: .root)
        #expect(other.recordText == nil)
    }
}
