"""A canary string is every secret. After good requests, bad ones and a restart, with the log at its most talkative, no
secret may stand anywhere that is not an answer to someone who may read it."""

import base64
import contextlib
import http.client
import json
import urllib.parse

from authority import Authority
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


def done(answer):
    assert answer.status in (200, 201, 204), answer.status
    return answer


PASSWORD = f"{CANARY}-password-p@ss"


class Drive:
    """Stores secrets in every way and provokes every kind of error with them. `secrets` are all of them, each by a name."""

    def __init__(self, server, authority):
        self.server, self.client, self.authority = server, Connection(server), authority
        self.bearer = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        self.secrets = {
            "the canary": CANARY, "a password": PASSWORD, "the root token": server.token, "a wrong token": f"{CANARY}-wrong-token"}

    def everything(self):
        done(self.client.put("/v1/sys/policies/acl/all", {"policy": 'path "secret/*" { capabilities = ["read", "update"] }'}))
        for subject in [
                self.versions, self.plain, self.an_upgraded_mount, self.typed, self.tokens, self.approle, self.wrapping,
                self.cubbyhole, self.a_namespace, self.userpass, self.jwt, self.kubernetes, self.conjur,
                self.refusals_of_writes, self.refusals_of_logins, self.refusals_of_the_typed_surface, self.a_broken_request]:
            subject()
        self.client.close()
        return self.secrets

    def login(self, path, name, **body):
        answer = done(self.client.post(f"/v1/auth/{path}", body, token=None))
        self.secrets[name] = answer.json["auth"]["client_token"]

    @staticmethod
    def refused(*answers):
        for answer in answers:
            assert 400 <= answer.status < 501, answer.status
            assert CANARY not in answer.text, "an error repeats what it was sent"

    # Secrets

    def versions(self):
        """Stored, replaced, deleted, destroyed."""
        uri = f"postgres://etl:{urllib.parse.quote(PASSWORD, safe='')}@db/{CANARY}"
        for value in [CANARY, f"{CANARY} again", uri]:
            done(self.client.put("/v1/secret/data/connections/pg", {"data": {"conn_uri": value, "extra": {"token": CANARY}}}))
        done(self.client.patch("/v1/secret/data/connections/pg", {"data": {"more": CANARY}}, headers=MERGE))
        done(self.client.post("/v1/secret/destroy/connections/pg", {"versions": [1]}))
        done(self.client.put("/v1/secret/data/deleted", {"data": {"value": CANARY}}))
        done(self.client.delete("/v1/secret/data/deleted"))
        done(self.client.put("/v1/secret/data/large", {"data": {"value": CANARY * 5000}}))

    def plain(self):
        done(self.client.post("/v1/sys/mounts/kv1", {"type": "kv"}))
        done(self.client.put("/v1/kv1/a", {"value": CANARY}))

    def an_upgraded_mount(self):
        done(self.client.post("/v1/sys/mounts/upgraded", {"type": "kv"}))
        done(self.client.put("/v1/upgraded/a", {"value": CANARY, "more": PASSWORD}))
        done(self.client.post("/v1/sys/mounts/upgraded/tune", {"options": {"version": "2"}}))
        assert self.client.get("/v1/upgraded/data/a").data["data"]["value"] == CANARY
        done(self.client.put("/v1/upgraded/data/a", {"data": {"value": f"{CANARY} after"}}))

    def typed(self):
        done(self.client.post("/api/v2/connections", {
            "connection_id": "typed", "conn_type": "postgres", "host": "db", "login": "etl", "password": PASSWORD,
            "extra": json.dumps({"token": CANARY})}, token=None, headers=self.bearer))
        done(self.client.post("/api/v2/variables", {"key": "typed", "value": CANARY}, token=None, headers=self.bearer))
        done(self.client.post("/api/v2/config-values", {"key": "typed", "value": CANARY}))
        entities = [{"connection_id": name, "conn_type": "http", "password": PASSWORD} for name in ("typed", "bulk")]
        for found in ("overwrite", "fail"):
            actions = [{"action": "create", "entities": entities, "action_on_existence": found}]
            done(self.client.patch("/api/v2/connections", {"actions": actions}))
        done(self.client.post("/api/v2/connections/lint", {"text": f"http://u:{CANARY}/@h"}))

    def cubbyhole(self):
        done(self.client.put("/v1/cubbyhole/a", {"value": CANARY}))
        done(self.client.put("/v1/cubbyhole/gone", {"value": CANARY}, token=self.secrets["a live token"]))
        done(self.client.delete("/v1/cubbyhole/gone", token=self.secrets["a live token"]))
        self.refused(self.client.put("/v1/cubbyhole/a", f'{{"value": "{CANARY}'))

    def a_namespace(self):
        done(self.client.post("/v1/sys/namespaces/team", {}))
        done(self.client.post("/v1/team/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}))
        done(self.client.put("/v1/team/kv/data/a", {"data": {"value": CANARY}}))
        answer = done(self.client.post("/v1/team/auth/token/create", {}))
        self.secrets["a namespace's token"] = answer.json["auth"]["client_token"]
        inside = {"X-Vault-Namespace": "team"}
        done(self.client.put("/v1/cubbyhole/a", {"value": CANARY}, token=self.secrets["a namespace's token"], headers=inside))
        self.refused(self.client.put("/v1/kv/data/a", {"data": CANARY}, headers=inside))

    # Tokens and what is logged in with are secrets themselves, also when they are used up or revoked.

    def tokens(self):
        for name in ["a live token", "a revoked token"]:
            made = done(self.client.post("/v1/auth/token/create", {"policies": ["all", "default"]}))
            self.secrets[name] = made.json["auth"]["client_token"]
        done(self.client.post("/v1/auth/token/revoke", {"token": self.secrets["a revoked token"]}))

    def approle(self):
        done(self.client.post("/v1/sys/auth/approle", {"type": "approle"}))
        role = "/v1/auth/approle/role/airflow"
        done(self.client.put(role, {"role_id": "airflow", "token_policies": "all"}))
        for name in ["a secret id", "a destroyed secret id"]:
            self.secrets[name] = done(self.client.put(f"{role}/secret-id", {})).data["secret_id"]
        self.secrets["a custom secret id"] = f"{CANARY}-custom-secret-id"
        done(self.client.post(f"{role}/custom-secret-id", {"secret_id": self.secrets["a custom secret id"]}))
        done(self.client.post(f"{role}/secret-id/destroy", {"secret_id": self.secrets["a destroyed secret id"]}))
        self.login("approle/login", "a login's token", role_id="airflow", secret_id=self.secrets["a secret id"])
        done(self.client.post("/v1/auth/token/renew-self", {}, token=self.secrets["a login's token"]))

    def wrapping(self):
        """Answers that wait, were had, or whose token was used elsewhere."""
        wrap = {"X-Vault-Wrap-TTL": "1h"}
        for name in ["a waiting wrapping token", "a used wrapping token", "a misused wrapping token"]:
            wrapped = done(self.client.post("/v1/sys/wrapping/wrap", {"value": CANARY}, headers=wrap))
            self.secrets[name] = wrapped.json["wrap_info"]["token"]
        done(self.client.post("/v1/sys/wrapping/unwrap", {"token": self.secrets["a used wrapping token"]}))
        assert self.client.get("/v1/kv1/a", token=self.secrets["a misused wrapping token"]).status == 403
        self.refused(
            self.client.post("/v1/sys/wrapping/wrap", {"value": CANARY}),
            self.client.post("/v1/sys/wrapping/unwrap", {"token": f"{CANARY}-wrapping"}),
            self.client.post("/v1/sys/wrapping/unwrap", {"token": self.secrets["a used wrapping token"]}),
            self.client.get("/v1/kv1/a", headers={"X-Vault-Wrap-TTL": CANARY}))

    def userpass(self):
        self.secrets["a user's password"] = f"{CANARY}-user's-password"
        done(self.client.post("/v1/sys/auth/userpass", {"type": "userpass"}))
        done(self.client.post("/v1/auth/userpass/users/alice", {"password": f"{CANARY}-first-password"}))
        done(self.client.post("/v1/auth/userpass/users/alice/password", {"password": self.secrets["a user's password"]}))
        self.login("userpass/login/alice", "a user's token", password=self.secrets["a user's password"])
        typed = {"username": "alice", "password": self.secrets["a user's password"]}
        answer = done(self.client.post("/auth/token", typed, token=None))
        self.secrets["another token of the user's"] = answer.json["access_token"]

    def jwt(self):
        """The client's token, which is good elsewhere too, whether or not it lets anybody in here."""
        done(self.client.post("/v1/sys/auth/jwt", {"type": "jwt"}))
        done(self.client.post("/v1/auth/jwt/config", {"jwt_validation_pubkeys": [self.authority.public_key]}))
        done(self.client.post("/v1/auth/jwt/role/r", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "here"}))
        self.secrets["a JWT"] = self.authority.jwt(sub="app", aud="here", note=CANARY)
        self.secrets["a refused JWT"] = self.authority.jwt(sub="app", aud="elsewhere", note=CANARY)
        self.login("jwt/login", "a token for a JWT", role="r", jwt=self.secrets["a JWT"])
        for jwt in [self.secrets["a refused JWT"], f"{CANARY}.{CANARY}.{CANARY}", CANARY]:
            self.refused(self.client.post("/v1/auth/jwt/login", {"role": "r", "jwt": jwt}, token=None))
        for name in ["a JWT", "a refused JWT"]:
            self.secrets[f"the signature of {name}"] = self.secrets[name].rsplit(".", 1)[1]

    def kubernetes(self):
        """A reviewer's token, and a client's, for a cluster that is not there."""
        self.secrets["a reviewer's token"] = f"{CANARY}-reviewer"
        done(self.client.post("/v1/sys/auth/kubernetes", {"type": "kubernetes"}))
        done(self.client.post("/v1/auth/kubernetes/config", {
            "kubernetes_host": "https://127.0.0.1:9", "kubernetes_ca_cert": self.authority.path.read_text(),
            "token_reviewer_jwt": self.secrets["a reviewer's token"]}))
        done(self.client.post("/v1/auth/kubernetes/role/r", {
            "bound_service_account_names": "app", "bound_service_account_namespaces": "default"}))
        account = {"namespace": "default", "serviceaccount": {"name": "app", "uid": "u"}}
        self.secrets["a service account's token"] = self.authority.jwt(**{"kubernetes.io": account}, note=CANARY)
        for jwt in [self.secrets["a service account's token"], CANARY]:
            self.refused(self.client.post("/v1/auth/kubernetes/login", {"role": "r", "jwt": jwt}, token=None))
        assert CANARY not in self.client.get("/v1/auth/kubernetes/config").text

    def conjur(self):
        """API keys, access tokens and values; the admin's key is read and its file deleted, as docs/conjur.md says."""
        file = self.server.data / "conjur-admin-api-key"
        key = self.secrets["the API key of Conjur's admin"] = file.read_text().strip()
        file.unlink()
        ask = self.client.send
        token = done(ask("POST", "/authn/default/admin/authenticate", key, token=None)).body
        self.secrets["an access token of Conjur's"] = json.loads(token)["signature"]
        admin = {"token": None, "headers": {"Authorization": f'Token token="{base64.b64encode(token).decode()}"'}}
        basic = lambda text: {"token": None, "headers": {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}}
        root, variable = "/policies/default/policy/root", "/secrets/default/variable/conjur%2Fkey"
        made = done(ask("POST", root, "- !variable conjur/key\n- !variable conjur/gone\n- !host web\n", **admin)).json
        self.secrets["a host's API key"] = made["created_roles"]["default:host:web"]["api_key"]
        for value in [CANARY, PASSWORD]:
            done(ask("POST", variable, value, **admin))
        done(ask("POST", variable.replace("key", "gone"), CANARY, **admin))
        done(ask("PATCH", root, "- !delete\n  record: !variable conjur/gone\n", **admin))
        assert ask("GET", variable, **admin).text == PASSWORD
        assert PASSWORD in ask("GET", "/secrets?variable_ids=default:variable:conjur/key", **admin).text
        done(ask("GET", "/authn/default/login", **basic(f"admin:{key}")))
        self.secrets["a changed API key"] = done(ask("PUT", "/authn/default/api_key?role=host:web", **admin)).text
        self.secrets["another"] = done(ask("PUT", "/authn/default/api_key", **basic(f"host/web:{self.secrets['a changed API key']}"))).text
        self.refused(
            ask("POST", "/authn/default/admin/authenticate", CANARY, token=None),
            ask("GET", "/authn/default/login", **basic(f"admin:{CANARY}")), ask("GET", "/whoami", **basic(CANARY)),
            ask("GET", "/whoami", token=None, headers={"Authorization": f'Token token="{CANARY}"'}),
            ask("POST", root, f"- !group {CANARY}", **admin), ask("POST", root, f"- !variable {CANARY}: {CANARY}", **admin),
            ask("POST", root, f"- !variable\n  id: a\n  owner: {CANARY}", **admin), ask("POST", variable, f"{CANARY}\xff".encode("latin-1"), **admin),
            ask("GET", f"{variable}?version={CANARY}", **admin), ask("GET", f"/secrets?variable_ids={CANARY}", **admin))

    # Errors, with secrets where they do not belong

    def refusals_of_writes(self):
        put, data = self.client.put, "/v1/secret/data/x"
        self.refused(
            put(data, f'{{"data": {{"value": "{CANARY}"'), put(data, f"{CANARY} is no JSON"), put(data, {"data": CANARY}),
            put(data, {"data": {"value": CANARY}, "options": {"cas": CANARY}}),
            put(data, {"data": {"value": CANARY}, "options": {"cas": 7}}), put(f"{data}/", {"data": {"value": CANARY}}),
            put("/v1/nomount/x", {"value": CANARY}), put("/v1/kv1/x/", {"value": CANARY}),
            self.client.post("/v1/sys/leases/lookup", {"lease_id": f"auth/approle/login/{CANARY}"}),
            self.client.post("/v1/sys/tools/hash", {"input": CANARY + "!"}),
            self.client.post("/v1/sys/mounts/kv1/tune", {"listing_visibility": CANARY}),
            put("/v1/sys/policies/acl/bad", {"policy": f'path "a" {{ capabilities = ["{CANARY}'}))

    def refusals_of_logins(self):
        post, get, put = self.client.post, self.client.get, self.client.put
        secret, approle, alice = "/v1/secret/data/connections/pg", "/v1/auth/approle/login", "/v1/auth/userpass/login/alice"
        self.refused(
            put("/v1/secret/data/x", {"data": {"value": CANARY}}, token=self.secrets["a wrong token"]),
            put("/v1/secret/data/x", {"data": {"value": CANARY}}, token=self.secrets["a live token"]),
            get(secret, token=self.secrets["a revoked token"]),
            get(secret, token=None, headers={"Authorization": f"Basic {CANARY}"}),
            post(approle, {"role_id": "airflow", "secret_id": f"{CANARY}-no"}, token=None),
            post(approle, f'{{"role_id": "airflow", "secret_id": "{CANARY}', token=None),
            post(approle, {"role_id": "airflow", "secret_id": [CANARY]}, token=None),
            post(alice, {"password": f"{CANARY}-no"}, token=None), post(alice, {"password": [CANARY]}, token=None),
            post("/v1/auth/userpass/users/bob", {"password_hash": CANARY}),
            post("/v1/auth/userpass/users/bob", {"password": CANARY, "token_ttl": CANARY}),
            post("/v1/auth/token/lookup", {"token": self.secrets["a wrong token"]}))

    def refusals_of_the_typed_surface(self):
        wrong = {"connection_id": "bad", "conn_type": "x", "pasword": CANARY}
        self.refused(
            self.client.post("/api/v2/connections", wrong, token=None, headers=self.bearer),
            self.client.post("/api/v2/connections", f'{{"password": "{CANARY}', token=None, headers=self.bearer),
            self.client.patch("/api/v2/connections", {"actions": [{"action": "create", "entities": [CANARY]}]}),
            self.client.patch("/api/v2/connections", {"actions": [{"action": CANARY, "entities": []}]}),
            self.client.patch("/api/v2/connections", {"actions": [{"action": "delete", "entities": [f"{CANARY}/"]}]}),
            self.client.get(f"/api/v2/connections?order_by={CANARY}"),
            self.client.get(f"/api/v2/connections?team_name={CANARY}/"),
            self.client.post("/api/v2/connections/lint", {"data": CANARY}),
            self.client.post("/api/v2/connections/test", {"password": CANARY}),
            self.client.post("/auth/token", {"username": "alice", "password": f"{CANARY}-no"}, token=None),
            self.client.post("/auth/token", {"username": CANARY, "password": [CANARY]}, token=None))

    def a_broken_request(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            broken = Connection(self.server)
            broken.send("PUT", "/v1/secret/data/x", f"{CANARY}", headers={"Content-Length": "nonsense"})


def test_no_secret_is_in_the_log_the_audit_log_or_any_file_of_the_data_directory(start_airlock, tmp_path):
    audit, config = tmp_path / "audit.log", tmp_path / "config.json"
    config.write_text(json.dumps({"audit": str(audit), "conjur_mount": "secret"}))
    server = start_airlock("--config", str(config), LOG_LEVEL="trace")
    secrets = Drive(server, Authority(tmp_path, "authority")).everything()
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
    assert audited > 60
    assert find(secrets, files) == []


def test_a_root_token_that_was_generated_is_in_its_own_file_and_nowhere_else(start_airlock):
    server = start_airlock(token=None, LOG_LEVEL="trace")
    assert Connection(server).get("/v1/auth/token/lookup-self").status == 200
    assert server.stop() == 0
    places = {path.name: path.read_bytes() for path in server.data.iterdir()}
    places |= {"stdout": server.stdout_path.read_bytes(), "stderr": server.stderr_path.read_bytes()}
    assert find({"the root token": server.token}, places) == [("the root token", "root-token")]
