"""Namespaces against both servers: the command line and hvac (LiteLLM: test_litellm.py); then what somebody with all power in one
namespace would try to get at another."""

import itertools
import json
import pathlib
import subprocess

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidPath

import servers
from shell_transcript import replay
from wire import Connection

EVERYTHING = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "patch", "sudo"] }'


def test_the_namespace_commands_of_bao_print_the_same_against_both_servers(vault_server, tmp_path):
    written, went = replay(pathlib.Path(__file__).with_name("namespaces.txt"), vault_server, tmp_path)
    assert went == written


def make(server, path):
    """A namespace with a mount, a policy and a login; what a client needs to log in."""
    above, _, name = path.rpartition("/")
    parent = hvac.Client(url=server.url, token=server.token, namespace=above or None)
    parent.sys.create_namespace(name)
    client = hvac.Client(url=server.url, token=server.token, namespace=path)
    servers.enable_kv(client, "kv")
    client.sys.create_or_update_policy("everything", EVERYTHING)
    client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("app", token_policies=["everything"])
    client.secrets.kv.v2.create_or_update_secret("a", {"key": f"of {path}"}, mount_point="kv")
    return {
        "role_id": client.auth.approle.read_role_id("app")["data"]["role_id"],
        "secret_id": client.auth.approle.generate_secret_id("app")["data"]["secret_id"],
    }


def test_hvac_lives_in_the_namespace_it_names(vault_server):
    login = make(vault_server, "hv")
    client = hvac.Client(url=vault_server.url, namespace="hv")
    client.auth.approle.login(**login)
    assert client.is_authenticated()
    assert client.token.rpartition(".")[2] == hvac_lookup(vault_server, "hv")["id"]
    me = client.auth.token.lookup_self()["data"]
    assert (me["namespace_path"], me["display_name"], me["path"]) == ("hv/", "hv-auth-approle", "auth/approle/login")
    assert client.secrets.kv.v2.read_secret_version("a", mount_point="kv")["data"]["data"] == {"key": "of hv"}
    assert client.secrets.kv.v2.list_secrets("", mount_point="kv")["data"]["keys"] == ["a"]
    client.sys.create_namespace("inner")
    assert client.sys.list_namespaces()["data"]["keys"] == ["inner/"]
    client.auth.token.renew_self()
    for other in [None, "hv/inner"]:
        elsewhere = hvac.Client(url=vault_server.url, token=client.token, namespace=other)
        assert elsewhere.is_authenticated(), "a token may look itself up wherever it is"
        with pytest.raises(Forbidden if other is None else InvalidPath):
            elsewhere.secrets.kv.v2.read_secret_version("a", mount_point="kv")
    client.logout(revoke_token=True)
    with pytest.raises(Forbidden):
        hvac.Client(url=vault_server.url, token=me["id"], namespace="hv").secrets.kv.v2.read_secret_version(
            "a", mount_point="kv")


def hvac_lookup(server, name):
    return Connection(server).get(f"/v1/sys/namespaces/{name}").data


def test_conn_import_writes_into_the_namespace_it_is_given(vault_server, tmp_path):
    make(vault_server, "imported")
    (tmp_path / "prod.env").write_text("AIRFLOW_VAR_REGION=eu\n")
    done = subprocess.run(
        [servers.airlock_program("conn-import"), "--namespace", "imported", "--mount-point", "kv", "prod.env"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, env=servers.clean_environment(
            tmp_path, VAULT_ADDR=vault_server.url, VAULT_TOKEN=vault_server.token))
    assert done.returncode == 0, done.stderr
    root = Connection(vault_server)
    assert root.get("/v1/imported/kv/data/variables/region").data["data"] == {"value": "eu"}
    assert root.get("/v1/kv/data/variables/region").status in (403, 404)


def test_a_name_that_means_a_vaults_namespace_and_one_of_airlocks_is_refused(start_airlock):
    server = start_airlock()
    Connection(server).post("/v1/sys/namespaces/team", {})
    start_airlock.stop_all()
    kwargs = {"namespace": "team/", "mount_point": "airflow"}
    refused = start_airlock("--backend-kwargs", json.dumps(kwargs), wait_for_ready=False)
    assert refused.wait() != 0
    assert "the namespace team of the kwargs is also one of the embedded store" in refused.stderr
    config = refused.folder / "airlock.json"
    upstream = {"url": "http://127.0.0.1:1", "auth_type": "token", "token": "t", "mount_point": "kv"}
    config.write_text(json.dumps({"mounts": {"team/kv": {"backend": "vault", "kwargs": upstream}}}))
    refused = start_airlock("--config", str(config), wait_for_ready=False)
    assert refused.wait() != 0
    assert "team/kv/ lies in a namespace of the embedded store" in refused.stderr
    config.write_text(json.dumps({"mounts": {"kv": {"backend": "vault", "kwargs": upstream | {"namespace": "vaults"}}}}))
    client = Connection(start_airlock("--config", str(config)))
    assert client.post("/v1/sys/namespaces/vaults", {}).status == 400
    assert client.post("/v1/sys/namespaces/kv", {}).errors == ["new namespace conflicts with existing mount: kv/"]
    assert client.get("/v1/sys/mounts", headers={"X-Vault-Namespace": "vaults"}).status == 200, "as its clients do"
    assert client.get("/v1/sys/mounts", headers={"X-Vault-Namespace": "team"}).status == 200


def test_a_deleted_namespace_takes_its_tokens_and_secrets_with_it(vault_server):
    login = make(vault_server, "doomed")
    root, client = Connection(vault_server), Connection(vault_server, token=None)
    client.token = client.post("/v1/doomed/auth/approle/login", login).json["auth"]["client_token"]
    assert client.get("/v1/doomed/kv/data/a").status == 200
    assert root.delete("/v1/sys/namespaces/doomed").status == 200
    # OpenBao takes its time.
    servers.wait_until(lambda: root.get("/v1/sys/namespaces/doomed").status == 404, "the namespace is gone")
    assert client.get("/v1/auth/token/lookup-self").status == 403
    assert client.get("/v1/doomed/kv/data/a").status == 403
    assert root.get("/v1/kv/data/a", headers={"X-Vault-Namespace": "doomed"}).errors == ["namespace not found"]
    assert make(vault_server, "doomed")["role_id"] != login["role_id"]
    assert client.post("/v1/doomed/auth/approle/login", login).status == 400
    assert client.get("/v1/doomed/kv/data/a").status == 403


@pytest.fixture(scope="module")
def neighbours(vault_server):
    """Three namespaces, the last one inside the first, and the token of one who may do everything in it, for each."""
    tokens = {}
    for path in ["one", "two", "one/in"]:
        login = make(vault_server, path)
        answer = Connection(vault_server, token=None).post(
            "/v1/auth/approle/login", login, headers={"X-Vault-Namespace": path})
        tokens[path] = answer.json["auth"]
    root = Connection(vault_server)
    root.post("/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    root.post("/v1/kv/data/a", {"data": {"key": "of the root"}})
    return vault_server, tokens


def spellings(path):
    """What could lead from some namespace to `path`, by header and by path."""
    up = ["", "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "./", "//", "one/../", "one/..%2f", "one%2f..%2f", "two/", "one/"]
    headers = ["", "/", "root", "one", "two", "one/in", "one/..", "../", "one/../two", "two/", "//two", "one//..//two",
               "%2e%2e", "one%2f..", "one,two", "one two", "one\\..\\two", "one;two", "TWO"]
    for header, prefix in itertools.product(headers, up):
        yield header, f"/v1/{prefix}{path}"


@pytest.mark.parametrize("mine", ["one", "two", "one/in"])
def test_no_spelling_of_a_path_or_header_leads_out_of_a_namespace(neighbours, mine):
    server, tokens = neighbours
    client = Connection(server, tokens[mine]["client_token"])
    allowed = [f"of {path}" for path in tokens if path == mine or path.startswith(mine + "/")]
    seen = set()
    for header, path in itertools.chain(spellings("kv/data/a"), spellings("in/kv/data/a")):
        answer = client.get(path, headers={"X-Vault-Namespace": header})
        assert answer.status in (200, 307, 400, 403, 404), (header, path, answer)
        if answer.status == 200:
            assert answer.data["data"]["key"] in allowed, (header, path)
            seen.add(answer.data["data"]["key"])
    assert seen == set(allowed), "the spellings that should lead somewhere do"


def test_nothing_is_written_outside_a_namespace(neighbours):
    server, tokens = neighbours
    client, root = Connection(server, tokens["one"]["client_token"]), Connection(server)
    for header, path in spellings("kv/data/planted"):
        client.post(path, {"data": {"key": "planted"}}, headers={"X-Vault-Namespace": header})
    for header, path in spellings("sys/policies/acl/planted"):
        client.put(path, {"policy": EVERYTHING}, headers={"X-Vault-Namespace": header})
    assert root.get("/v1/one/kv/data/planted").status == 200
    for path in ["/v1/kv/data/planted", "/v1/two/kv/data/planted", "/v1/sys/policies/acl/planted",
                 "/v1/two/sys/policies/acl/planted"]:
        assert root.get(path).status == 404, path


def test_tokens_of_other_namespaces_cannot_be_looked_at_or_revoked(neighbours):
    server, tokens = neighbours
    client = Connection(server, tokens["one"]["client_token"])
    for other in ["two", "one/in"]:
        body = {"accessor": tokens[other]["accessor"], "paths": ["kv/data/a"]}
        for header in ["", "one", "two"]:
            for call in ["auth/token/lookup-accessor", "auth/token/renew-accessor", "auth/token/revoke-accessor",
                         "sys/capabilities-accessor"]:
                answer = client.post(f"/v1/{call}", body, headers={"X-Vault-Namespace": header})
                assert answer.status != 200 or "No token found" in answer.text, (header, call, answer)
                assert tokens[other]["entity_id"] not in answer.text
    for other in ["two"]:
        body = {"token": tokens[other]["client_token"]}
        for header in ["", "one", "two"]:
            for call in ["lookup", "renew", "revoke", "revoke-orphan"]:
                assert client.post(f"/v1/auth/token/{call}", body, headers={"X-Vault-Namespace": header}).status == 403
    for path in ["two", "one/in"]:
        assert Connection(server, tokens[path]["client_token"]).get("/v1/auth/token/lookup-self").status == 200
    keys = client.list("/v1/auth/token/accessors", headers={"X-Vault-Namespace": "one"}).data["keys"]
    assert all(key.endswith("." + tokens["one"]["accessor"].partition(".")[2]) for key in keys)


def test_a_login_of_one_namespace_is_none_in_another(neighbours):
    server, _ = neighbours
    login = make(server, "mine")
    client = Connection(server, token=None)
    for header in ["one", "two", "one/in"]:
        answer = client.post("/v1/auth/approle/login", login, headers={"X-Vault-Namespace": header})
        assert answer.status == 400 and answer.errors == ["invalid role or secret ID"], header
    assert client.post("/v1/auth/approle/login", login, headers={"X-Vault-Namespace": "mine"}).status == 200
