package import AirlockCore
import Crypto
import Foundation
import Synchronization

/// Who may do one thing without a token: whoever signs the request with a shared secret. The signature is
/// `t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>`; it is good for five minutes around `t`, and once.
package final class Webhook: Sendable {
    /// Seconds a signature's time may lie in the past or in the future.
    static let window = 300
    /// Signed requests a second, and how many may come at once: a sender that has lost its mind must not make the vault
    /// answer every read. Only good signatures count, so that a stranger cannot use them up.
    static let rate = 10
    static let burst = 20
    /// Signatures remembered at most. The rate allows for fewer within their time, so none is ever forgotten too early.
    static let memory = 2 * window * rate + burst + rate

    private struct State {
        /// The good signatures that have been used, and when each would no longer be good anyway.
        var used: [Data: Timestamp] = [:]
        var tokens = Double(burst)
        var counted: Timestamp?
    }

    private let key: SymmetricKey
    private let now: Now
    private let state = Mutex(State())

    package init(secret: SecretText, now: @escaping Now) {
        key = SymmetricKey(data: Array(secret.revealed.utf8))
        self.now = now
    }

    /// Takes a signature for used.
    /// - Throws: `AirlockError.invalidToken`, for whatever is wrong with it alike; `tooMany`, and then it can be sent again.
    func verify(_ signature: String, body: [UInt8]) throws {
        guard let (time, code) = Webhook.parts(signature), let seconds = Int(time) else {
            throw AirlockError.invalidToken
        }
        let signed = Array("\(time).".utf8) + body
        // Compares in constant time.
        guard HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: key) else {
            throw AirlockError.invalidToken
        }
        let now = now()
        let (age, overflow) = now.seconds.subtractingReportingOverflow(seconds)
        guard !overflow, (-Webhook.window...Webhook.window).contains(age) else { throw AirlockError.invalidToken }
        let end = Timestamp(nanoseconds: Timestamp.nanoseconds(in: seconds + Webhook.window + 1))
        try state.withLock { state in
            guard state.used[Data(code)] == nil else { throw AirlockError.invalidToken }
            try Webhook.admit(&state, now: now)
            state.used[Data(code)] = end
        }
    }

    private static func admit(_ state: inout State, now: Timestamp) throws {
        let nanoseconds = state.counted.map { max(0, now.nanoseconds - $0.nanoseconds) } ?? 0
        state.tokens = min(Double(burst), state.tokens + Double(nanoseconds) / 1e9 * Double(rate))
        state.counted = now
        if state.tokens >= 1, state.used.count >= memory { state.used = state.used.filter { $0.value > now } }
        guard state.tokens >= 1, state.used.count < memory else {
            throw AirlockError(.tooMany, "more than \(rate) signed requests a second; send it again in a second")
        }
        state.tokens -= 1
    }

    /// Members that are neither `t` nor `v1` are for others; each of these two stands there once.
    private static func parts(_ signature: String) -> (time: String, code: [UInt8])? {
        var found: [Substring: Substring] = [:]
        for part in signature.split(separator: ",") {
            let pair = part.trimmingPrefix { $0 == " " }.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, found.updateValue(pair[1], forKey: pair[0]) == nil else { return nil }
        }
        guard let time = found["t"], time.utf8.allSatisfy({ (48...57).contains($0) }),
            let code = found["v1"].flatMap(bytes), code.count == SHA256.byteCount
        else { return nil }
        return (String(time), code)
    }

    private static func bytes(fromHex text: Substring) -> [UInt8]? {
        let digits = text.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 255) }
        guard digits.count % 2 == 0, !digits.contains(255) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
