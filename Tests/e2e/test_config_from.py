"""`airlock config from`: each client's settings become a configuration, Airlock starts with it, and the client does through Airlock what
its documentation says, against a real OpenBao or the tests' own Conjur."""

import base64
import contextlib
import json
import pathlib
import re
import stat
import subprocess

import pytest
import yaml

import servers
from authority import Authority
from client_certificates import Issuer
from conjur_server import ConjurServer
from front import done
from test_kong import NAME, Kong
from test_kong import administrator as kong_administrator
from test_litellm import LiteLLM
from test_litellm import policy as litellm_policy
from test_zenml import COMPONENT, clients  # a fixture
from wire import Connection

CANARY = "canary-1d9c4e7b"
HERE = pathlib.Path(__file__).parent


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class Conversion:
    """One run of `airlock config from`."""

    def __init__(self, folder, *arguments, stdin="", code=0, secret=CANARY, **environment):
        self.folder = folder
        finished = subprocess.run(
            [servers.airlock_program(), "config", "from", *map(str, arguments)], input=stdin, capture_output=True, text=True, cwd=folder, timeout=30,
            env=servers.clean_environment(folder, **environment))
        self.out, self.report = finished.stdout, finished.stderr.splitlines()
        assert finished.returncode == code, finished.stderr
        assert secret not in finished.stdout + finished.stderr

    @property
    def config(self):
        return json.loads(self.out)

    def lines(self, kind):
        return [line.removeprefix(kind + ": ") for line in self.report if line.startswith(kind + ": ")]

    @contextlib.contextmanager
    def served(self, change=lambda config: None, **environment):
        """Airlock with the configuration as it was printed, and a connection with its root token."""
        config = self.config
        change(config)
        path = self.folder / "airlock.json"
        path.write_text(json.dumps(config) if config != self.config else self.out)
        airlock = servers.start_airlock(self.folder, "--config", str(path), **environment)
        root = Connection(airlock)
        try:
            yield airlock, root
        finally:
            root.close()
            assert airlock.stop() == 0, airlock.stderr[-4000:]


def approle(root, policy, mount="approle", headers=()):
    """Role id and secret id of a new AppRole."""
    root.post(f"/v1/sys/auth/{mount}", {"type": "approle"}, headers=headers)
    done(root.put("/v1/sys/policies/acl/client", {"policy": policy}, headers=headers))
    done(root.post(f"/v1/auth/{mount}/role/client", {"token_policies": "client", "token_ttl": "20m"}, headers=headers))
    role_id = root.get(f"/v1/auth/{mount}/role/client/role-id", headers=headers).data["role_id"]
    return role_id, done(root.post(f"/v1/auth/{mount}/role/client/secret-id", headers=headers)).data["secret_id"]


@pytest.fixture(scope="module")
def bao(bao_server):
    connection = Connection(bao_server)
    yield connection
    connection.close()


# LiteLLM


@pytest.fixture(scope="module")
def team(bao):
    """A namespace of the vault with a mount `secret`, and LiteLLM's AppRole in it."""
    inside = {"X-Vault-Namespace": "team1"}
    done(bao.post("/v1/sys/namespaces/team1", {}))
    done(bao.post("/v1/sys/mounts/secret", {"type": "kv-v2"}, headers=inside))
    credentials = approle(bao, litellm_policy("read_and_write", ""), headers=inside)
    servers.wait_until(lambda: bao.post("/v1/team1/secret/data/ready", {"data": {"key": "x"}}).status == 200, "OpenBao has made the mount")
    return credentials


@pytest.mark.parametrize("authorize", ["local", "upstream"])
def test_litellm_reads_writes_and_rotates_in_its_namespace(bao_server, bao, team, tmp_path, authorize):
    conversion = Conversion(
        tmp_path, "litellm", "--secrets-dir", "secrets", "--authorize", authorize, secret=team[1],
        HCP_VAULT_ADDR=bao_server.url + "/", HCP_VAULT_NAMESPACE="team1", HCP_VAULT_PATH_PREFIX="litellm", HCP_VAULT_REFRESH_INTERVAL="600",
        HCP_VAULT_APPROLE_ROLE_ID=team[0], HCP_VAULT_APPROLE_SECRET_ID=team[1], HCP_VAULT_TOKEN="of lower priority")
    mount = conversion.config["mounts"]["team1/secret"]
    assert mount["ttl"] == "600s" and mount.get("authorize", "local") == authorize
    assert conversion.lines("not carried over")[0].startswith("HCP_VAULT_TOKEN: ")
    if authorize == "local":
        file = pathlib.Path(mount["kwargs"]["secret_id_path"])
        assert file.read_text() == team[1] and (mode(file), mode(file.parent)) == (0o600, 0o700)
    else:
        assert mount["kwargs"] == {"url": bao_server.url, "mount_point": "secret", "namespace": "team1"}
        assert not (tmp_path / "secrets").exists()

    with conversion.served() as (airlock, root):
        policy = 'path "team1/secret/data/*" { capabilities = ["create", "read", "update", "delete"] }'
        credentials = team if authorize == "upstream" else approle(root, policy)
        client = LiteLLM(airlock, PATH_PREFIX="litellm", APPROLE_ROLE_ID=credentials[0], APPROLE_SECRET_ID=credentials[1])
        assert 1190 <= client.lease <= 1200, "through Airlock it is what remains"
        name = f"openai-{authorize}"
        assert client.read(name) is None
        assert client.write(name, "sk-1", "first").status == 200
        assert client.read(name) == "sk-1"
        assert bao.get(f"/v1/team1/secret/data/litellm/{name}").data["data"]["key"] == "sk-1"
        assert client.connection.get(client.url(name)).headers["X-Cache"] == "HIT"
        assert client.rotate(name, name + "-2", "sk-2")
        assert (client.read(name), client.read(name + "-2")) == (None, "sk-2")
        client.connection.close()


@pytest.mark.parametrize("authorize", ["local", "upstream"])
def test_litellm_logs_in_above_the_namespace_of_its_secrets(bao_server, bao, team, tmp_path, authorize):
    credentials = approle(bao, 'path "team1/secret/data/*" { capabilities = ["read"] }', mount="litellm")
    done(bao.post("/v1/team1/secret/data/litellm/above", {"data": {"key": "sk-3"}}))
    conversion = Conversion(
        tmp_path, "litellm", "--secrets-dir", "secrets", "--authorize", authorize, secret=credentials[1], HCP_VAULT_ADDR=bao_server.url,
        HCP_VAULT_SECRET_NAMESPACE="team1", HCP_VAULT_LOGIN_NAMESPACE="root", HCP_VAULT_APPROLE_MOUNT_PATH="litellm",
        HCP_VAULT_APPROLE_ROLE_ID=credentials[0], HCP_VAULT_APPROLE_SECRET_ID=credentials[1])
    assert conversion.config["mounts"]["team1/secret"]["kwargs"]["mount_point"] == "team1/secret"
    with conversion.served() as (airlock, root):
        if authorize == "local":
            credentials = approle(root, 'path "team1/secret/data/*" { capabilities = ["read"] }', mount="litellm")
        login = done(Connection(airlock, token=None).post(
            "/v1/auth/litellm/login", dict(zip(["role_id", "secret_id"], credentials)), headers={"X-Vault-Namespace": "root"}))
        client = LiteLLM(airlock, PATH_PREFIX="litellm", TOKEN=login.json["auth"]["client_token"])
        assert client.read("above") == "sk-3"
        assert client.write("above", "sk-4").status == 403
        client.connection.close()


def test_litellms_certificate_goes_before_its_token(tmp_path):
    authority, issuer = Authority(tmp_path, "servers"), Issuer(tmp_path, "clients")
    openbao = servers.start_openbao(tmp_path / "openbao", tls=authority.issue("server"))
    openbao.tls = authority.client()
    bao = Connection(openbao)
    done(bao.post("/v1/sys/auth/cert", {"type": "cert"}))
    done(bao.put("/v1/sys/policies/acl/litellm", {"policy": litellm_policy("read_and_write", "")}))
    done(bao.post("/v1/auth/cert/certs/web", {"certificate": issuer.pem, "token_policies": "litellm"}))
    done(bao.post("/v1/secret/data/litellm/openai", {"data": {"key": "sk-1"}}))
    pem = issuer.client("litellm")
    conversion = Conversion(
        tmp_path, "litellm", HCP_VAULT_ADDR=openbao.url, HCP_VAULT_CLIENT_CERT=pem, HCP_VAULT_CLIENT_KEY=pem, HCP_VAULT_CERT_ROLE="web",
        HCP_VAULT_TOKEN=CANARY, SSL_CERT_FILE=authority.path)
    assert [line.split(":")[0] for line in conversion.lines("not carried over")] == ["HCP_VAULT_TOKEN", "SSL_CERT_FILE"]

    def trusting(config):  # as the report says of SSL_CERT_FILE
        config["mounts"]["secret"]["kwargs"]["verify"] = str(authority.path)

    with conversion.served(trusting) as (airlock, root):
        assert root.get("/v1/secret/data/litellm/openai").data["data"] == {"key": "sk-1"}
    bao.close()
    openbao.stop()


@pytest.fixture
def conjur():
    server = ConjurServer()
    server.api_keys |= {"admin": CANARY, "host/kong": CANARY}
    yield server
    server.stop()


class ConjurClient:
    """What LiteLLM's `cyberark` and Kong's `conjur` do: authenticate, then read and write variables."""

    def __init__(self, airlock, key):
        self.connection = Connection(airlock, token=None)
        answer = done(self.connection.post("/authn/default/admin/authenticate", key))
        self.headers = {"Authorization": f'Token token="{base64.b64encode(answer.body).decode()}"'}

    def read(self, identifier):
        answer = self.connection.get(f"/secrets/default/variable/{identifier}", headers=self.headers)
        return answer.text if answer.status == 200 else answer.status

    def write(self, identifier, value):
        policy = f'- !variable "{identifier}"\n'
        headers = self.headers | {"Content-Type": "application/x-yaml"}
        assert self.connection.post("/policies/default/policy/root", policy, headers=headers).status == 201
        return self.connection.post(f"/secrets/default/variable/{identifier}", value, headers=self.headers).status


def admin_key(airlock):
    return (airlock.data / "conjur-admin-api-key").read_text().strip()


def test_litellm_reads_and_writes_variables_of_conjur(conjur, tmp_path):
    (tmp_path / "litellm.env").write_text(
        f"# LiteLLM\nexport CYBERARK_API_BASE='{conjur.url}'\nCYBERARK_API_KEY={CANARY}\nCYBERARK_REFRESH_INTERVAL=60\nOTHER=1\n")
    conversion = Conversion(tmp_path, "litellm", "litellm.env", "--secrets-dir", "secrets")
    assert conversion.config["mounts"]["conjur"]["ttl"] == "60s"
    conjur.put("OPENAI_API_KEY", "sk-1")
    with conversion.served() as (airlock, root):
        client = ConjurClient(airlock, admin_key(airlock))
        assert client.read("OPENAI_API_KEY") == "sk-1"
        assert client.read("absent") == 404
        assert client.write("ANTHROPIC_API_KEY", "sk-2") == 201
        assert conjur.variables["ANTHROPIC_API_KEY"] == [b"sk-2"] and client.read("ANTHROPIC_API_KEY") == "sk-2"
        client.connection.close()


# Kong


def test_a_name_in_a_clients_file_makes_no_terminal_obey(tmp_path):
    (tmp_path / "kong.json").write_text(json.dumps({
        "_format_version": "3.0",
        "vaults": [{"name": "hcv", "prefix": "p", "config": {
            "host": "vault", "protocol": "http", "token": CANARY, "mount": "kv", "kv": "v2", "sp\x1b[2Jare": 1, "two\nlines: x": 2}}]}))
    conversion = Conversion(tmp_path, "kong", "kong.json", "--secrets-dir", "secrets")
    assert conversion.lines("not carried over") == ["vaults[0].config.(a name): unknown"] * 2
    assert "\x1b" not in "".join(conversion.report)


def test_kong_reads_by_references_as_long_as_its_intervals_say(bao_server, tmp_path):
    bao = kong_administrator(bao_server)
    role_id, secret_id = approle(bao, 'path "kong-v1/*" { capabilities = ["read"] }', mount="kong-approle")
    (tmp_path / "secret-id").write_text(secret_id)
    token = done(bao.post("/v1/auth/token/create", {"policies": ["kong", "default"]})).json["auth"]["client_token"]
    host, port = bao_server.host_and_port
    server = {"host": host, "port": port, "protocol": "http", "ttl": 0}
    (tmp_path / "kong.yml").write_text(yaml.safe_dump({
        "_format_version": "3.0", "services": [{"name": "a", "url": "http://a", "tags": ["x"]}],
        "vaults": [
            {"name": "hcv", "prefix": "one", "config": server | {
                "mount": "kong-v1", "auth_method": "approle", "approle_role_id": role_id, "approle_auth_path": "kong-approle",
                "approle_secret_id_file": str(tmp_path / "secret-id"), "base_path": "customer", "base64_decode": True}},
            {"name": "hcv", "prefix": "two", "config": server | {
                "mount": "kong-v2", "kv": "v2", "token": '${{ env "DECK_TOKEN" }}', "ttl": 1, "neg_ttl": 0, "resurrect_ttl": 60, "spare": 1}},
        ]}))
    conversion = Conversion(tmp_path, "kong", "kong.yml", "--secrets-dir", tmp_path / "secrets", secret=token, DECK_TOKEN=token)
    assert conversion.lines("not carried over") == ["vaults[1].config.spare: unknown"]
    assert [line.split(":")[0] for line in conversion.lines("note") if "stays in Kong" in line] == [
        "vaults[0].config.base_path", "vaults[0].config.base64_decode"]

    with conversion.served() as (airlock, root):
        done(root.put("/v1/sys/policies/acl/kong", {"policy": 'path "+/*" { capabilities = ["read"] }'}))
        theirs = done(root.post("/v1/auth/token/create", {"policies": ["kong"]})).json["auth"]["client_token"]
        one, two = (Kong(Connection(airlock, token=theirs), kv) for kv in ["v1", "v2"])
        assert one.reference(NAME) == two.reference(NAME) == "ACME Inc."
        one.base_path = "customer/"
        assert one.reference("{vault://one/acme/token}") == "dG9rZW4="

        # Changed behind both: the one never rotates, the other does after its second.
        done(bao.put("/v1/kong-v1/customer/acme", {"name": "changed"}))
        done(bao.put("/v1/kong-v2/data/customer/acme", {"data": {"name": "changed"}}))
        servers.wait_until(lambda: two.reference(NAME) == "changed", "the second vault's secret is fetched anew")
        one.base_path = ""
        assert one.reference(NAME) == "ACME Inc."
        absent = [two.read("customer/nobody") for _ in range(2)]
        assert [(answer.status, answer.headers["X-Cache"]) for answer in absent] == [(404, "MISS")] * 2, "misses are not kept"
        one.connection.close()
        two.connection.close()
    bao.close()


def test_kongs_conjur_vault_reads_by_its_documented_calls(conjur, tmp_path):
    vault = {"name": "conjur", "prefix": "conjur-vault", "config": {
        "endpoint_url": conjur.url, "account": "default", "login": "host/kong", "auth_method": "api_key", "api_key": CANARY, "ttl": 300}}
    conjur.put("BotApp/secretVar", "value of Conjur's")
    # JSON from standard input, as `deck file convert` writes it.
    conversion = Conversion(tmp_path, "kong", "-", "--secrets-dir", "secrets", stdin=json.dumps({"vaults": [vault]}))
    with conversion.served() as (airlock, root):
        client = ConjurClient(airlock, admin_key(airlock))
        assert client.read("BotApp%2FsecretVar") == "value of Conjur's"
        client.connection.close()


# ZenML


def test_zenmls_store_and_manager_go_on_with_their_secrets(bao_server, clients, tmp_path):
    store, manager = clients
    secret = "33333333-3333-4333-8333-333333333333"
    store.open(vault_addr=bao_server.url, vault_token=bao_server.token, max_versions=2)
    store.create(secret, {"user": "ada"})
    manager.open(COMPONENT, url=bao_server.url, token=bao_server.token, mount_point="secret", scope="global")
    manager.create("db", {"user": "eve"})
    settings = {"store": store.configuration(), "manager": manager.configuration()}
    assert settings["store"]["vault_token"] == bao_server.token, "ZenML's own words for its settings"

    for kind, expected in {"store": ["max_versions", "vault_addr", "auth_method"], "manager": ["scope", "url", "token"]}.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "zenml.yaml").write_text(yaml.safe_dump({"secrets_store": settings[kind]} if kind == "store" else settings[kind]))
        conversion = Conversion(folder, "zenml", "zenml.yaml", "--secrets-dir", "secrets", secret=bao_server.token)
        assert conversion.lines("not carried over") == []
        assert [line.split(":")[0] for line in conversion.lines("note")] == expected
        with conversion.served(token="another-root-token") as (airlock, root):
            if kind == "store":
                store.open(vault_addr=airlock.url, vault_token=airlock.token, max_versions=2)
                assert store.read(secret) == {"user": "ada"}
                store.update(secret, {"user": "grace"})
                assert store.read(secret) == {"user": "grace"}
            else:
                manager.open(COMPONENT, url=airlock.url, token=airlock.token, mount_point="secret", scope="global")
                assert manager.read("db") == {"user": "eve"} and manager.names() == ["db"]


# Airflow, Astronomer's way


def test_airflow_goes_on_with_its_kwargs_but_for_the_url(bao_server, bao, tmp_path):
    done(bao.post("/v1/sys/mounts/airflow", {"type": "kv", "options": {"version": "2"}}))
    servers.wait_until(
        lambda: bao.post("/v1/airflow/data/connections/pg", {"data": {"conn_uri": "postgres://u:p@pg.example.com/db"}}).status == 200,
        "OpenBao has made the mount")
    role_id, secret_id = approle(bao, 'path "airflow/*" { capabilities = ["read"] }', mount="astro")
    kwargs = {
        "connections_path": "connections", "variables_path": "variables", "mount_point": "airflow", "url": bao_server.url,
        "auth_type": "approle", "auth_mount_point": "astro", "role_id": role_id, "secret_id": secret_id}
    backend = "airflow.providers.hashicorp.secrets.vault.VaultBackend"
    indented = json.dumps(kwargs, indent=1).replace("\n", "\n  ")
    (tmp_path / "airflow.cfg").write_text(f"[secrets]\nbackend = {backend}\nbackend_kwargs = {indented}\n")
    (tmp_path / "kwargs.json").write_text(json.dumps(kwargs))
    (tmp_path / "airflow.env").write_text(f"AIRFLOW__SECRETS__BACKEND_KWARGS='{json.dumps(kwargs)}'\n")
    arguments = ["--secrets-dir", "secrets"]
    conversion = Conversion(
        tmp_path, "astro", *arguments, secret=secret_id, AIRFLOW__SECRETS__BACKEND=backend, AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs))
    for file in ["airflow.cfg", "kwargs.json", "airflow.env"]:
        assert Conversion(tmp_path, "astro", file, *arguments, secret=secret_id).config == conversion.config
    with conversion.served() as (airlock, root):
        assert root.get("/v1/airflow/data/connections/pg").data["data"]["conn_uri"].endswith("pg.example.com/db")
        assert root.get("/api/v2/connections/pg").json["host"] == "pg.example.com"

    upstream = Conversion(tmp_path, "astro", "kwargs.json", "--authorize", "upstream", secret=secret_id)
    with upstream.served() as (airlock, root):
        finished = subprocess.run(
            [servers.TOOLS / "airflow3/bin/python", HERE / "airflow_lookups.py", "2", "pg"], capture_output=True, text=True, timeout=180, cwd=tmp_path,
            env=servers.clean_environment(
                tmp_path, AIRFLOW_HOME=tmp_path / "airflow", AIRFLOW__SECRETS__BACKEND=backend,
                AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs | {"url": airlock.url})))
        assert json.loads(finished.stdout.splitlines()[-1]) == {"pg": {"pg.example.com": 2}}, finished.stderr


# What every conversion keeps to


def test_a_secret_is_in_no_output_and_its_file_is_its_owners(tmp_path):
    environment = {"HCP_VAULT_ADDR": "https://vault.example.com:8200", "HCP_VAULT_TOKEN": CANARY}
    printed = Conversion(tmp_path, "litellm", **environment)
    assert printed.config["mounts"]["secret"]["kwargs"]["token_path"] == "/run/secrets/secret-token"
    assert printed.lines("secret") == ["HCP_VAULT_TOKEN: not printed: write it to /run/secrets/secret-token, or give --secrets-dir"]
    assert list(tmp_path.iterdir()) == []

    written = Conversion(tmp_path, "litellm", "--secrets-dir", "./a/b/", "--output", "airlock.json", **environment)
    assert written.out == ""
    config, file = tmp_path / "airlock.json", tmp_path / "a/b/secret-token"
    assert json.loads(config.read_text())["mounts"]["secret"]["kwargs"]["token_path"] == str(file)
    assert (mode(config), mode(file), mode(file.parent), file.read_text()) == (0o600, 0o600, 0o700, CANARY)


def test_a_password_that_has_no_file_goes_into_the_output_file_only(tmp_path):
    kwargs = {"url": "http://vault", "auth_type": "userpass", "username": "airflow", "password": CANARY}
    refused = Conversion(tmp_path, "astro", code=2, AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs))
    assert refused.out == "" and "password: Airlock reads it from no file" in refused.report[0]
    written = Conversion(tmp_path, "astro", "--output", "airlock.json", AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs))
    config = tmp_path / "airlock.json"
    assert json.loads(config.read_text())["backend_kwargs"] == kwargs and mode(config) == 0o600
    assert written.lines("secret") == ["password: in airlock.json, mode 0600"]


@pytest.mark.parametrize("client, text, message", [
    ("kong", "vaults:\n- name: [a\n  key: " + CANARY, r"standard input:\d+:\d+: no valid YAML"),
    ("kong", "{\"vaults\": [" + CANARY, "standard input: .* at byte 12"),
    ("kong", "a: &a [" + "x, " * 100 + "]\nb: &b [" + "*a, " * 100 + "]\nc: &c [" + "*b, " * 100 + "]\nvaults: [" + "*c, " * 9 + "]\n",
     "larger than 4 MiB"),
    ("kong", "a: &a [" + "x, " * 100 + "]\nb: &b [" + "*a, " * 1000 + "]\nc: &c [" + "*b, " * 1000 + "]\nvaults: []\n", "larger than 64 MiB"),
    ("kong", "services: []\n", "no vault of the kind hcv or conjur"),
    ("kong", f"vaults:\n- name: hcv\n  config: {{token: {CANARY}, port: x}}\n", r"vaults\[0\]\.config\.host is with protocol and port not"),
    ("kong", f"vaults:\n- name: hcv\n  config: {{token: [{CANARY}]}}\n", r"vaults\[0\]\.config\.token must be a text"),
    ("kong", f"vaults: &a\n- name: hcv\n  config: {{token: {CANARY}, mount: sys}}\n", "mounts: sys: that path is Airlock's own"),
    ("zenml", f"- {CANARY}\n", "the file must be one mapping, a line for each setting"),
    ("zenml", f"{CANARY}: 1\n", "neither vault_addr"),
    ("astro", "{\"url\": 5, \"token\": \"" + CANARY + "\"}", "backend kwargs: url: must be a string"),
    ("astro", "{\"token\": \"" + CANARY + "\", \"token\": \"b\"}", "standard input: .*at byte"),
    ("astro", f"AIRFLOW__SECRETS__BACKEND_KWARGS={{\"a\": {CANARY}\n", "AIRFLOW__SECRETS__BACKEND_KWARGS is not"),
    ("litellm", "A=1\n", "no setting of LiteLLM's here"),
])
def test_what_cannot_be_understood_is_refused_without_its_text(tmp_path, client, text, message):
    refused = Conversion(tmp_path, client, "-", stdin=text, code=2)
    assert refused.out == "" and re.search(message, "\n".join(refused.report)), refused.report
