import AirlockCore
import Crypto
import Foundation

/// `sys/tools`: random bytes and digests (VAULT-PROTOCOL 13).
enum ToolRoutes {
    static let table: [Route] = [
        Route("tools/random", [.write: random]),
        Route("tools/random/{bytes}", [.write: random]),
        Route("tools/random/{source}/{bytes}", [.write: random]),
        Route("tools/hash", [.write: hash]),
        Route("tools/hash/{algorithm}", [.write: hash]),
    ]

    private static let bytesLimit = 131_072

    private static let random: Route.Handler = { call in
        var warnings: [String] = []
        switch call.captures["source"] {
        case nil, "platform", "all": break
        case "seal": warnings = ["no seal/entropy augmentation available, using platform entropy source"]
        case let source?:
            throw AirlockError.badRequest(
                "unsupported entropy source \"\(source)\"; must be \"platform\" or \"seal\", or \"all\"")
        }
        let count = try byteCount(call)
        guard count >= 1 else { throw AirlockError.badRequest("'bytes' cannot be less than 1") }
        guard count <= bytesLimit else { throw AirlockError.badRequest("'bytes' should be less than \(bytesLimit)") }
        let encode = try encoding(call, fallback: "base64")
        // Cryptographically secure: https://developer.apple.com/documentation/swift/systemrandomnumbergenerator
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return .data([.init("random_bytes", .string(encode(bytes)))], warnings: warnings)
    }

    private static func byteCount(_ call: Call) throws -> Int {
        guard let text = call.captures["bytes"] else { return try call.fields.integer("bytes") ?? 32 }
        guard let count = Int(text) else {
            throw AirlockError.badRequest(
                "error parsing url-set byte count: strconv.Atoi: parsing \"\(text)\": invalid syntax")
        }
        return count
    }

    private static let hash: Route.Handler = { call in
        let name = try call.captures["algorithm"] ?? call.fields.string("algorithm") ?? "sha2-256"
        let encode = try encoding(call, fallback: "hex")
        guard let input = Data(base64Encoded: try call.fields.string("input") ?? "") else {
            throw AirlockError.badRequest("unable to decode input as base64")
        }
        return .data([.init("sum", .string(encode(try digest(input, name))))])
    }

    private static func digest(_ input: Data, _ algorithm: String) throws -> [UInt8] {
        switch algorithm {
        case "sha2-256": Array(SHA256.hash(data: input))
        case "sha2-384": Array(SHA384.hash(data: input))
        case "sha2-512": Array(SHA512.hash(data: input))
        case "sha3-256": Array(SHA3_256.hash(data: input))
        case "sha3-384": Array(SHA3_384.hash(data: input))
        case "sha3-512": Array(SHA3_512.hash(data: input))
        default:
            throw AirlockError.badRequest(
                "unsupported algorithm: use sha2-256, sha2-384, sha2-512, sha3-256, sha3-384 or sha3-512")
        }
    }

    private static func encoding(_ call: Call, fallback: String) throws -> ([UInt8]) -> String {
        switch try call.fields.string("format") ?? fallback {
        case "base64": { Data($0).base64EncodedString() }
        case "hex": { $0.withUnsafeBytes(Hexadecimal.text) }
        default: throw AirlockError.badRequest("unsupported encoding format; must be \"hex\" or \"base64\"")
        }
    }
}
