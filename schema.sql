-- The two files of a data directory, each with its part of this file, parted by the line that names the second.

-- store.db: the embedded store. One writer, WAL, synchronous=FULL: what was acknowledged survives a power cut,
-- but for tokens of AppRole logins of the last quarter of a second (docs/threat-model.md).
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
    -- namespace, mount, auth_mount, policy, kv_config, kv_metadata, kv_version, kv_secret, cubbyhole, token, token_accessor,
    -- token_role, root_token, wrapped, remount, login_config, role, role_id, secret_id, secret_id_accessor, audit_key,
    -- upstream_login, upstream_right, last_read.
    kind    TEXT NOT NULL,
    -- What the record belongs to: a namespace's or a mount's uuid, uuid/role for secret ids, or the keyed digest of a
    -- token's accessor. Empty for the root namespace and the whole store.
    scope   TEXT NOT NULL,
    -- A path, a name, or the keyed digest (hex HMAC-SHA256) of a token, an accessor, a role id or a secret id. A token that
    -- Airlock has made: five letters for the second it was made in, a hyphen, and its accessor's digest, so that tokens of one
    -- time lie together; no token_accessor leads to it.
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

-- ==== cache.db ====
-- What upstreams answered. Nothing here is the only copy of anything: a file of another format, sealed with other keys or
-- damaged is made anew at the start. WAL, synchronous=NORMAL. secure_delete=ON: what is purged leaves no sealed bytes in
-- free pages for somebody who comes by the key later. No auto_vacuum: the limits bound the file, and free pages are reused.

CREATE TABLE seal_check (
    -- One row, an empty text sealed: it opens with the keys in store.db that sealed the entries, and with no others.
    term   INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE entry (
    -- Never used twice: a number stands for one answer, not for its path.
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Airlock's own mount path, which ends in `/`, and the path below it.
    mount    TEXT NOT NULL,
    path     TEXT NOT NULL,
    -- The version that was asked for, in decimal; empty for the latest.
    version  TEXT NOT NULL,
    -- Which upstream answered: kind, address, namespace and mount.
    identity TEXT NOT NULL,
    -- From here to `size`: bookkeeping, which decides what is dropped, never what is answered.
    -- 1 when the answer was that there is nothing.
    negative INTEGER NOT NULL,
    -- 1 when it is marked expired. For counting; the mark that counts is inside the seal.
    expired  INTEGER NOT NULL,
    -- When it was asked and when it was last used, in nanoseconds since 1970 UTC.
    fetched  INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    -- Bytes of `sealed`.
    size     INTEGER NOT NULL,
    -- The sealing_key of store.db that opens `sealed`.
    term     INTEGER NOT NULL,
    -- 12-byte nonce, ciphertext, 16-byte tag; bound to identity, mount, path, version and term. Inside: when it was asked,
    -- whether it is marked expired, and the answer.
    sealed   BLOB NOT NULL,
    UNIQUE (mount, path, version)
) STRICT;

CREATE INDEX entry_eviction ON entry (mount, negative, used);
CREATE INDEX entry_age ON entry (mount, fetched);
-- What is stale, and since when, without a look at every entry.
CREATE INDEX entry_staleness ON entry (mount, expired, negative, fetched);

-- Sums over `entry`, counted anew at each start.
CREATE TABLE usage (
    mount     TEXT PRIMARY KEY,
    entries   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    negatives INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
    INSERT INTO usage VALUES (new.mount, 1, new.size, new.negative)
    ON CONFLICT DO UPDATE SET entries = entries + 1, bytes = bytes + new.size, negatives = negatives + new.negative;
END;

CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    UPDATE usage SET entries = entries - 1, bytes = bytes - old.size, negatives = negatives - old.negative
    WHERE mount = old.mount;
END;
