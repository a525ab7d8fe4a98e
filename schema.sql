-- store.db: the embedded store. One writer, WAL, synchronous=FULL: what was acknowledged survives a power cut.
-- Nothing secret lies in any column; every value that decides an answer lies inside a seal (docs/threat-model.md).

CREATE TABLE sealing_key (
    -- Data keys, each sealed with the operator's key (the key file). The highest term seals new records;
    -- older ones stay, so that older records open. Term 0 is the key of the digests, not a sealing key.
    term      INTEGER PRIMARY KEY,
    -- 12-byte nonce, ciphertext, 16-byte tag (AES-256-GCM).
    sealed    BLOB NOT NULL,
    -- Nanoseconds since 1970 UTC. Shown by sys/key-status; decides nothing.
    installed INTEGER NOT NULL
) STRICT;

CREATE TABLE record (
    -- mount, auth_mount, policy, kv_config, kv_metadata, kv_version, kv_secret, token, token_accessor, root_token,
    -- role, role_id, secret_id, secret_id_accessor.
    kind    TEXT NOT NULL,
    -- What the record belongs to: a mount's uuid, or uuid/role for secret ids. Empty for the whole store.
    scope   TEXT NOT NULL,
    -- A path, a name, or the keyed digest (hex HMAC-SHA256) of a token, an accessor, a role id or a secret id.
    name    TEXT NOT NULL,
    -- The version of a KV version 2 secret; 0 for all else.
    version INTEGER NOT NULL,
    -- The sealing_key that opens `sealed`.
    term    INTEGER NOT NULL,
    -- 12-byte nonce, ciphertext, 16-byte tag; bound to kind, scope, name, version and term.
    sealed  BLOB NOT NULL,
    -- When the sweeper may drop the row, in nanoseconds since 1970 UTC. Whether a token is still good is decided
    -- by what is sealed, never by this column.
    expires INTEGER,
    PRIMARY KEY (kind, scope, name, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_expires ON record (expires) WHERE expires IS NOT NULL;
