"""LiteLLM's `cyberark` secret manager, replayed from its documentation (https://docs.litellm.ai/docs/secret_managers/cyberark; its
class is licence-gated), on a mount of the embedded store and on one in front of OpenBao; and the steps that its page gives for
looking into trouble, word for word."""

import base64
import json
import subprocess
import urllib.parse

import pytest
import yaml

import servers
from authority import Authority
from client_certificates import Issuer
from wire import Connection


class LiteLLM:
    """`CYBERARK_USERNAME`, `_API_KEY`, `_ACCOUNT`."""

    def __init__(self, airlock, username, key, account="default", certificate=None):
        self.connection = Connection(airlock, token=None)
        if certificate:
            context = airlock.authority.client()
            context.load_cert_chain(certificate)
            self.connection.http._context = context
        self.account = account
        self.answer = self.connection.post(f"/authn/{account}/{username}/authenticate", key)
        self.header = {"Authorization": f'Token token="{base64.b64encode(self.answer.body).decode()}"'}

    def url(self, name):
        return f"/secrets/{self.account}/variable/{urllib.parse.quote(name, safe='')}"

    def read(self, name):
        answer = self.connection.get(self.url(name), headers=self.header)
        assert answer.status in (200, 404), answer
        return answer.text if answer.status == 200 else None

    def write(self, name, value):
        """It makes the variable whether it is there or not, goes on whatever the answer is, and sets the value."""
        text = yaml.safe_dump(name, default_style='"').strip()
        made = self.connection.post(
            f"/policies/{self.account}/policy/root", f"- !variable {text}\n", headers=self.header | {"Content-Type": "application/x-yaml"})
        return made.status, self.connection.post(self.url(name), value, headers=self.header).status

    def rotate(self, old, new, value):
        """The old one stays: it does not delete."""
        assert self.read(old) is not None and self.write(new, value) == (201, 201)
        return self.read(new) == value

    def listed(self):
        return [one["id"] for one in self.connection.get(f"/resources/{self.account}/variable", headers=self.header).json]


@pytest.fixture(params=["embedded", "in front of OpenBao"])
def airlock(request, tmp_path, start_airlock):
    """The mount's name is `litellm`; its admin's key is `airlock.key`."""
    if request.param == "embedded":
        (tmp_path / "config.json").write_text(json.dumps({"conjur_mount": "litellm", "mounts": {"litellm": {"backend": "embedded"}}}))
        server = start_airlock("--config", str(tmp_path / "config.json"))
    else:
        here = request.getfixturevalue("front")(start=False)
        here.config |= {"conjur_mount": "airflow"}
        server = here.start().airlock
    server.key = (server.data / "conjur-admin-api-key").read_text().strip()
    return server


def test_it_writes_reads_lists_and_rotates_and_does_not_delete(airlock):
    litellm = LiteLLM(airlock, "admin", airlock.key)
    assert litellm.answer.status == 200
    assert litellm.read("litellm/key") is None, "absent"
    for name in ["litellm/key", "OPENAI_API_KEY", "litellm/a b + 100% ü/漢", "litellm/" + "long name " * 12 + "x"]:
        for value in [f"sk-{name}", "sk-2 ü\n+%"]:
            assert litellm.write(name, value) == (201, 201), name
            assert litellm.read(name) == value
        assert f"default:variable:{name}" in litellm.listed()
    assert litellm.rotate("litellm/key", "litellm/key-2", "sk-3") and litellm.rotate("litellm/key", "litellm/key", "sk-4")
    assert (litellm.read("litellm/key"), litellm.read("litellm/key-2")) == ("sk-4", "sk-3")
    assert litellm.connection.delete(litellm.url("litellm/key"), headers=litellm.header).status == 405
    # A name that no variable can have is refused, and so is the value after it.
    assert litellm.write("a//b", "x") == (422, 404) and litellm.write("", "x")[0] == 422


def test_a_host_that_only_reads_reads_what_it_was_permitted(airlock):
    admin = LiteLLM(airlock, "admin", airlock.key)
    admin.write("litellm/key", "sk-1")
    admin.write("other", "sk-2")
    policy = "- !host litellm\n- !permit\n  role: !host litellm\n  privileges: [ read, execute ]\n  resource: !variable litellm/key\n"
    made = admin.connection.post("/policies/default/policy/root", policy, headers=admin.header)
    host = LiteLLM(airlock, "host%2Flitellm", made.json["created_roles"]["default:host:litellm"]["api_key"])
    assert (host.read("litellm/key"), host.read("other"), host.listed()) == ("sk-1", None, ["default:variable:litellm/key"])
    assert host.write("litellm/key", "x") == (404, 403) and host.write("litellm/new", "x") == (404, 404)
    assert admin.read("litellm/key") == "sk-1"


def test_what_does_not_log_in_gets_nothing(airlock):
    for username, key, account in [("admin", "wrong", "default"), ("admin", "", "default"), ("nobody", airlock.key, "default"),
                                   ("admin", airlock.key, "other")]:
        litellm = LiteLLM(airlock, username, key, account)
        assert litellm.answer.status == 401
        assert litellm.connection.get("/secrets/default/variable/litellm%2Fkey", headers=litellm.header).status == 401


def test_a_client_certificate_logs_in_where_a_role_of_the_cert_login_gives_the_policy(tmp_path, start_airlock):
    """`CYBERARK_CLIENT_CERT` and `_CLIENT_KEY`, with `CYBERARK_API_KEY` and without."""
    authority, clients = Authority(tmp_path, "servers"), Issuer(tmp_path, "clients")
    certificate, key = authority.issue("server")
    (tmp_path / "config.json").write_text(json.dumps({"conjur_mount": "litellm", "mounts": {"litellm": {"backend": "embedded"}}}))
    airlock = start_airlock(
        "--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--config", str(tmp_path / "config.json"))
    airlock.tls, airlock.authority = authority.client(), authority
    api_key = (airlock.data / "conjur-admin-api-key").read_text().strip()
    shown, other = clients.client("litellm", name="litellm"), clients.client("other", name="other")
    stranger = Issuer(tmp_path, "strangers").client("stranger", name="litellm")
    root = Connection(airlock)

    def status(username="admin", key="", certificate=shown):
        return LiteLLM(airlock, username, key, certificate=certificate).answer.status

    def role(**fields):
        assert root.post("/v1/auth/cert/certs/litellm", {"certificate": clients.pem, "allowed_common_names": "litellm"} | fields).status == 204

    assert status() == 401, "there is no cert login"
    assert root.post("/v1/sys/auth/cert", {"type": "cert"}).status == 204
    assert status() == 401, "it has no role"
    role(token_policies="default,conjur-host-web,conjur-user-adminx")
    assert status() == 401, "its role gives another policy"
    assert root.post("/v1/auth/cert/certs/other", {"certificate": clients.pem, "token_policies": "other"}).status == 204
    role(token_policies="conjur-user-admin", token_ttl="8m", token_bound_cidrs="10.0.0.0/8")
    assert status() == 401, "from another address"
    role(token_policies="conjur-user-admin", token_ttl="8m", token_bound_cidrs="127.0.0.1/32")
    litellm = LiteLLM(airlock, "admin", "", certificate=shown)
    assert litellm.write("litellm/key", "sk-1") == (201, 201) and litellm.read("litellm/key") == "sk-1"
    assert root.post("/v1/auth/token/lookup", {"token": litellm.answer.json["signature"]}).data["ttl"] <= 480
    assert [status(certificate=one) for one in (other, stranger, None)] == [401] * 3
    # The policy of a host that is not there lets in nobody as that host.
    assert status("host%2Fweb") == 401
    # Where there is a key, the key counts.
    assert (status(key=api_key), status(key=api_key, certificate=stranger), status(key="wrong")) == (200, 200, 401)
    made = litellm.connection.post("/policies/default/policy/root", "- !host web", headers=litellm.header)
    assert made.status == 201 and status("host%2Fweb") == 401
    role(token_policies="conjur-host-web")
    host = LiteLLM(airlock, "host%2Fweb", "", certificate=shown)
    assert host.answer.status == 200 and host.read("litellm/key") is None and status() == 401
    assert 'airlock_logins_total{mount="conjur",result="ok"}' in root.get("/v1/sys/metrics").text
    root.close()


AUTHENTICATE = r"""TOKEN=$(curl -s -X POST http://conjur.example.com:8080/authn/default/admin/authenticate \
  -d "your-api-key" | base64 | tr -d '\n')
"""
READ = r"""curl -H "Authorization: Token token=\"$TOKEN\"" \
  "http://conjur.example.com:8080/secrets/default/variable/test-secret"
"""
WRITE = r"""curl -X POST \
  -H "Authorization: Token token=\"$TOKEN\"" \
  --data "my-secret-value" \
  "http://conjur.example.com:8080/secrets/default/variable/test-secret"
"""
LIST = r"""curl -H "Authorization: Token token=\"$TOKEN\"" \
  "http://conjur.example.com:8080/resources/default/variable"
"""


def test_the_steps_for_looking_into_trouble_give_what_the_page_says(airlock):
    def shell(text):
        text = text.replace("http://conjur.example.com:8080", airlock.url).replace("your-api-key", airlock.key)
        finished = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, timeout=20, env=servers.clean_environment(airlock.folder))
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    assert LiteLLM(airlock, "admin", airlock.key).write("test-secret", "first") == (201, 201)
    assert shell(AUTHENTICATE + READ) == "first"
    assert shell(AUTHENTICATE + WRITE) == "" and shell(AUTHENTICATE + READ) == "my-secret-value"
    assert "default:variable:test-secret" in [one["id"] for one in json.loads(shell(AUTHENTICATE + LIST))]
    assert shell(AUTHENTICATE.replace("your-api-key", "wrong") + READ) == ""
