import Testing

@testable import AirlockCore

/// The rules of versions (VAULT-PROTOCOL 2.2 to 2.8).
struct KVMetadataTests {
    private static let start = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

    private func written(_ count: Int, config: KVConfig = KVConfig(), maxVersions: Int = 0) -> KVMetadata {
        var metadata = KVMetadata(now: KVMetadataTests.start)
        metadata.maxVersions = maxVersions
        for second in 0..<count {
            _ = metadata.addVersion(config: config, now: KVMetadataTests.start.adding(seconds: second))
        }
        return metadata
    }

    // MARK: Check and set

    @Test(arguments: [(nil, 0), (nil, 3), (0, 0), (3, 3)] as [(Int?, Int)])
    func `A write that names the current version, or none, is let through`(cas: Int?, versions: Int) {
        #expect(throws: Never.self) { try written(versions).check(cas: cas, config: KVConfig()) }
    }

    @Test(arguments: [(0, 3), (2, 3), (4, 3), (-1, 3), (1, 0)])
    func `A write that names another version is refused`(cas: Int, versions: Int) {
        #expect(throws: AirlockError.badRequest("check-and-set parameter did not match the current version")) {
            try written(versions).check(cas: cas, config: KVConfig())
        }
    }

    @Test(arguments: [(true, false), (false, true), (true, true)])
    func `Check and set is required when the key or the mount says so`(key: Bool, mount: Bool) {
        var metadata = written(1)
        metadata.casRequired = key
        var config = KVConfig()
        config.casRequired = mount
        #expect(throws: AirlockError.badRequest("check-and-set parameter required for this call")) {
            try metadata.check(cas: nil, config: config)
        }
        #expect(throws: Never.self) { try metadata.check(cas: 1, config: config) }
    }

    @Test func `A deleted or destroyed version still counts as the current one`() {
        var metadata = written(2)
        metadata.delete([2], now: KVMetadataTests.start)
        _ = metadata.destroy([1, 2])
        #expect(throws: AirlockError.self) { try metadata.check(cas: 0, config: KVConfig()) }
        #expect(throws: Never.self) { try metadata.check(cas: 2, config: KVConfig()) }
        #expect(metadata.addVersion(config: KVConfig(), now: KVMetadataTests.start).version == 3)
    }

    @Test(arguments: [(true, false), (false, true)])
    func `A change of the settings counts by itself, and may have to name the change before`(key: Bool, mount: Bool) {
        var metadata = written(3)
        metadata.metadataVersion = 2
        metadata.metadataCasRequired = key
        var config = KVConfig()
        config.metadataCasRequired = mount
        #expect(throws: AirlockError.badRequest("metadata check-and-set parameter required for this call")) {
            try metadata.check(metadataCAS: nil, config: config)
        }
        #expect(
            throws: AirlockError.badRequest("metadata check-and-set parameter does not match the current version")
        ) { try metadata.check(metadataCAS: 3, config: KVConfig()) }
        #expect(throws: Never.self) { try metadata.check(metadataCAS: 2, config: config) }
        #expect(throws: Never.self) { try metadata.check(cas: nil, config: config) }
    }

    // MARK: Trimming

    @Test(arguments: [(0, 0, 10), (2, 0, 2), (0, 3, 3), (1, 2, 2), (4, 2, 4), (12, 10, 12)])
    func `The larger of the key's and the mount's number of versions is kept`(key: Int, mount: Int, kept: Int) {
        var config = KVConfig()
        config.maxVersions = mount
        let metadata = written(15, config: config, maxVersions: key)
        #expect(metadata.versions.keys.sorted() == Array((15 - kept + 1)...15))
        #expect(metadata.currentVersion == 15)
        #expect(metadata.oldestVersion == 15 - kept + 1)
    }

    @Test func `Trimming happens at the next write, and says what went`() {
        var metadata = written(5)
        #expect(metadata.oldestVersion == 0)
        metadata.maxVersions = 2
        #expect(metadata.versions.count == 5)
        let added = metadata.addVersion(config: KVConfig(), now: KVMetadataTests.start)
        #expect(added.version == 6)
        #expect(added.trimmed == [1, 2, 3, 4])
        #expect(metadata.versions.keys.sorted() == [5, 6])
        #expect(metadata.oldestVersion == 5)
    }

    // MARK: Deleting

    @Test func `Deleting again keeps the first time, and unknown versions are no error`() {
        var metadata = written(2)
        let (first, second) = (KVMetadataTests.start.adding(seconds: 100), KVMetadataTests.start.adding(seconds: 200))
        metadata.delete([1, 99], now: first)
        metadata.delete([1], now: second)
        #expect(metadata.versions[1]?.deletion == first)
        #expect(metadata.versions[99] == nil)
        #expect(metadata.updated < first, "a key is updated by writes only")
        #expect(metadata.versions[1]?.isDeleted(at: first) == true)
        #expect(metadata.versions[2]?.isDeleted(at: second) == false)
    }

    @Test func `Undeleting clears the time, and does nothing to what is destroyed`() {
        var metadata = written(2)
        metadata.delete([1, 2], now: KVMetadataTests.start)
        #expect(metadata.destroy([2, 7]) == [2])
        #expect(metadata.destroy([2]).isEmpty)
        let later = KVMetadataTests.start.adding(seconds: 1)
        metadata.undelete([1, 2, 99], config: KVConfig(), now: later)
        #expect(metadata.versions[1]?.deletion == nil)
        #expect(metadata.versions[1]?.isDeleted(at: later) == false)
        #expect(metadata.versions[2]?.deletion == KVMetadataTests.start)
        #expect(metadata.versions[2]?.isDeleted(at: later) == true)
    }

    /// Key and mount in seconds, and after how many a version made now goes by itself.
    @Test(
        arguments: [(0, 0, nil), (10, 0, 10), (0, 20, 20), (10, 20, 10), (30, 20, 20), (10, -1, nil), (0, -1, nil)]
            as [(Int, Int, Int?)])
    func `The shorter life of the key and the mount counts, and a negative one on the mount is off`(
        key: Int, mount: Int, life: Int?
    ) {
        var config = KVConfig()
        config.deleteVersionAfter = Int64(mount) * 1_000_000_000
        var metadata = KVMetadata(now: KVMetadataTests.start)
        metadata.deleteVersionAfter = Int64(key) * 1_000_000_000
        _ = metadata.addVersion(config: config, now: KVMetadataTests.start)
        #expect(metadata.versions[1]?.deletion == life.map { KVMetadataTests.start.adding(seconds: $0) })
        if let life {
            #expect(metadata.versions[1]?.isDeleted(at: KVMetadataTests.start.adding(seconds: life - 1)) == false)
            #expect(metadata.versions[1]?.isDeleted(at: KVMetadataTests.start.adding(seconds: life)) == true)
            // Undeleting it starts its life again, whether it was over or not.
            for seconds in [1, 1_000] {
                let later = KVMetadataTests.start.adding(seconds: seconds)
                metadata.undelete([1], config: config, now: later)
                #expect(metadata.versions[1]?.deletion == later.adding(seconds: life))
            }
        }
    }
}
