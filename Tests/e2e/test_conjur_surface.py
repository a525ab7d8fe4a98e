"""The Conjur surface: Conjur's own client, LiteLLM's documented calls and its troubleshooting steps, unmodified; Airlock's own Conjur
backend in front of another Airlock; and what hosts may do."""

import base64
import json
import pathlib
import random
import stat
import subprocess
import urllib.parse

import pytest
import yaml

import servers
from audited import entries
from conjur_server import PolicyLoader
from test_zenml import Raised
from wire import Connection

IDS = ["litellm/key", "a b", "100%", "50%25", "a+b", "ü/é 漢", "it's", "q?x=1&y#z", "a:b"]
VALUE = "s3cret-of-the-conjur-tests"


def quoted(identifier):
    return urllib.parse.quote(identifier, safe="")


class Surface:
    """An Airlock whose mount `conjur/` is served as Conjur's account, and `admin` of it."""

    def __init__(self, start, folder, mount=None, **settings):
        config = folder / "config.json"
        config.write_text(json.dumps({"conjur_mount": "conjur", "mounts": {"conjur": mount or {"backend": "embedded"}}} | settings))
        self.airlock = start("--config", str(config))
        self.key_file = self.airlock.data / "conjur-admin-api-key"
        self.key = self.key_file.read_text().strip() if self.key_file.exists() else None
        self.root = Connection(self.airlock)
        self.open = Connection(self.airlock, token=None)
        self.admin = self.login("admin", self.key) if self.key else None

    def token(self, login, key):
        return self.open.post(f"/authn/default/{quoted(login)}/authenticate", key)

    def login(self, login, key):
        answer = self.token(login, key)
        assert answer.status == 200, answer
        header = {"Authorization": f'Token token="{base64.b64encode(answer.body).decode()}"'}
        return lambda method, path, body=None: self.open.send(method, path, body, headers=header)

    def load(self, text, branch="root", method="POST", by=None):
        return (by or self.admin)(method, f"/policies/default/policy/{quoted(branch)}", text)

    def host(self, name, branch="root"):
        answer = self.load(f"- !host {name}", branch)
        assert answer.status == 201, answer
        [role] = answer.json["created_roles"].values()
        return role["id"].removeprefix("default:host:"), role["api_key"]

    def get(self, identifier, by=None, query=""):
        return (by or self.admin)("GET", f"/secrets/default/variable/{quoted(identifier)}{query}")

    def set(self, identifier, value, by=None):
        return (by or self.admin)("POST", f"/secrets/default/variable/{quoted(identifier)}", value)

    def make(self, identifier, *values):
        assert self.load(f"- !variable {json.dumps(identifier)}").status == 201
        for value in values:
            assert self.set(identifier, value).status == 201

    def ids(self, by=None):
        return [one["id"].removeprefix("default:variable:") for one in (by or self.admin)("GET", "/resources/default/variable").json]


@pytest.fixture
def surface(tmp_path, start_airlock):
    return Surface(start_airlock, tmp_path)


class Client:
    """`conjur-api` in its own environment (conjur_clients/)."""

    def __init__(self, url, login, key, folder):
        python = servers.TOOLS / "conjur/bin/python"
        assert python.exists(), f"no {python}: run scripts/install-tools"
        script = pathlib.Path(__file__).parent / "conjur_clients/client.py"
        self.errors = open(folder / "conjur-api.stderr", "ab")
        self.child = subprocess.Popen(
            [python, script, url, login, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=servers.clean_environment(folder))

    def __getattr__(self, method):
        def call(*arguments, **named):
            self.child.stdin.write(json.dumps([method, arguments, named]) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
            assert line, pathlib.Path(self.errors.name).read_text()[-2000:]
            answer = json.loads(line)
            if "raised" in answer:
                raise Raised(answer["status"] or answer["raised"], answer["text"])
            return answer["result"]
        return call

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)
        self.child.stdout.close()
        self.errors.close()


@pytest.fixture
def conjur_api(surface, tmp_path):
    made = []

    def make(login, key):
        made.append(Client(surface.airlock.url, login, key, tmp_path))
        return made[-1]
    yield make
    for client in made:
        client.close()


def refused(status, call, *arguments):
    with pytest.raises(Raised) as raised:
        call(*arguments)
    assert raised.value.kind == status, raised.value


def test_conjurs_own_client_logs_in_loads_policies_and_reads_and_writes(surface, conjur_api, tmp_path):
    client = conjur_api("admin", surface.key)
    assert client.login() == surface.key
    assert client.whoami()["username"] == "admin"
    policy = tmp_path / "policy.yml"
    policy.write_text("""\
# As in Conjur's documentation.
- !policy
  id: apps
  body:
    - !variable db/password
    - !variable
      id: db/url
      annotations:
        description: "where: the database"
    - !host web
    - !permit
      role: !host web
      privileges: [ read, execute ]
      resource: !variable db/password
""")
    loaded = client.load_policy_file("root", str(policy))
    key = loaded["created_roles"]["default:host:apps/web"]["api_key"]
    assert loaded["version"] == 1
    for value in ("one", "two"):
        client.set("apps/db/password", value)
    client.set("apps/db/url", "postgres://")
    assert client.get("apps/db/password") == "two" and client.get("apps/db/password", "1") == "one"
    assert client.get_many("apps/db/password", "apps/db/url") == {"apps/db/password": "two", "apps/db/url": "postgres://"}
    assert client.list({"kind": "variable"}) == ["default:variable:apps/db/password", "default:variable:apps/db/url"]
    assert client.list() == ["default:host:apps/web", "default:policy:apps", "default:policy:root", *client.list({"kind": "variable"})]
    assert client.get_resource("variable", "apps/db/url")["annotations"][0]["value"] == "where: the database"
    assert client.resource_exists("variable", "apps/db/url") and not client.resource_exists("variable", "apps/nosuch")
    refused(404, client.get, "apps/nosuch")
    refused(404, client.set, "apps/nosuch", "x")

    host = conjur_api("host/apps/web", key)
    assert host.get("apps/db/password") == "two"
    assert host.list({"kind": "variable"}) == ["default:variable:apps/db/password"]
    refused(404, host.get, "apps/db/url")
    refused(403, host.set, "apps/db/password", "x")
    assert host.check_privilege("variable", "apps/db/password", "execute") and not host.check_privilege("variable", "apps/db/password", "update")
    assert client.check_privilege("variable", "apps/db/password", "read", "default:host:apps/web")

    policy.write_text("- !delete\n  record: !variable apps/db/url\n")
    refused(422, client.load_policy_file, "root", str(policy))
    assert client.update_policy_file("root", str(policy))["version"] == 2
    refused(404, client.get, "apps/db/url")
    rotated = client.rotate_other_api_key("host", "apps/web")
    refused(401, host.get, "apps/db/password")
    assert conjur_api("host/apps/web", rotated).rotate_personal_api_key("host/apps/web", rotated) != rotated
    refused(401, conjur_api("host/apps/web", rotated).get, "apps/db/password")


def test_what_else_conjurs_own_client_can_ask_is_answered_or_refused(surface, conjur_api, tmp_path):
    """With the test above, each of the client's calls; docs/conjur.md lists them."""
    client, policy = conjur_api("admin", surface.key), tmp_path / "policy.yml"
    surface.make("key", VALUE)
    surface.host("web")
    assert surface.load(permit("execute", "!variable key")).status == 201
    web, admin = "default:host:web", "default:user:admin"
    assert client.role_exists("host", "web") and client.role_exists("user", "admin")
    assert not client.role_exists("host", "nosuch") and not client.role_exists("variable", "key")
    assert (client.get_role("host", "web")["id"], client.get_role("host", "web")["members"]) == (web, [])
    assert client.role_memberships("host", "web") == [web] and client.role_memberships("host", "web", direct=True) == []
    assert client.list_members_of_role("host", "web") == []
    assert client.list_permitted_roles("key", "execute", kind="variable") == [admin, web]
    assert client.list_permitted_roles("key", "update", kind="variable") == [admin]
    assert client.check_privilege("policy", "root", "create") and client.resource_exists("policy", "root")
    assert client.list({"search": "ke", "limit": 1, "offset": 0}) == ["default:variable:key"]
    assert [one["id"] for one in client.list({"kind": "host", "inspect": True})] == [web]
    policy.write_text("- !policy apps\n- !variable other\n")
    assert client.load_policy_file("root", str(policy))["created_roles"] == {}
    policy.write_text("- !host web\n- !variable key\n- !policy apps\n")
    assert client.replace_policy_file("root", str(policy))["created_roles"] == {}
    assert client.list({"kind": "variable"}) == ["default:variable:key"]
    # What is not there, and what must not be done otherwise than it was asked for.
    assert surface.admin("POST", "/policies/default/policy/root?dryRun=true", "- !variable dry").status == 422
    refused("Exception", client.load_policy_file, "root", str(policy), True)
    refused("ResourceNotFoundException", client.get_server_info)
    refused("Exception", client.server_version)
    refused(404, client.change_personal_password, "admin", surface.key, "New-Passw0rd!")
    refused(404, client.set_authenticator_state, "authn-jwt/ci", True)
    refused(404, client.list_oidc_providers)
    refused(404, client.create_token, "factory", "", 0, 1)
    refused(404, client.create_host, "made", "token")
    refused(404, client.revoke_token, "token")
    assert surface.ids() == ["key"]
    assert surface.open.get("/roles/default/host/web").status == 401


@pytest.mark.parametrize("identifier", IDS)
def test_litellm_writes_reads_and_rotates_by_its_documented_calls(surface, identifier):
    """`_ensure_variable_exists`, then the value; its token is the answer's text in base64."""
    assert surface.get(identifier).status == 404
    for value in ("sk-1", "sk-2 + ü%"):
        loaded = surface.admin("POST", "/policies/default/policy/root", f"- !variable {json.dumps(identifier)}\n")
        assert loaded.status == 201 and loaded.json["created_roles"] == {}
        assert surface.set(identifier, value).status == 201
        answer = surface.get(identifier)
        assert (answer.status, answer.text) == (200, value)
    assert surface.get(identifier, query="?version=1").text == "sk-1"
    assert identifier in surface.ids()
    # The same secret on the Vault surface.
    assert surface.root.get(f"/v1/conjur/data/{urllib.parse.quote(identifier)}").data["data"] == {"key": "sk-2 + ü%"}


def test_the_troubleshooting_steps_of_litellms_documentation_give_what_they_say(surface):
    surface.make("test-secret")

    def shell(text):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, timeout=20,
            env=servers.clean_environment(surface.airlock.folder, BASE=surface.airlock.url, KEY=surface.key)).stdout

    token = "TOKEN=$(curl -s -X POST $BASE/authn/default/admin/authenticate -d \"$KEY\" | base64 | tr -d '\\n')\n"
    header = '-H "Authorization: Token token=\\"$TOKEN\\""'
    secret = '"$BASE/secrets/default/variable/test-secret"'
    assert shell(f'{token}curl -s -o /dev/null -w "%{{http_code}}" -X POST {header} --data "my-secret-value" {secret}') == "201"
    assert shell(f"{token}curl -s {header} {secret}") == "my-secret-value"
    assert [one["id"] for one in json.loads(shell(f'{token}curl -s {header} "$BASE/resources/default/variable"'))] == ["default:variable:test-secret"]
    # Conjur's own documentation has the server encode the token.
    encoded = token.replace("| base64 | tr -d '\\n'", "-H 'Accept-Encoding: base64'")
    assert shell(f"{encoded}curl -s {header} {secret}") == "my-secret-value"


@pytest.mark.parametrize("version", [1, 2])
def test_airlocks_own_conjur_backend_works_in_front_of_it(tmp_path, start_airlock, version):
    """So the surface and the Conjur server of the tests are alike, and ids keep their characters both ways."""
    behind = Surface(lambda *arguments: servers.start_airlock(tmp_path / "behind", *arguments), tmp_path)
    try:
        (tmp_path / "api-key").write_text(behind.key)
        config = tmp_path / "front.json"
        config.write_text(json.dumps({"mounts": {"airflow": {"backend": "conjur", "kv_version": version, "kwargs": {
            "appliance_url": behind.airlock.url, "account": "default", "authn_login": "admin",
            "authn_api_key_file": str(tmp_path / "api-key")}}}}))
        front = Connection(start_airlock("--config", str(config)))
        data = "/v1/airflow/" + ("data/" if version == 2 else "")
        for identifier in IDS:
            body = {"key": VALUE + identifier}
            answer = front.post(data + urllib.parse.quote(identifier), {"data": body} if version == 2 else body)
            assert answer.status in (200, 204), (identifier, answer)
            read = front.get(data + urllib.parse.quote(identifier)).data
            assert (read["data"] if version == 2 else read) == body
            assert behind.get(identifier).text == body["key"]
        assert sorted(behind.ids()) == sorted(IDS)
        listed = front.list("/v1/airflow/" + ("metadata" if version == 2 else "")).data["keys"]
        assert {"a b", "100%", "litellm/", "ü/"} <= set(listed)
        assert front.get(data + "nosuch").status == 404
        front.close()
    finally:
        assert behind.airlock.stop() == 0


def permit(privileges, resource, role="!host web"):
    return f"- !permit\n  role: {role}\n  privileges: [ {privileges} ]\n  resource: {resource}\n"


def test_a_host_may_do_what_it_was_permitted_and_nothing_else(surface):
    for name in ("seen", "read", "written", "other"):
        surface.make(name, VALUE)
    name, key = surface.host("web")
    assert surface.load(permit("read", "!variable seen") + permit("execute", "!variable read") + permit("update", "!variable written")).status == 201
    web = surface.login(f"host/{name}", key)
    assert [surface.get(id, web).status for id in ("seen", "read", "written", "other", "nosuch")] == [403, 200, 403, 404, 404]
    assert [surface.set(id, "x", web).status for id in ("seen", "read", "written", "other", "nosuch")] == [403, 403, 201, 404, 404]
    assert surface.ids(web) == ["read", "seen", "written"]
    assert web("GET", "/secrets?variable_ids=default:variable:read,default:variable:written").status == 403
    assert surface.load("- !variable mine", by=web).status == 404
    assert web("PUT", "/authn/default/api_key?role=default:user:admin").status == 403
    # Its token has the same rights on the Vault surface, by the rules of one policy.
    token = json.loads(surface.token(f"host/{name}", key).body)["signature"]
    assert surface.open.get("/v1/conjur/data/read", token=token).status == 200
    assert surface.open.get("/v1/conjur/data/other", token=token).status == 403
    assert surface.open.get("/v1/sys/policies/acl/root", token=token).status == 403
    # A right does not outlive what it is a right to, nor a host the policy that made it.
    assert surface.load("- !delete\n  record: !variable read\n", method="PATCH").status == 201
    surface.make("read", VALUE)
    assert surface.get("read", web).status == 404
    assert surface.load("- !delete\n  record: !host web\n", method="PATCH").status == 201
    assert web("GET", "/whoami").status == 401 and surface.token(f"host/{name}", key).status == 401
    assert surface.root.get("/v1/sys/policies/acl/conjur-host-web").status == 404


def test_a_branch_is_its_hosts_own(surface):
    assert surface.load("- !policy apps\n- !policy other").status == 201
    name, key = surface.host("deploy", "apps")
    assert surface.load(permit("create, update", "!policy", "!host deploy"), "apps").status == 201
    deploy = surface.login(f"host/{name}", key)
    assert surface.load("- !variable key", "apps", by=deploy).status == 201
    assert surface.load("- !variable key", by=deploy).status == 404
    assert surface.load("- !variable key", "other", by=deploy).status == 404
    assert surface.load("- !variable /other/key", "apps", by=deploy).status == 422
    # To delete a value takes the right to delete the secret.
    surface.make("apps/key", VALUE)
    assert surface.load("- !delete\n  record: !variable key\n", "apps", "PATCH", by=deploy).status == 403
    assert surface.get("apps/key").text == VALUE


def test_a_deleted_variable_is_gone_with_all_its_values(surface):
    surface.make("key", "one", "two")
    assert surface.load("- !delete\n  record: !variable key\n", method="PATCH").status == 201
    assert surface.get("key").status == 404 and surface.ids() == []
    assert surface.root.get("/v1/conjur/metadata/key").status == 404
    surface.make("key")
    assert surface.get("key").status == 404 and surface.get("key", query="?version=1").status == 404


PIECES = [*"ab1 _-.,:;#'\"[]{}&*!|>%@`?~=<+\\/()", "\t", "ü", "漢", "null", "true", "0x1", "1e3", " #", "# ", ": ", " '", '" ', "\\u0041", "''", "- ", "\\\n  ", "\\\n", "\n  ", "\r", "\u2028", "\x85", "\\L", "\\_"]


def test_what_is_taken_of_yaml_is_read_as_a_yaml_parser_reads_it(surface):
    chance, taken, misread = random.Random(20260101), 0, []
    for _ in range(1500):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 6)))
        quote = chance.choice(["", "", "'", '"'])
        policy = f"- !variable {quote}{text}{quote}\n"
        if surface.load(policy).status != 201:
            continue
        taken += 1
        try:
            [declared] = yaml.load(policy, PolicyLoader)
            name = declared.name
        except (yaml.YAMLError, ValueError):
            misread.append(policy)
            continue
        if surface.admin("GET", f"/resources/default/variable/{quoted(name.removeprefix('/'))}").status != 200:
            misread.append(policy)
    assert not misread
    assert taken > 300


def test_a_refused_policy_names_its_line_and_changes_nothing(surface):
    surface.make("key", VALUE)
    answer = surface.load("- !variable a\n- !host b\n\n# devs\n- !group devs\n")
    assert answer.status == 422 and answer.json["error"]["message"].startswith("line 5: ")
    answer = surface.load("- !variable a\n" + permit("read", "!variable nosuch"), method="PUT")
    assert answer.status == 404 and answer.json["error"]["message"].startswith("line 5: ")
    assert surface.ids() == ["key"] and surface.get("key").text == VALUE


def test_the_admins_key_is_in_a_file_for_its_owner_and_nowhere_else(surface, start_airlock, tmp_path):
    assert stat.S_IMODE(surface.key_file.stat().st_mode) == 0o600
    name, key = surface.host("web")
    surface.make("key", VALUE)
    surface.key_file.unlink()
    assert surface.airlock.stop() == 0
    for secret in (surface.key, key, VALUE):
        assert not [file for file in surface.airlock.data.iterdir() if secret.encode() in file.read_bytes()]
        assert secret not in surface.airlock.stdout + surface.airlock.stderr
    again = Surface(start_airlock, tmp_path)
    assert again.key is None, "a new key was made although there is one"
    again.admin = again.login("admin", surface.key)
    assert again.get("key").text == VALUE and again.login(f"host/{name}", key)("GET", "/whoami").status == 200
    # Who has lost it gets another with the root token.
    fresh = again.root.put("/authn/default/api_key?role=default:user:admin").text
    assert again.token("admin", surface.key).status == 401 and again.token("admin", fresh).status == 200


def test_too_many_wrong_keys_lock_a_login_until_it_is_unlocked(surface):
    for _ in range(5):
        assert surface.token("admin", "wrong").status == 401
    assert surface.token("admin", surface.key).status == 401
    assert surface.root.post("/v1/sys/locked-users/auth_conjur/unlock/admin").status == 204
    assert surface.token("admin", surface.key).status == 200


def test_what_is_asked_is_audited_and_no_secret_is_in_the_log(tmp_path, start_airlock):
    log = tmp_path / "audit.log"
    surface = Surface(start_airlock, tmp_path, audit=str(log))
    surface.make("key", VALUE)
    assert surface.get("key").text == VALUE
    _, key = surface.host("web")
    assert surface.token("host/web", "wrong" + VALUE).status == 401
    asked = [entry for entry in entries(log) if entry["type"] == "request"]
    paths = [entry["request"]["path"] for entry in asked]
    for path in ("authn/default/admin/authenticate", "policies/default/policy/root", "secrets/default/variable/key"):
        assert path in paths, paths
    assert asked[-1]["request"]["path"] == "authn/default/host/web/authenticate" and entries(log)[-1]["type"] == "response"
    text = log.read_text()
    for secret in (surface.key, key, VALUE):
        assert secret not in text


def test_it_serves_a_mount_in_openbao_through_the_cache(front):
    here = front(start=False)
    here.config["conjur_mount"] = "airflow"
    here.start()
    here.write("team/key", {"key": "one", "note": "keep"})
    key = (here.airlock.data / "conjur-admin-api-key").read_text().strip()
    surface = Surface.__new__(Surface)
    surface.open = Connection(here.airlock, token=None)
    surface.admin = surface.login("admin", key)
    assert surface.get("team/key").text == "one" and surface.get("team/key").headers["X-Cache"] == "HIT"
    assert surface.set("team/key", "two").status == 201 and surface.get("team/key").text == "two"
    assert here.upstream.client.get(f"/v1/{here.upstream.mount}/data/team/key").data["data"] == {"key": "two", "note": "keep"}
    assert "team/key" in surface.ids()
    assert surface.get("team/key", query="?version=1").text == "one"
    assert surface.load("- !delete\n  record: !variable team/key\n", method="PATCH").status == 201
    assert surface.get("team/key").status == 404
    assert here.upstream.client.get(f"/v1/{here.upstream.mount}/metadata/team/key").status == 404
    surface.open.close()


def test_without_its_setting_it_is_not_there_and_a_mount_that_is_not_is_refused(tmp_path, start_airlock):
    plain = Connection(start_airlock())
    for path in ("/whoami", "/secrets/default/variable/a", "/resources/default"):
        assert plain.get(path).status == 404
    plain.close()
    start_airlock.stop_all()
    (tmp_path / "config.json").write_text(json.dumps({"conjur_mount": "nosuch"}))
    refused = start_airlock("--config", str(tmp_path / "config.json"), wait_for_ready=False)
    assert refused.wait() == 2 and "conjur_mount: there is no KV mount nosuch/" in refused.stderr
