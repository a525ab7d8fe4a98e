/// How long a mount's cached answers are good. Nanoseconds.
package struct FreshnessRule: Sendable, Equatable {
    /// A value younger than this is answered without asking.
    package var ttl = Timestamp.nanoseconds(in: 60)
    /// A value younger than this may be answered when the backend cannot be asked. Never one older.
    package var maxStale = Timestamp.nanoseconds(in: 24 * 3600)
    /// As `ttl`, for the answer that there is nothing.
    package var negativeTTL = Timestamp.nanoseconds(in: 15)

    package init() {}

    /// From this age on an entry is of no use to anybody. `ttl` counts where stale answers are not wanted at all.
    package var usefulAge: Int64 { max(ttl, negativeTTL, maxStale) }
}

/// The only three things a cache can answer about an entry. Pure: a function of times.
package enum Freshness: Sendable, Equatable {
    /// - Parameter age: nanoseconds since the backend said so.
    case fresh(age: Int64)
    case stale(age: Int64)
    case absent

    /// - Parameter expired: marked by an invalidation: as old as can be, but still good for an outage.
    package init(fetched: Timestamp, isNegative: Bool, expired: Bool, now: Timestamp, rule: FreshnessRule) {
        let age = max(0, now.nanoseconds - fetched.nanoseconds)
        let ttl = isNegative ? rule.negativeTTL : rule.ttl
        // An entry from the future, written before the clock was set back, is no reason to trust it for longer.
        if !expired, fetched <= now, age < ttl {
            self = .fresh(age: age)
        } else if age < rule.maxStale {
            self = .stale(age: age)
        } else {
            self = .absent
        }
    }

    /// The age at which an entry in use is fetched anew before it expires: 80 % of its ttl, ±20 % of that, so that entries
    /// fetched together are not fetched together again.
    /// - Parameter seed: any number that differs between entries and stays for one.
    package static func refreshAge(ttl: Int64, seed: UInt64) -> Int64 {
        // 0.64 to 0.96: https://en.wikipedia.org/wiki/Hash_function#Fibonacci_hashing
        let spread = Double((seed &* 0x9E37_79B9_7F4A_7C15) >> 40) / Double(1 << 24)
        return Int64(Double(ttl) * (0.64 + 0.32 * spread))
    }
}

/// What a client says about its own read in `Cache-Control` (RFC 9111, section 5.2.1). Seconds.
package struct CacheDirectives: Sendable, Equatable {
    /// Ask the backend, whatever is cached.
    package var noCache = false
    /// Nothing older than this.
    package var maxAge: Int?
    /// A stale value is welcome without asking, up to this age beyond its ttl; `.max` is any.
    package var maxStale: Int?
    /// Do not ask the backend: what is not cached is a 504.
    package var onlyIfCached = false

    package init() {}

    /// Directives that are not for a cache like this one are skipped, as the RFC has it.
    package init(parsing header: String) {
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.filter { $0 != " " && $0 != "\t" }
            }
            let seconds = pair.count == 2 ? CacheDirectives.seconds(pair[1]) : nil
            switch pair.first?.lowercased() {
            case "no-cache": noCache = true
            case "max-age": maxAge = seconds ?? 0
            case "max-stale" where seconds != nil || pair.count == 1: maxStale = seconds ?? .max
            case "only-if-cached": onlyIfCached = true
            default: break
            }
        }
    }

    /// Digits, also quoted; more than can be counted is as much as can be counted (section 1.2.2).
    private static func seconds(_ text: String) -> Int? {
        let digits = text.filter { $0 != "\"" }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
            return nil
        }
        return Int(digits) ?? .max
    }

    /// Whether an entry may be answered without asking the backend.
    package func accepts(_ freshness: Freshness, ttl: Int64) -> Bool {
        guard !noCache else { return false }
        let limit = maxAge.map { Timestamp.nanoseconds(in: $0) } ?? .max
        switch freshness {
        case .fresh(let age): return age <= limit
        case .stale(let age):
            guard let maxStale, age <= limit else { return false }
            return age - ttl <= Timestamp.nanoseconds(in: maxStale)
        case .absent: return false
        }
    }
}
