/// One setting of `airlock serve`, described once: the configuration file, the help, the README's table and the messages
/// about unknown names all come from here.
package struct Setting: Sendable {
    /// The key in the configuration file.
    package let key: String
    /// How the same is said on the command line, if it can be.
    package let flag: String?
    /// How the same is said in the environment, if it can be.
    package let variable: String?
    package let fallback: String
    package let help: String

    package static let all: [Setting] = [
        Setting(
            key: "listen", flag: "--listen", variable: nil, fallback: "127.0.0.1:8100",
            help: "Address and port to listen on; port 0 picks a free one."),
        Setting(
            key: "tls_cert_file", flag: "--tls-cert-file", variable: nil, fallback: "none",
            help:
                "PEM file with the server's certificate, then those between it and the authority. With it Airlock speaks TLS only; SIGHUP reads it again."
        ),
        Setting(
            key: "tls_key_file", flag: "--tls-key-file", variable: nil, fallback: "none",
            help: "PEM file with the private key of that certificate, without a passphrase."),
        Setting(
            key: "tls_require_and_verify_client_cert", flag: nil, variable: nil, fallback: "false",
            help: "Take no connection without a client's certificate from one of the authorities in tls_client_ca_file."
        ),
        Setting(
            key: "tls_client_ca_file", flag: nil, variable: nil, fallback: "none",
            help: "PEM file with those authorities. A cert login names its own and needs neither."),
        Setting(
            key: "require_request_header", flag: nil, variable: nil, fallback: "false",
            help: "Answer 412 to requests without `X-Vault-Request: true`, on every surface."),
        Setting(
            key: "x_forwarded_for_authorized_addrs", flag: nil, variable: nil, fallback: "[]",
            help:
                "Addresses and CIDR blocks of proxies whose X-Forwarded-For counts; a request with one from anywhere else is answered 400."
        ),
        Setting(
            key: "data_dir", flag: "--data-dir", variable: "STATE_DIRECTORY", fallback: "~/.local/state/airlock",
            help: "Directory of the encrypted database, made on the first start, mode 0700."),
        Setting(
            key: "key_file", flag: "--key-file", variable: "AIRLOCK_KEY_FILE", fallback: "a file made in data_dir",
            help:
                "File with the sealing key, 32 random bytes in base64; the systemd credential `airlock-key` is found too."
        ),
        Setting(
            key: "backend_kwargs", flag: "--backend-kwargs", variable: nil, fallback: "{}",
            help:
                "The JSON that Airflow gives its VaultBackend: mount_point, connections_path, variables_path and so on."
        ),
        Setting(
            key: "mounts", flag: nil, variable: nil, fallback: "{}",
            help:
                "Mounts by path, each with `backend` (`vault`, `conjur` or `embedded`) and `kwargs`, or a list of `backends`; see docs/caching.md and docs/conjur.md."
        ),
        Setting(
            key: "ttl", flag: nil, variable: nil, fallback: "60s",
            help:
                "How long a vault's answer is given again without asking; a mount may say otherwise, as for the next five."
        ),
        Setting(
            key: "max_stale", flag: nil, variable: nil, fallback: "24h",
            help: "How old an answer may be when the vault cannot be asked."),
        Setting(
            key: "negative_ttl", flag: nil, variable: nil, fallback: "15s",
            help: "As ttl, for the answer that there is nothing."),
        Setting(
            key: "cache_entries", flag: nil, variable: nil, fallback: "100000",
            help: "Answers kept for one mount at most; those not used for longest go first."),
        Setting(
            key: "cache_bytes", flag: nil, variable: nil, fallback: "268435456",
            help: "The same in bytes."),
        Setting(
            key: "memory_bytes", flag: nil, variable: nil, fallback: "134217728",
            help:
                "Bytes of secrets kept readable in memory, of all mounts together, so that reading them again needs no database: some 160,000 of 400 bytes. 0 keeps none; see docs/threat-model.md."
        ),
        Setting(
            key: "authorize", flag: "--authorize", variable: nil, fallback: "local",
            help: "Who decides what a client may read: Airlock's policies (local) or the vault (upstream)."),
        Setting(
            key: "login_recheck", flag: nil, variable: nil, fallback: "1h",
            help: "With authorize upstream: how long a login that the vault has verified is not verified again."),
        Setting(
            key: "rights_recheck", flag: nil, variable: nil, fallback: "5m",
            help: "With authorize upstream: how long a revocation in the vault may take to count here."),
        Setting(
            key: "webhook_secret_file", flag: nil, variable: nil, fallback: "none",
            help:
                "File with the key of signed invalidations, at least 32 characters; without it they need a token. See docs/caching.md."
        ),
        Setting(
            key: "jwks_dir", flag: nil, variable: nil, fallback: "none",
            help: "Folder of the key sets that jwt and kubernetes logins may name as jwks_file; see docs/logins.md."
        ),
        Setting(
            key: "conjur_mount", flag: nil, variable: nil, fallback: "none",
            help: "Mount whose secrets clients of CyberArk Conjur get as variables; see docs/conjur.md."),
        Setting(
            key: "max_request_size", flag: nil, variable: nil, fallback: "33554432",
            help: "Bytes of a request body at most, 1024 to 1073741824; more is answered 413."),
        Setting(
            key: "insecure_http", flag: "--insecure-http", variable: nil, fallback: "false",
            help:
                "Allow plain HTTP on an address that is not loopback. Tokens and secrets then cross the network in the clear."
        ),
        Setting(
            key: "log_level", flag: nil, variable: "LOG_LEVEL", fallback: "info",
            help: "trace, debug, info, notice, warning, error or critical. Secrets are in no level's output."),
        Setting(
            key: "audit", flag: nil, variable: nil, fallback: "none",
            help:
                "Path of the audit log, or `stdout`. When it cannot be written, requests are refused. See docs/audit.md."
        ),
        Setting(
            key: "root_token_file", flag: nil, variable: "AIRLOCK_ROOT_TOKEN_FILE", fallback: "root-token in data_dir",
            help: "File with the root token to use from this start on; AIRLOCK_ROOT_TOKEN gives the token itself."),
    ]

    /// - Throws: `AirlockError` for a key that no setting has, with the nearest one that exists.
    package static func check(_ key: String) throws {
        let keys = all.map(\.key)
        guard !keys.contains(key) else { return }
        let suggestion = nearestName(to: key, among: keys).map { "did you mean \"\($0)\"?" }
        throw AirlockError.badRequest(
            "unknown setting \"\(key)\": \(suggestion ?? "known are " + keys.joined(separator: ", "))")
    }

    /// The table of the README.
    package static var markdown: String {
        var lines = ["| setting | flag | environment | default | meaning |", "|---|---|---|---|---|"]
        for setting in all {
            let flag = setting.flag.map { "`\($0)`" } ?? ""
            let variable = setting.variable.map { "`\($0)`" } ?? ""
            lines.append("| `\(setting.key)` | \(flag) | \(variable) | \(setting.fallback) | \(setting.help) |")
        }
        return lines.joined(separator: "\n")
    }
}
