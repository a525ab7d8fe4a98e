"""How Airlock comes back by itself when a real OpenBao has forgotten its token, for each way to log in that OpenBao carries;
how it lives on a token that it was given; and the ways to a server. (ldap, radius and github are shown by the unit tests:
OpenBao has none of them.)"""

import json
import pathlib
import subprocess

import pytest

import servers
from authority import Authority
from front import done, value
from raft_openbao import RaftOpenBao
from servers import wait_until
from test_read_through_logins import SERVICE_ACCOUNT, token_reviews
from wire import Connection

SOCKET_LISTENER = """
listener "unix" {{
  address = "{path}"
}}
"""
POLICY = 'path "upstream/*" { capabilities = ["read"] }'
GIVEN = {"token_policies": "reader", "token_ttl": "1h"}


class Bao(RaftOpenBao):
    """OpenBao with every login that it has, which also listens with TLS and on a socket."""

    def __init__(self, folder, cluster):
        folder.mkdir()
        self.authority = Authority(folder, "authority")
        self.stranger = Authority(folder, "stranger")
        self.own, self.own_key = self.authority.issue("airlock")
        port, listener = servers.tls_listener(*self.authority.issue("openbao"))
        self.tls_url, self.socket = f"https://127.0.0.1:{port}", str(folder / "bao.sock")
        super().__init__(folder / "bao", listener + SOCKET_LISTENER.format(path=self.socket))
        self.client = Connection(self)
        self.fill(cluster)

    def fill(self, cluster):
        self.post("sys/mounts/upstream", {"type": "kv", "options": {"version": "2"}})
        wait_until(lambda: self.client.post("/v1/upstream/data/connections/pg", {"data": {"value": "one"}}).status == 200,
                   "OpenBao has made the mount")
        self.post("sys/policies/acl/reader", {"policy": POLICY})
        for method in ["approle", "userpass", "jwt", "kubernetes", "cert"]:
            self.post(f"sys/auth/{method}", {"type": method})
        self.post("auth/approle/role/airlock", {"role_id": "airlock", **GIVEN})
        self.post("auth/userpass/users/airlock", {"password": "pass word", **GIVEN})
        self.post("auth/jwt/config", {"jwt_validation_pubkeys": [self.authority.public_key]})
        self.post("auth/jwt/role/airlock", {
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["openbao"], **GIVEN})
        self.post("auth/kubernetes/config", {
            "kubernetes_host": f"http://127.0.0.1:{cluster.server_port}", "disable_local_ca_jwt": True,
            "kubernetes_ca_cert": self.authority.path.read_text()})
        self.post("auth/kubernetes/role/airlock", {
            "bound_service_account_names": "airlock", "bound_service_account_namespaces": "default", **GIVEN})
        self.post("auth/cert/certs/airlock", {"certificate": self.authority.path.read_text(), **GIVEN})

    def post(self, path, body, **more):
        return done(self.client.post(f"/v1/{path}", body, **more))

    def logins(self, method):
        """How many it had, by its own log."""
        return sum(path.startswith(f"auth/{method}/login") for _, path in self.audited())

    def tokens(self, origin):
        """What it says about the tokens that came about this way."""
        accessors = done(self.client.get("/v1/auth/token/accessors?list=true")).data["keys"]
        found = [self.client.post("/v1/auth/token/lookup-accessor", {"accessor": one}) for one in accessors]
        return [one.data for one in found if one.status == 200 and one.data["path"] == origin]

    # Credentials

    def secret_id(self, wrapped=False):
        headers = {"X-Vault-Wrap-TTL": "5m"} if wrapped else {}
        made = self.post("auth/approle/role/airlock/secret-id", {}, headers=headers)
        return made.json["wrap_info"]["token"] if wrapped else made.data["secret_id"]

    def given_token(self, **more):
        made = self.post("auth/token/create", {"policies": ["reader"], "ttl": "1h", **more})
        return made.json["auth"]["client_token"]

    def certificate(self, **more):
        return {"auth_type": "cert", "url": self.tls_url, "verify": str(self.authority.path),
                "cert": [str(self.own), str(self.own_key)], **more}


@pytest.fixture(scope="module")
def bao(tmp_path_factory):
    with token_reviews() as cluster:
        bao = Bao(tmp_path_factory.mktemp("recovery") / "openbao", cluster)
        yield bao
        bao.stop()


class Airlock:
    """An Airlock whose one mount is `upstream/` of that OpenBao, reached as the kwargs say."""

    def __init__(self, bao, start_airlock, kwargs, **environment):
        kwargs = {"url": bao.url, "mount_point": "upstream", **kwargs}
        self.server = start_airlock("--backend-kwargs", json.dumps(kwargs), **environment)
        self.client = Connection(self.server)

    def read(self):
        """Asks OpenBao, whatever is cached."""
        return self.client.get("/v1/upstream/data/connections/pg", headers={"Cache-Control": "no-cache"})

    def comes_back(self):
        return wait_until(lambda: (answer := self.read()).status == 200 and answer, "Airlock reads again")


@pytest.fixture
def serve(bao, start_airlock):
    return lambda _environment={}, **kwargs: Airlock(bao, start_airlock, kwargs, **_environment)


def in_file(folder, text):
    path = folder / "credential"
    path.write_text(text + "\n")
    return str(path)


# A token that OpenBao forgot

APPROLE = {"auth_type": "approle", "role_id": "airlock"}
LOGINS = {
    "approle": lambda bao, folder: {**APPROLE, "secret_id": bao.secret_id()},
    "approle, in a file": lambda bao, folder: {**APPROLE, "secret_id_path": in_file(folder, bao.secret_id())},
    "approle, wrapped": lambda bao, folder: {
        **APPROLE, "secret_id": bao.secret_id(wrapped=True), "secret_id_wrapped": True},
    "approle, wrapped in a file": lambda bao, folder: {
        **APPROLE, "secret_id_path": in_file(folder, bao.secret_id(wrapped=True)), "secret_id_wrapped": True},
    "userpass": lambda bao, folder: {"auth_type": "userpass", "username": "airlock", "password": "pass word"},
    "jwt": lambda bao, folder: {
        "auth_type": "jwt", "jwt_role": "airlock", "jwt_token": bao.authority.jwt(sub="airlock", aud="openbao")},
    "jwt in a file": lambda bao, folder: {
        "auth_type": "jwt", "jwt_role": "airlock",
        "jwt_token_path": in_file(folder, bao.authority.jwt(sub="airlock", aud="openbao"))},
    "kubernetes": lambda bao, folder: {
        "auth_type": "kubernetes", "kubernetes_role": "airlock",
        "kubernetes_jwt_path": in_file(folder, bao.authority.jwt(**SERVICE_ACCOUNT))},
    "cert": lambda bao, folder: bao.certificate(),
    "cert with a role": lambda bao, folder: bao.certificate(cert_role="airlock"),
    "cert and key in one file": lambda bao, folder: bao.certificate(
        cert=in_file(folder, bao.own.read_text() + bao.own_key.read_text())),
}


@pytest.mark.parametrize("login", LOGINS)
def test_a_token_that_openbao_forgot_costs_one_login_and_nobody_notices(bao, serve, tmp_path, login):
    kwargs = LOGINS[login](bao, tmp_path)
    method = kwargs["auth_type"]
    before = bao.logins(method)
    airlock = serve(**kwargs)
    for _ in range(3):
        assert value(airlock.read()) == "one"
    assert bao.logins(method) - before == 1
    bao.post(f"sys/leases/revoke-prefix/auth/{method}/login", {})
    wait_until(lambda: not bao.tokens(f"auth/{method}/login"), "the tokens are gone")
    for _ in range(3):
        assert value(airlock.read()) == "one"
    assert bao.logins(method) - before == 2


def test_a_refused_secret_id_is_replaced_in_its_file_before_the_role_is_locked_out(bao, serve, tmp_path):
    path = in_file(tmp_path, "no-such-secret-id")
    before = bao.logins("approle")
    airlock = serve(**APPROLE, secret_id_path=path)
    assert airlock.read().status == 503
    wait_until(lambda: "auth/approle was refused" in airlock.server.stderr, "the log says so")
    assert "no-such-secret-id" not in airlock.server.stderr
    pathlib.Path(path).write_text(bao.secret_id() + "\n")
    assert value(airlock.comes_back()) == "one"
    assert bao.logins("approle") - before < 5, "OpenBao locks a role out at the fifth"


# A token that Airlock was given


def test_a_token_in_the_environment_serves_kwargs_that_name_none(bao, serve):
    assert value(serve({"VAULT_TOKEN": bao.given_token()}).read()) == "one"


def test_a_given_token_is_renewed_before_it_ends(bao, serve):
    airlock = serve(token=bao.given_token(period="3s"))
    assert value(airlock.read()) == "one"
    wait_until(
        lambda: any(one.get("period") == 3 and one.get("last_renewal_time", 0) - one["creation_time"] >= 4
                    for one in bao.tokens("auth/token/create")),
        "it outlives its first three seconds")
    assert value(airlock.read()) == "one"


def test_a_revoked_token_is_an_outage_until_its_file_holds_another(bao, serve, tmp_path):
    first = bao.given_token()
    path = in_file(tmp_path, first)
    airlock = serve(token_path=path)
    assert value(airlock.read()) == "one"
    bao.post("auth/token/revoke", {"token": first})
    refused = airlock.read()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    pathlib.Path(path).write_text(bao.given_token() + "\n")
    assert value(airlock.comes_back()) == "one"


# The way there


@pytest.mark.parametrize("kind", ["a file", "a folder", "unverified"])
def test_tls_is_verified_against_the_authority_that_is_named(bao, serve, tmp_path, kind):
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "ca.pem").write_text(bao.authority.path.read_text())
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    verify = {"a file": str(bao.authority.path), "a folder": str(folder), "unverified": False}[kind]
    assert value(serve(url=bao.tls_url, token=bao.given_token(), verify=verify).read()) == "one"


def test_a_folder_without_the_authority_is_an_outage(bao, serve, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "ca.pem").write_text(bao.stranger.path.read_text())
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    airlock = serve(url=bao.tls_url, token=bao.given_token(), verify=str(folder))
    assert airlock.read().status == 503
    wait_until(lambda: "TLS" in airlock.server.stderr, "the log says why")


def test_a_socket_leads_there_too(bao, serve):
    assert value(serve(token=bao.given_token(), url=f"unix://{bao.socket}").read()) == "one"


@pytest.mark.parametrize(("kwargs", "said"), [
    ({"auth_type": "aws_iam", "role_id": "r"}, "aws_iam is not supported yet; use approle"),
    ({"auth_type": "gcp", "role_id": "r", "gcp_scopes": "s"}, "gcp is not supported yet; use approle"),
    ({"auth_type": "azure", "azure_tenant_id": "t", "azure_resource": "r"}, "azure is not supported yet; use approle"),
    ({"auth_type": "cert"}, "cert needs cert"),
    ({"auth_type": "approle", "role_id": "r", "secret_id": "s", "secret_id_path": "/s"}, "not both"),
])
def test_a_login_that_cannot_work_ends_the_start_with_the_reason(bao, start_airlock, kwargs, said):
    airlock = start_airlock(
        "--backend-kwargs", json.dumps({"url": bao.url, **kwargs}), wait_for_ready=False, VAULT_TOKEN=bao.given_token())
    assert airlock.wait() != 0
    assert said in airlock.stderr
