"""LiteLLM's `hashicorp_vault` secret manager, replayed from its documentation (https://docs.litellm.ai/docs/secret_managers/hashicorp_vault;
its class is licence-gated): straight at OpenBao, at an embedded mount, and at a mount in front of OpenBao. It logs in with the
namespace in a header, and reads and writes with the namespace in the path. docs/litellm.md has the same policies."""

import contextlib
import json
import pathlib
import re
import urllib.parse

import pytest

import servers
from authority import Authority
from client_certificates import Issuer
from conftest import chosen
from front import done
from servers import wait_until
from wire import Connection

NAMESPACE = "team1"
PAGE = pathlib.Path(__file__).parents[2] / "docs/litellm.md"


class LiteLLM:
    """The `HCP_VAULT_*` that it is given, without their prefix."""

    def __init__(self, server, **settings):
        self.settings = {"NAMESPACE": NAMESPACE, "MOUNT_NAME": "secret", "APPROLE_MOUNT_PATH": "approle"} | settings
        self.connection = Connection(server, token=None)
        self.lease = None
        if file := settings.get("CLIENT_CERT"):
            context = server.authority.client()
            context.load_cert_chain(file)
            self.connection.http._context = context
        self.connection.token = self.login()

    def login(self):
        """By the first of its three ways that is configured."""
        have, auth = self.settings.get, None
        inside = {"X-Vault-Namespace": have("NAMESPACE"), "Content-Type": "application/json"} if have("NAMESPACE") else {}
        if have("APPROLE_ROLE_ID") and have("APPROLE_SECRET_ID"):
            body = {"role_id": have("APPROLE_ROLE_ID"), "secret_id": have("APPROLE_SECRET_ID")}
            auth = self.connection.post(f"/v1/auth/{have('APPROLE_MOUNT_PATH')}/login", body, headers=inside)
        elif have("CLIENT_CERT"):
            auth = self.connection.post("/v1/auth/cert/login", {"name": have("CERT_ROLE")}, headers=inside)
        if auth is None:
            return have("TOKEN")
        assert auth.status == 200, auth
        self.lease = auth.json["auth"]["lease_duration"]
        return auth.json["auth"]["client_token"]

    def url(self, name):
        parts = [self.settings["NAMESPACE"], self.settings["MOUNT_NAME"], "data", self.settings.get("PATH_PREFIX"), urllib.parse.quote(name)]
        return "/v1/" + "/".join(part for part in parts if part)

    def get(self, name):
        return self.connection.get(self.url(name))

    def read(self, name):
        answer = self.get(name)
        return answer.data["data"]["key"] if answer.status == 200 else None

    def write(self, name, value, description=None):
        fields = {"key": value} | ({"description": description} if description else {})
        return self.connection.post(self.url(name), {"data": fields})

    def delete(self, name):
        return self.connection.delete(self.url(name))

    def rotate(self, old, new, value):
        """Whether it went well: get old, write new, get new and compare, delete old."""
        return (self.read(old) is not None and self.write(new, value).status == 200 and self.read(new) == value
                and (old == new or self.delete(old).status == 204))


def policy(mode, namespace):
    """The one of docs/litellm.md: inside the namespace as it stands there, on a mount in front with the namespace before it."""
    [text] = re.findall(rf"^# {mode}\n(.*?\n)\n", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return text.replace('path "', f'path "{namespace}')


class Place:
    """A server with TLS that LiteLLM is pointed at, with the three policies, and roles of the same names."""

    def __init__(self, server, files, inside, namespace_of_paths):
        self.server, self.root, self.certificate, self.inside = server, Connection(server), files.client("litellm"), inside
        for mount, kind in {"approle": "approle", "machines": "approle", "cert": "cert"}.items():
            self.ask("POST", f"sys/auth/{mount}", {"type": kind})
        for mode in MODES:
            self.ask("PUT", f"sys/policies/acl/{mode}", {"policy": policy(mode, namespace_of_paths)})
            for mount in ("approle", "machines"):
                self.ask("POST", f"auth/{mount}/role/{mode}", {"token_policies": mode, "token_ttl": "20m"})
        self.ask("POST", "auth/cert/certs/litellm", {"certificate": files.pem, "token_policies": "read_and_write", "token_ttl": "30m"})

    def ask(self, method, path, body=None):
        return done(self.root.send(method, f"/v1/{path}", body, headers=self.inside))

    def approle(self, mode, mount="approle"):
        role = f"auth/{mount}/role/{mode}"
        return {"APPROLE_ROLE_ID": self.ask("GET", f"{role}/role-id").data["role_id"], "APPROLE_MOUNT_PATH": mount,
                "APPROLE_SECRET_ID": self.ask("POST", f"{role}/secret-id").data["secret_id"]}

    def token(self, mode):
        return {"TOKEN": self.ask("POST", "auth/token/create", {"policies": [mode], "ttl": "1h"}).json["auth"]["client_token"]}

    def litellm(self, mode="read_and_write", **settings):
        return LiteLLM(self.server, **self.approle(mode) | settings)


MODES = ["read_only", "write_only", "read_and_write"]
PLACES = {"straight at OpenBao": ["openbao"], "embedded": ["airlock"], "in front of OpenBao": ["openbao", "airlock"]}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Starts servers with TLS, and makes clients' certificates."""
    class Machine:
        folder = tmp_path_factory.mktemp("litellm")
        authority = Authority(folder, "servers")
        issuer = Issuer(folder, "clients")
        started = []

        def start(self, name, *arguments):
            certificate = self.authority.issue(f"{name}{len(self.started)}")
            folder = self.folder / f"{name}{len(self.started)}"
            if name == "openbao":
                server = servers.start_openbao(folder, tls=certificate)
            else:
                server = servers.start_airlock(
                    folder, "--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1]), *arguments)
            server.tls, server.authority = self.authority.client(), self.authority
            self.started.append(server)
            return server

        def with_namespace(self, name):
            """The server, with `secret/` in the namespace."""
            server = self.start(name)
            with contextlib.closing(Connection(server)) as root:
                done(root.post(f"/v1/sys/namespaces/{NAMESPACE}", {}))
                done(root.post("/v1/sys/mounts/secret", {"type": "kv-v2"}, headers={"X-Vault-Namespace": NAMESPACE}))
                wait_until(lambda: root.post(f"/v1/{NAMESPACE}/secret/data/ready", {"data": {}}).status == 200, "the mount is there")
            return server

    machine = Machine()
    yield machine
    for server in machine.started:
        assert server.stop() == 0 or server.name == "openbao", server.stderr[-4000:]


@pytest.fixture(scope="module", params=PLACES)
def place(request, machine):
    if not set(PLACES[request.param]) <= set(chosen(request.config)):
        pytest.skip("that server was not chosen")
    inside = {"X-Vault-Namespace": NAMESPACE}
    if request.param != "in front of OpenBao":
        return Place(machine.with_namespace(PLACES[request.param][0]), machine.issuer, inside, "")
    bao = machine.with_namespace("openbao")
    config = machine.folder / "front.json"
    config.write_text(json.dumps({"mounts": {f"{NAMESPACE}/secret": {"backend": "vault", "kwargs": {
        "url": bao.url, "verify": str(machine.authority.path), "mount_point": "secret", "namespace": NAMESPACE, "auth_type": "token",
        "token": bao.token}}}}))
    return Place(machine.start("airlock", "--config", str(config)), machine.issuer, {}, f"{NAMESPACE}/")


def test_a_key_is_written_read_rotated_and_deleted_in_the_namespace_of_the_path(place):
    litellm = place.litellm(PATH_PREFIX="litellm")
    assert litellm.lease == 1200
    assert litellm.get("openai").status == 404
    assert litellm.write("openai", "sk-1", "first").status == 200
    assert litellm.get("openai").data["data"] == {"key": "sk-1", "description": "first"}
    assert litellm.rotate("openai", "openai-2", "sk-2")
    assert (litellm.read("openai"), litellm.read("openai-2")) == (None, "sk-2")
    assert litellm.rotate("openai-2", "openai-2", "sk-3"), "under the same name"
    assert litellm.read("openai-2") == "sk-3"
    assert not litellm.rotate("nosuch", "other", "sk-4") and litellm.read("other") is None
    assert litellm.delete("openai-2").status == 204 and litellm.read("openai-2") is None
    assert litellm.delete("nosuch").status == 204
    assert litellm.write("openai", "sk-5").status == 200 and litellm.read("openai") == "sk-5", "a deleted one comes back"


def test_virtual_keys_lie_under_their_prefix_whatever_their_names_are(place):
    """`store_virtual_keys`, `prefix_for_stored_virtual_keys: "litellm/"`, no path prefix."""
    litellm = place.litellm()
    for name in ["litellm/team-key", "litellm/a b", "litellm/50% + é", "litellm/deep/er/key", "litellm/" + "k" * 300]:
        assert litellm.write(name, f"sk-{name}", "virtual key").status == 200, name
        assert litellm.read(name) == f"sk-{name}"
        assert litellm.delete(name).status == 204 and litellm.read(name) is None
    both = place.litellm(PATH_PREFIX="litellm")
    assert both.write("litellm/key", "twice").status == 200 and litellm.read("litellm/litellm/key") == "twice"


def test_the_first_of_its_three_logins_that_is_configured_counts(place):
    approle, token = place.approle("read_and_write", "machines"), place.token("read_and_write")
    certificate = {"CLIENT_CERT": str(place.certificate)}
    for settings, lease in [
            (approle | certificate | token, 1200), (certificate | token, 1800), (certificate | {"CERT_ROLE": "litellm"}, 1800), (token, None)]:
        litellm = LiteLLM(place.server, PATH_PREFIX="litellm", **settings)
        assert litellm.lease == lease
        assert litellm.write("login", str(lease)).status == 200 and litellm.read("login") == str(lease)


def test_a_login_that_is_not_good_is_refused(place):
    with pytest.raises(AssertionError, match="400"):
        LiteLLM(place.server, **place.approle("read_only") | {"APPROLE_SECRET_ID": "wrong"})
    with pytest.raises(AssertionError, match="400"):
        LiteLLM(place.server, CLIENT_CERT=str(place.certificate), CERT_ROLE="nosuch")
    assert LiteLLM(place.server, TOKEN="wrong").get("litellm/x").status == 403


@pytest.mark.parametrize("mode", MODES)
def test_an_access_mode_is_a_policy(place, mode):
    administrator, litellm = place.litellm(), place.litellm(mode)
    name, reads, writes = f"litellm/{mode}", mode != "write_only", mode != "read_only"
    administrator.write(name, "sk-1")
    assert litellm.get(name).status == (200 if reads else 403)
    assert litellm.get(f"litellm/nosuch-{mode}").status == (404 if reads else 403)
    assert litellm.write(name, "sk-2").status == (200 if writes else 403)
    assert litellm.write(f"{name}-new", "sk-3").status == (200 if writes else 403)
    assert administrator.read(name) == ("sk-2" if writes else "sk-1")
    assert administrator.read(f"{name}-new") == ("sk-3" if writes else None)
    assert litellm.rotate(name, f"{name}-rotated", "sk-4") == (reads and writes)
    assert administrator.read(f"{name}-rotated") == ("sk-4" if reads and writes else None)
    assert litellm.delete(f"{name}-new").status == (204 if writes else 403)
    # Outside the prefix, and beside the calls that LiteLLM makes, no mode reaches.
    outside = LiteLLM(place.server, TOKEN=litellm.connection.token)
    for path in ["other/key", "litellm", "litellmx/key"]:
        assert [outside.get(path).status, outside.write(path, "x").status, outside.delete(path).status] == [403] * 3, path
    metadata = place.litellm().url("litellm").replace("/data/", "/metadata/")
    assert [outside.connection.list(metadata).status, outside.connection.delete(f"{metadata}/{mode}").status] == [403] * 2


def test_its_token_is_good_for_nothing_outside_the_namespace(place):
    root = Connection(place.server)
    root.put("/v1/secret/data/litellm/other", {"data": {"key": "of the root"}})
    litellm = place.litellm(PATH_PREFIX="litellm")
    assert litellm.connection.get("/v1/secret/data/litellm/other").status == 403
    assert litellm.get("other").status == 404
    assert litellm.connection.get("/v1/sys/policies/acl").status == 403
    root.close()


def test_where_the_vault_decides_its_roles_and_policies_go_on_counting(machine, request):
    """`authorize: upstream`: AppRole and token; a certificate ends at Airlock."""
    if chosen(request.config) != ["openbao", "airlock"]:
        pytest.skip("this takes both servers")
    bao = machine.with_namespace("openbao")
    place = Place(bao, machine.issuer, {"X-Vault-Namespace": NAMESPACE}, "")
    config = machine.folder / "upstream.json"
    config.write_text(json.dumps({"mounts": {f"{NAMESPACE}/secret": {"backend": "vault", "authorize": "upstream", "kwargs": {
        "url": bao.url, "verify": str(machine.authority.path), "mount_point": "secret", "namespace": NAMESPACE, "auth_type": "token",
        "token": bao.token}}}}))
    place.server = machine.start("airlock", "--config", str(config))
    litellm = place.litellm(PATH_PREFIX="litellm")
    assert litellm.write("openai", "sk-1").status == 200 and litellm.rotate("openai", "openai-2", "sk-2")
    reader = LiteLLM(place.server, PATH_PREFIX="litellm", **place.token("read_only"))
    assert [reader.get("openai-2").status, reader.write("openai-2", "x").status, reader.delete("openai-2").status] == [200, 403, 403]
    writer = place.litellm("write_only", PATH_PREFIX="litellm")
    assert [writer.get("openai-2").status, writer.write("openai-2", "sk-3").status] == [403, 200]
    assert reader.read("openai-2") == "sk-3"
