// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "airlock",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "airlock", targets: ["airlock"]),
        .executable(name: "conn-import", targets: ["conn-import"]),
        .executable(name: "benchmark-uris", targets: ["benchmark-uris"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CCurl"),
        .target(name: "AirlockCore", dependencies: [log], swiftSettings: strict),
        .target(
            name: "AirlockStore",
            dependencies: ["AirlockCore", crypto, log, .product(name: "GRDB", package: "GRDB.swift")],
            resources: [.embedInCode("../../schema.sql")],
            swiftSettings: strict),
        .target(name: "AirlockUpstream", dependencies: ["AirlockCore", "CCurl", log], swiftSettings: strict),
        .target(
            name: "AirlockYAML", dependencies: ["AirlockCore", .product(name: "Yams", package: "Yams")],
            swiftSettings: strict),
        .target(
            name: "AirlockHTTP",
            dependencies: [
                "AirlockCore", crypto,
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
            ],
            resources: [.embedInCode("Typed/openapi.json")],
            swiftSettings: strict),
        .executableTarget(
            name: "airlock",
            dependencies: [
                "AirlockCore", "AirlockStore", "AirlockUpstream", "AirlockHTTP", "AirlockYAML", arguments, log,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "conn-import",
            dependencies: [
                "AirlockCore", "AirlockUpstream", "AirlockYAML", arguments, crypto,
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .executableTarget(name: "benchmark-uris", dependencies: ["AirlockCore"], swiftSettings: strict),
        .testTarget(
            name: "AirlockCoreTests", dependencies: ["AirlockCore", "AirlockStore", log], exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "ConnImportTests",
            dependencies: ["AirlockCore", "conn-import", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .testTarget(
            name: "AirlockUpstreamTests", dependencies: ["AirlockCore", "AirlockUpstream", log], swiftSettings: strict),
        .testTarget(
            name: "AirlockStoreTests",
            dependencies: ["AirlockCore", "AirlockStore", log, .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .testTarget(
            name: "AirlockHTTPTests",
            dependencies: [
                "AirlockCore", "AirlockStore", "AirlockHTTP", crypto, log,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            exclude: ["Transcripts"],
            swiftSettings: strict),
    ]
)
