import Foundation
import Testing

@testable import AirlockCore

struct CIDRTests {
    @Test(arguments: [
        (
            "10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
            ["11.0.0.0", "9.255.255.255", "::10.1.2.3", "", "x", "10.0.0"]
        ),
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.2", "::1"]),
        ("127.0.0.1/32", ["127.0.0.1"], ["127.0.0.2"]),
        ("0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["::1"]),
        ("192.168.4.0/22", ["192.168.4.0", "192.168.7.255"], ["192.168.8.0", "192.168.3.255"]),
        ("10.1.2.3/8", ["10.9.9.9"], ["11.1.2.3"]), ("fd00::/8", ["fd00::1", "fdff::"], ["fe00::", "10.0.0.1"]),
        ("::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]),
        ("::/0", ["::1", "fd00::1"], ["127.0.0.1"]), ("2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]),
        ("1.2.3.4/31", ["1.2.3.4", "1.2.3.5"], ["1.2.3.6", "1.2.3.3"]),
    ])
    func `An address is in its block and in no other`(block: String, inside: [String], outside: [String]) throws {
        let cidr = try #require(CIDR(block))
        for address in inside { #expect(cidr.contains(address), "\(address)") }
        for address in outside { #expect(!cidr.contains(address), "\(address)") }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.0.0/16", true), ("10.0.0.0/8", "10.0.0.0/8", true), ("10.0.0.0/8", "10.1.2.3", true),
        ("10.1.0.0/16", "10.0.0.0/8", false), ("10.0.0.0/8", "11.0.0.0/16", false), ("0.0.0.0/0", "::/0", false),
        ("fd00::/8", "fd12::/16", true), ("fd12::/16", "fd00::/8", false),
    ])
    func `A block lies in another with all its addresses, or not`(outer: String, inner: String, isIn: Bool) throws {
        #expect(try #require(CIDR(outer)).contains(try #require(CIDR(inner))) == isIn)
    }

    @Test(arguments: [
        ("127.0.0.1/32", "127.0.0.1"), ("::1/128", "::1"), ("10.0.0.0/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1"),
    ])
    func `A block of one address reads back without its suffix`(text: String, shown: String) throws {
        let cidr = try #require(CIDR(text))
        #expect(cidr.text == shown)
        #expect(cidr.given == text)
        #expect(try JSONDecoder().decode(CIDR.self, from: JSONEncoder().encode(cidr)) == cidr)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/-0", "10.0.0.0/+8", "10.0.0.0/8/8",
        "10.0.0.0/a", "10.0.0.0/ 8", "10.0.0", "10.0.0.256", "::1/129", "localhost",
        " 10.0.0.1", "10.0.0.1 ", "10.0.0.1\0", "10.0.0.1\0/8", "fe80::1%eth0", "10.0.0.0/٨",
    ])
    func `Anything else is no block`(text: String) {
        #expect(CIDR(text) == nil)
    }
}
