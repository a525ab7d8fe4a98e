import Testing

@testable import AirlockCore

struct NearestNameTests {
    @Test(arguments: [
        ("mountpoint", "mount_point"), ("mount-point", "mount_point"), ("MOUNT_POINT", "mount_point"),
        ("tokne", "token"), ("toke", "token"), ("connection_path", "connections_path"), ("varify", "verify"),
        ("secretid", "secret_id"),
    ])
    func `A slip of the keys finds the name that was meant`(typed: String, meant: String) {
        let near = nearestName(to: typed, among: BackendKwargs.knownKeys)
        #expect(near == meant)
    }

    @Test(arguments: ["", "x", "colour", "hvs.CAESIJlongsecrettoken"])
    func `Nothing is proposed for an unrelated text`(typed: String) {
        #expect(nearestName(to: typed, among: BackendKwargs.knownKeys) == nil)
    }

    @Test func `A long text costs no more than a short one`() {
        #expect(nearestName(to: String(repeating: "token", count: 100_000), among: BackendKwargs.knownKeys) == nil)
    }
}
