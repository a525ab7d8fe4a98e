"""A canary string is every secret. After good requests, bad ones and a restart, with the log at its most talkative, no
secret may stand anywhere that is not an answer to someone who may read it."""

import base64
import contextlib
import http.client
import json
import urllib.parse

from wire import Connection

CANARY = "CanarySingsInTheShaft"
MERGE = {"Content-Type": "application/merge-patch+json"}


def forms(secret):
    """The ways in which a secret could be written down: as it is, percent-encoded, hexadecimal, base64 at each of the
    three alignments (without the characters that depend on what stands beside it)."""
    raw = secret.encode()
    yield raw
    yield urllib.parse.quote(secret, safe="").encode()
    yield "".join(f"%{byte:02X}" for byte in raw).encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield json.dumps(secret)[1:-1].encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        yield whole[-(-8 * shift // 6):len(whole) - 4]
    yield secret.encode("utf-16-le")


def find(secrets, places):
    """Every (secret, place) where a secret is written; names the secret, never shows it."""
    return [
        (name, place) for name, secret in secrets.items() for place, content in places.items()
        if any(form in content for form in forms(secret))]


def test_the_search_finds_a_secret_in_every_form_that_it_looks_for():
    secret = f"{CANARY}-p@ss/wörd"
    for encoded in [
        secret, urllib.parse.quote(secret, safe=""), secret.encode().hex(), secret.encode().hex().upper(),
        *(base64.b64encode(b"x" * n + secret.encode() + b"yz").decode() for n in range(6)),
    ]:
        assert find({"it": secret}, {"here": b"..." + encoded.encode() + b"..."}) == [("it", "here")], encoded
    assert find({"it": secret}, {"here": b"nothing of the kind"}) == []


def drive(server):
    """Stores secrets in every way and provokes every kind of error with them. Returns the secrets, each by a name."""
    client = Connection(server)
    password = f"{CANARY}-password-p@ss"
    uri = f"postgres://etl:{urllib.parse.quote(password, safe='')}@db/{CANARY}"
    secrets = {"the canary": CANARY, "a password": password, "the root token": server.token}

    def done(answer, *statuses):
        assert answer.status in (statuses or (200, 201, 204)), answer.status
        return answer

    # Stored, replaced, deleted, destroyed: versions 2, 1, and the typed surface.
    for value in [CANARY, f"{CANARY} again", uri]:
        done(client.put("/v1/secret/data/connections/pg", {"data": {"conn_uri": value, "extra": {"token": CANARY}}}))
    done(client.patch("/v1/secret/data/connections/pg", {"data": {"more": CANARY}}, headers=MERGE))
    done(client.post("/v1/secret/destroy/connections/pg", {"versions": [1]}))
    done(client.put("/v1/secret/data/deleted", {"data": {"value": CANARY}}))
    done(client.delete("/v1/secret/data/deleted"))
    done(client.put("/v1/secret/data/large", {"data": {"value": CANARY * 5000}}))
    done(client.post("/v1/sys/mounts/kv1", {"type": "kv"}))
    done(client.put("/v1/kv1/a", {"value": CANARY}))
    bearer = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    done(client.post("/api/v2/connections", {
        "connection_id": "typed", "conn_type": "postgres", "host": "db", "login": "etl", "password": password,
        "extra": json.dumps({"token": CANARY})}, token=None, headers=bearer))
    done(client.post("/api/v2/variables", {"key": "typed", "value": CANARY}, token=None, headers=bearer))
    done(client.post("/api/v2/config-values", {"key": "typed", "value": CANARY}))
    entities = [{"connection_id": name, "conn_type": "http", "password": password} for name in ("typed", "bulk")]
    for found in ("overwrite", "fail"):
        actions = [{"action": "create", "entities": entities, "action_on_existence": found}]
        done(client.patch("/api/v2/connections", {"actions": actions}))
    done(client.post("/api/v2/connections/lint", {"text": f"http://u:{CANARY}/@h"}))

    # Tokens and secret ids are secrets themselves, also when they are used up or revoked.
    done(client.put("/v1/sys/policies/acl/all", {"policy": 'path "secret/*" { capabilities = ["read", "update"] }'}))
    for name in ["a live token", "a revoked token"]:
        secrets[name] = done(client.post("/v1/auth/token/create", {"policies": ["all"]})).json["auth"]["client_token"]
    done(client.post("/v1/auth/token/revoke", {"token": secrets["a revoked token"]}))
    done(client.post("/v1/sys/auth/approle", {"type": "approle"}))
    done(client.put("/v1/auth/approle/role/airflow", {"role_id": "airflow", "token_policies": "all"}))
    for name in ["a secret id", "a destroyed secret id"]:
        secrets[name] = done(client.put("/v1/auth/approle/role/airflow/secret-id", {})).data["secret_id"]
    secrets["a custom secret id"] = f"{CANARY}-custom-secret-id"
    done(client.post("/v1/auth/approle/role/airflow/custom-secret-id", {"secret_id": secrets["a custom secret id"]}))
    done(client.post(
        "/v1/auth/approle/role/airflow/secret-id/destroy", {"secret_id": secrets["a destroyed secret id"]}))
    login = done(client.post(
        "/v1/auth/approle/login", {"role_id": "airflow", "secret_id": secrets["a secret id"]}, token=None))
    secrets["a login's token"] = login.json["auth"]["client_token"]
    done(client.post("/v1/auth/token/renew-self", {}, token=secrets["a login's token"]))

    # Wrapped answers: one that waits, one that was had, and one whose token was used elsewhere.
    wrap = {"X-Vault-Wrap-TTL": "1h"}
    for name in ["a waiting wrapping token", "a used wrapping token", "a misused wrapping token"]:
        wrapped = client.post("/v1/sys/wrapping/wrap", {"value": CANARY}, headers=wrap)
        secrets[name] = done(wrapped).json["wrap_info"]["token"]
    done(client.post("/v1/sys/wrapping/unwrap", {"token": secrets["a used wrapping token"]}))
    assert client.get("/v1/kv1/a", token=secrets["a misused wrapping token"]).status == 403
    secrets["a user's password"] = f"{CANARY}-user's-password"
    done(client.post("/v1/sys/auth/userpass", {"type": "userpass"}))
    done(client.post("/v1/auth/userpass/users/alice", {"password": f"{CANARY}-first-password"}))
    done(client.post("/v1/auth/userpass/users/alice/password", {"password": secrets["a user's password"]}))
    login = done(client.post("/v1/auth/userpass/login/alice", {"password": secrets["a user's password"]}, token=None))
    secrets["a user's token"] = login.json["auth"]["client_token"]
    typed = {"username": "alice", "password": secrets["a user's password"]}
    secrets["another token of the user's"] = done(client.post("/auth/token", typed, token=None)).json["access_token"]

    # Every kind of error, with secrets where they do not belong.
    secrets["a wrong token"] = f"{CANARY}-wrong-token"
    for answer in [
        client.put("/v1/secret/data/x", f'{{"data": {{"value": "{CANARY}"'),
        client.put("/v1/secret/data/x", f"{CANARY} is no JSON"),
        client.put("/v1/secret/data/x", {"data": CANARY}),
        client.put("/v1/secret/data/x", {"data": {"value": CANARY}, "options": {"cas": CANARY}}),
        client.put("/v1/secret/data/x", {"data": {"value": CANARY}, "options": {"cas": 7}}),
        client.put("/v1/secret/data/x/", {"data": {"value": CANARY}}),
        client.put("/v1/nomount/x", {"value": CANARY}),
        client.post("/v1/sys/wrapping/wrap", {"value": CANARY}),
        client.post("/v1/sys/wrapping/unwrap", {"token": f"{CANARY}-wrapping"}),
        client.post("/v1/sys/wrapping/unwrap", {"token": secrets["a used wrapping token"]}),
        client.get("/v1/kv1/a", headers={"X-Vault-Wrap-TTL": CANARY}),
        client.post("/v1/sys/leases/lookup", {"lease_id": f"auth/approle/login/{CANARY}"}),
        client.post("/v1/sys/tools/hash", {"input": CANARY + "!"}),
        client.post("/v1/sys/mounts/kv1/tune", {"listing_visibility": CANARY}),
        client.put("/v1/kv1/x/", {"value": CANARY}),
        client.put("/v1/secret/data/x", {"data": {"value": CANARY}}, token=secrets["a wrong token"]),
        client.put("/v1/secret/data/x", {"data": {"value": CANARY}}, token=secrets["a live token"]),
        client.get("/v1/secret/data/connections/pg", token=secrets["a revoked token"]),
        client.get("/v1/secret/data/connections/pg", token=None, headers={"Authorization": f"Basic {CANARY}"}),
        client.post("/v1/auth/approle/login", {"role_id": "airflow", "secret_id": f"{CANARY}-no"}, token=None),
        client.post("/v1/auth/approle/login", f'{{"role_id": "airflow", "secret_id": "{CANARY}', token=None),
        client.post("/v1/auth/approle/login", {"role_id": "airflow", "secret_id": [CANARY]}, token=None),
        client.post("/v1/auth/userpass/login/alice", {"password": f"{CANARY}-no"}, token=None),
        client.post("/v1/auth/userpass/login/alice", {"password": [CANARY]}, token=None),
        client.post("/v1/auth/userpass/users/bob", {"password_hash": CANARY}),
        client.post("/v1/auth/userpass/users/bob", {"password": CANARY, "token_ttl": CANARY}),
        client.post("/v1/auth/token/lookup", {"token": secrets["a wrong token"]}),
        client.put("/v1/sys/policies/acl/bad", {"policy": f'path "a" {{ capabilities = ["{CANARY}'}),
        client.post("/api/v2/connections", {"connection_id": "bad", "conn_type": "x", "pasword": CANARY}, token=None,
                    headers=bearer),
        client.post("/api/v2/connections", f'{{"password": "{CANARY}', token=None, headers=bearer),
        client.patch("/api/v2/connections", {"actions": [{"action": "create", "entities": [CANARY]}]}),
        client.patch("/api/v2/connections", {"actions": [{"action": CANARY, "entities": []}]}),
        client.patch("/api/v2/connections", {"actions": [{"action": "delete", "entities": [f"{CANARY}/"]}]}),
        client.get(f"/api/v2/connections?order_by={CANARY}"),
        client.get(f"/api/v2/connections?team_name={CANARY}/"),
        client.post("/api/v2/connections/lint", {"data": CANARY}),
        client.post("/api/v2/connections/test", {"password": CANARY}),
        client.post("/auth/token", {"username": "alice", "password": f"{CANARY}-no"}, token=None),
        client.post("/auth/token", {"username": CANARY, "password": [CANARY]}, token=None),
    ]:
        assert 400 <= answer.status < 501, answer.status
        assert CANARY not in answer.text, "an error repeats what it was sent"
    with contextlib.suppress(OSError, http.client.HTTPException):
        broken = Connection(server)
        broken.send("PUT", "/v1/secret/data/x", f"{CANARY}", headers={"Content-Length": "nonsense"})
    client.close()
    return secrets


def test_no_secret_is_in_the_log_the_audit_log_or_any_file_of_the_data_directory(start_airlock, tmp_path):
    audit, config = tmp_path / "audit.log", tmp_path / "config.json"
    config.write_text(json.dumps({"audit": str(audit)}))
    server = start_airlock("--config", str(config), LOG_LEVEL="trace")
    secrets = drive(server)
    files = {path.name: path.read_bytes() for path in server.data.iterdir()}  # with the write-ahead log still there
    assert server.stop() == 0
    second = start_airlock(LOG_LEVEL="trace")
    assert Connection(second).get("/v1/secret/data/connections/pg").data["data"]["more"] == CANARY
    assert second.stop() == 0

    files |= {f"{path.name}, stopped": path.read_bytes() for path in server.data.iterdir()}
    files |= {f"{run.name} {which}": path.read_bytes() for run in [server, second]
              for which, path in [("stdout", run.stdout_path), ("stderr", run.stderr_path)]}
    files |= {"audit.log": audit.read_bytes()}
    assert len(files["store.db, stopped"]) > 4096
    audited = files["audit.log"].count(b'"type":"response"')
    assert audited > 30
    assert find(secrets, files) == []


def test_a_root_token_that_was_generated_is_in_its_own_file_and_nowhere_else(start_airlock):
    server = start_airlock(token=None, LOG_LEVEL="trace")
    assert Connection(server).get("/v1/auth/token/lookup-self").status == 200
    assert server.stop() == 0
    places = {path.name: path.read_bytes() for path in server.data.iterdir()}
    places |= {"stdout": server.stdout_path.read_bytes(), "stderr": server.stderr_path.read_bytes()}
    assert find({"the root token": server.token}, places) == [("the root token", "root-token")]
