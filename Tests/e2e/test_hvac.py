"""hvac, the library under Airflow's VaultBackend, against both servers: logins, policies, tokens; values and exceptions, exactly."""

import json
import uuid

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

from hvac_client import Mounted, client, new_name, refused, v2  # fixtures among them

READER = 'path "{mount}/data/*" {{ capabilities = ["read"] }}\npath "{mount}/metadata/*" {{ capabilities = ["list"] }}\n'


# AppRole


@pytest.fixture
def approle(client, v2):
    """An auth mount of its own with a role that may read `v2.mount`."""
    mount, policy = new_name("approle"), new_name("policy")
    client.sys.enable_auth_method("approle", path=mount)
    client.sys.create_or_update_policy(policy, READER.format(mount=v2.mount))
    approle = Mounted(client.auth.approle, mount)
    approle.policy = policy
    approle.create_or_update_approle("airflow", token_policies=[policy], token_ttl="20m", token_max_ttl="1h")
    yield approle
    client.sys.disable_auth_method(mount)


def login(client, approle, role_id, secret_id):
    """A client of its own: hvac keeps the new token and leaves ours alone."""
    other = hvac.Client(url=client.url)
    return other, other.auth.approle.login(role_id, secret_id, mount_point=approle.mount)


def test_an_auth_method_is_enabled_listed_and_disabled(client):
    name = new_name("auth")
    assert client.sys.enable_auth_method("approle", path=name).status_code == 204
    listed = client.sys.list_auth_methods()
    assert listed[f"{name}/"]["type"] == listed["data"][f"{name}/"]["type"] == "approle"
    assert listed["data"]["token/"]["description"] == "token based credentials"
    assert client.sys.disable_auth_method(name).status_code == 204
    assert f"{name}/" not in client.sys.list_auth_methods()["data"]


def test_a_role_reads_back_as_it_was_written(approle):
    role = approle.read_role("airflow")["data"]
    assert {name: role[name] for name in [
        "token_policies", "token_ttl", "token_max_ttl", "token_num_uses", "secret_id_ttl", "secret_id_num_uses",
        "bind_secret_id", "token_type", "local_secret_ids"]
    } == {"token_policies": [approle.policy], "token_ttl": 1200, "token_max_ttl": 3600, "token_num_uses": 0,
          "secret_id_ttl": 0, "secret_id_num_uses": 0, "bind_secret_id": True, "token_type": "default",
          "local_secret_ids": False}
    assert approle.list_roles()["data"] == {"keys": ["airflow"]}
    assert approle.update_role_id("airflow", "airflow-role-id").status_code == 204
    assert approle.read_role_id("airflow")["data"] == {"role_id": "airflow-role-id"}
    assert approle.delete_role("airflow").status_code == 204
    with refused(InvalidPath):
        approle.read_role("airflow")


def test_a_login_by_role_id_and_secret_id_reads_what_its_policy_allows_and_no_more(client, approle, v2):
    v2.create_or_update_secret("connections/pg", secret={"conn_uri": "postgres://h"})
    role_id = approle.read_role_id("airflow")["data"]["role_id"]
    secret = approle.generate_secret_id("airflow", metadata={"env": "test"})["data"]
    assert (secret["secret_id_num_uses"], secret["secret_id_ttl"]) == (0, 0)

    airflow, answer = login(client, approle, role_id, secret["secret_id"])
    auth = answer["auth"]
    assert auth["policies"] == auth["token_policies"] == sorted(["default", approle.policy])
    assert (auth["lease_duration"], auth["renewable"], auth["orphan"], auth["token_type"], auth["num_uses"]) == (
        1200, True, True, "service", 0)
    assert auth["metadata"] == {"env": "test", "role_name": "airflow"}
    assert airflow.is_authenticated()

    kv = Mounted(airflow.secrets.kv.v2, v2.mount)
    assert kv.read_secret_version("connections/pg", raise_on_deleted_version=True)["data"]["data"] == {"conn_uri": "postgres://h"}
    assert kv.list_secrets("connections")["data"] == {"keys": ["pg"]}
    with refused(Forbidden, "1 error occurred:\n\t* permission denied\n\n"):
        kv.create_or_update_secret("connections/pg", secret={"conn_uri": "mysql://h"})


def test_a_secret_id_is_looked_up_and_destroyed_and_then_useless(client, approle):
    role_id = approle.read_role_id("airflow")["data"]["role_id"]
    secret = approle.generate_secret_id("airflow")["data"]
    looked_up = approle.read_secret_id("airflow", secret["secret_id"])["data"]
    assert looked_up["secret_id_accessor"] == secret["secret_id_accessor"]
    assert approle.list_secret_id_accessors("airflow")["data"] == {"keys": [secret["secret_id_accessor"]]}
    assert approle.read_secret_id_accessor("airflow", secret["secret_id_accessor"])["data"]["secret_id_num_uses"] == 0
    assert approle.destroy_secret_id("airflow", secret["secret_id"]).status_code == 204
    assert approle.read_secret_id("airflow", secret["secret_id"]).status_code == 204
    with refused(InvalidRequest, "invalid role or secret ID"):
        login(client, approle, role_id, secret["secret_id"])


def test_a_secret_id_with_one_use_serves_one_login(client, approle):
    approle.create_or_update_approle("once", token_policies=[approle.policy], secret_id_num_uses=1)
    role_id = approle.read_role_id("once")["data"]["role_id"]
    secret_id = approle.generate_secret_id("once")["data"]["secret_id"]
    login(client, approle, role_id, secret_id)
    with refused(InvalidRequest, "invalid role or secret ID"):
        login(client, approle, role_id, secret_id)


def test_a_custom_secret_id_is_taken_as_it_is(client, approle):
    role_id = approle.read_role_id("airflow")["data"]["role_id"]
    assert approle.create_custom_secret_id("airflow", "my-own-secret-id")["data"]["secret_id"] == "my-own-secret-id"
    _, answer = login(client, approle, role_id, "my-own-secret-id")
    assert answer["auth"]["policies"] == sorted(["default", approle.policy])


def test_a_wrong_role_id_and_a_wrong_secret_id_are_refused_alike(client, approle):
    role_id = approle.read_role_id("airflow")["data"]["role_id"]
    secret_id = approle.generate_secret_id("airflow")["data"]["secret_id"]
    for wrong in [(role_id, str(uuid.uuid4())), (str(uuid.uuid4()), secret_id)]:
        with refused(InvalidRequest, "invalid role or secret ID"):
            login(client, approle, *wrong)


def test_disabling_the_auth_method_ends_the_tokens_that_it_issued(client, approle):
    role_id = approle.read_role_id("airflow")["data"]["role_id"]
    airflow, _ = login(client, approle, role_id, approle.generate_secret_id("airflow")["data"]["secret_id"])
    assert airflow.is_authenticated()
    client.sys.disable_auth_method(approle.mount)
    assert not airflow.is_authenticated()


# Policies


@pytest.mark.parametrize("text", [
    'path "a/*" {\n  capabilities = ["read", "list"] # as written, comment included\n}\n',
    json.dumps({"path": {"a/*": {"capabilities": ["read", "list"]}}}),
], ids=["hcl", "json"])
def test_a_policy_is_returned_byte_for_byte_and_acts(client, text):
    name = new_name("policy")
    assert client.sys.create_or_update_policy(name, text, pretty_print=False).status_code == 204
    assert client.sys.read_policy(name)["rules"] == client.sys.read_policy(name)["data"]["rules"] == text
    assert client.sys.read_acl_policy(name)["data"]["policy"] == text
    token = client.auth.token.create(policies=[name])["auth"]["client_token"]
    assert client.sys.get_capabilities(["a/b", "b"], token=token)["data"] == {"a/b": ["list", "read"], "b": ["deny"]}
    client.sys.delete_policy(name)
    assert client.sys.get_capabilities(["a/b"], token=token)["data"]["a/b"] == ["deny"]
    with refused(InvalidPath):
        client.sys.read_policy(name)


def test_both_policy_endpoints_show_the_same_policies(client):
    name = new_name("policy")
    client.sys.create_or_update_acl_policy(name, 'path "b" { capabilities = ["read"] }')
    old, new = client.sys.list_policies(), client.sys.list_acl_policies()["data"]["keys"]
    assert sorted(old["policies"]) == sorted(old["keys"]) == sorted(old["data"]["policies"]) == sorted(new)
    assert {name, "default", "root"} <= set(new)
    assert client.sys.delete_acl_policy(name).status_code == 204
    assert name not in client.sys.list_policies()["data"]["policies"]


def test_a_policy_that_cannot_be_read_is_refused_and_nothing_changes(client):
    name = new_name("policy")
    client.sys.create_or_update_policy(name, 'path "b" { capabilities = ["read"] }')
    with pytest.raises(InvalidRequest, match="failed to parse policy"):
        client.sys.create_or_update_policy(name, 'path "b" { capabilities = ["fly"] }')
    assert client.sys.read_policy(name)["data"]["rules"] == 'path "b" { capabilities = ["read"] }'


# Tokens


def test_a_token_says_about_itself_what_it_was_created_with(client):
    created = client.auth.token.create(policies=["one"], ttl="1h", meta={"team": "data"}, display_name="ci", num_uses=0)["auth"]
    assert created["policies"] == created["token_policies"] == ["default", "one"]
    assert (created["lease_duration"], created["renewable"], created["metadata"]) == (3600, True, {"team": "data"})
    by_root = client.auth.token.lookup(created["client_token"])["data"]
    by_itself = hvac.Client(url=client.url, token=created["client_token"]).auth.token.lookup_self()["data"]
    for looked_up in [by_root, by_itself]:
        assert {name: looked_up[name] for name in [
            "id", "accessor", "policies", "meta", "display_name", "creation_ttl", "explicit_max_ttl", "num_uses",
            "orphan", "path", "renewable", "type"]
        } == {"id": created["client_token"], "accessor": created["accessor"], "policies": ["default", "one"],
              "meta": {"team": "data"}, "display_name": "token-ci", "creation_ttl": 3600, "explicit_max_ttl": 0,
              "num_uses": 0, "orphan": False, "path": "auth/token/create", "renewable": True, "type": "service"}
        assert 3590 <= looked_up["ttl"] <= 3600


def test_a_token_is_renewed_by_itself_and_by_its_accessor(client):
    created = client.auth.token.create(policies=["one"], ttl="1h")["auth"]
    itself = hvac.Client(url=client.url, token=created["client_token"])
    assert itself.auth.token.renew_self(increment="90s")["auth"]["lease_duration"] == 90
    assert client.auth.token.renew(created["client_token"])["auth"]["lease_duration"] == 90  # as renewed last
    by_accessor = client.auth.token.renew_accessor(created["accessor"], increment="30m")["auth"]
    assert (by_accessor["client_token"], by_accessor["lease_duration"]) == ("", 1800)
    assert itself.auth.token.lookup_self()["data"]["creation_ttl"] == 3600
    with refused(InvalidRequest, "lease is not renewable"):
        client.auth.token.renew_self()


def test_a_token_is_known_by_its_accessor_which_never_tells_the_token(client):
    created = client.auth.token.create(policies=["one"])["auth"]
    looked_up = client.auth.token.lookup_accessor(created["accessor"])["data"]
    assert (looked_up["id"], looked_up["accessor"], looked_up["policies"]) == ("", created["accessor"], ["default", "one"])
    assert created["accessor"] in client.auth.token.list_accessors()["data"]["keys"]
    assert client.auth.token.revoke_accessor(created["accessor"]).status_code == 204
    with refused(InvalidRequest, "1 error occurred:\n\t* invalid accessor\n\n"):
        client.auth.token.lookup_accessor(created["accessor"])


@pytest.mark.parametrize("how", ["by root", "by itself", "with its parent"])
def test_a_revoked_token_is_refused_at_once(client, how):
    parent = client.auth.token.create(policies=["root"])["auth"]["client_token"]
    parent_client = hvac.Client(url=client.url, token=parent)
    token = parent_client.auth.token.create(policies=["one"])["auth"]["client_token"]
    itself = hvac.Client(url=client.url, token=token)
    assert itself.is_authenticated()
    {"by root": lambda: client.auth.token.revoke(token),
     "by itself": itself.auth.token.revoke_self,
     "with its parent": parent_client.auth.token.revoke_self}[how]()
    assert not itself.is_authenticated()
    with refused(Forbidden, "bad token"):
        client.auth.token.lookup(token)


def test_an_orphan_survives_the_token_that_made_it(client):
    parent = hvac.Client(url=client.url, token=client.auth.token.create(policies=["root"])["auth"]["client_token"])
    orphan = hvac.Client(url=client.url, token=parent.auth.token.create_orphan(policies=["one"])["auth"]["client_token"])
    parent.auth.token.revoke_self()
    assert orphan.auth.token.lookup_self()["data"]["orphan"] is True


def test_a_token_with_two_uses_serves_two_requests(client):
    token = client.auth.token.create(policies=["one"], num_uses=2)["auth"]["client_token"]
    itself = hvac.Client(url=client.url, token=token)
    assert itself.auth.token.lookup_self()["data"]["num_uses"] == 1
    assert itself.auth.token.lookup_self()["data"]["num_uses"] == -1
    with refused(Forbidden, "permission denied"):
        itself.auth.token.lookup_self()


def test_a_periodic_token_and_a_capped_one_live_as_long_as_they_say(client):
    periodic = client.auth.token.create(policies=["one"], period="10m")["auth"]
    assert (periodic["lease_duration"], periodic["renewable"]) == (600, True)
    assert client.auth.token.renew(periodic["client_token"], increment="5h")["auth"]["lease_duration"] == 600
    capped = client.auth.token.create(policies=["one"], ttl="5h", explicit_max_ttl="2h")["auth"]
    assert capped["lease_duration"] == 7200


def test_capabilities_are_told_for_the_caller_for_a_token_and_for_an_accessor(client):
    name = new_name("policy")
    client.sys.create_or_update_policy(name, 'path "x/*" { capabilities = ["update", "create"] }\npath "x/no" { capabilities = ["deny"] }')
    created = client.auth.token.create(policies=[name])["auth"]
    expected = {"x/a": ["create", "update"], "x/no": ["deny"], "y": ["deny"]}
    itself = hvac.Client(url=client.url, token=created["client_token"])
    assert itself.sys.get_capabilities(list(expected))["data"] == expected
    assert client.sys.get_capabilities(list(expected), token=created["client_token"])["data"] == expected
    assert client.sys.get_capabilities(list(expected), accessor=created["accessor"])["data"] == expected
    assert client.sys.get_capabilities(["x/a"])["data"] == {"capabilities": ["root"], "x/a": ["root"]}


def test_no_token_and_a_wrong_token_are_forbidden_and_not_unauthenticated_errors(vault_server):
    for token in [None, "nonsense", "s.000000000000000000000000"]:
        client = hvac.Client(url=vault_server.url, token=token)
        client.token = token  # hvac otherwise takes one from the environment or the home folder
        assert client.is_authenticated() is False
        with refused(Forbidden, "permission denied"):
            client.secrets.kv.v2.read_secret_version("x", raise_on_deleted_version=True)


# The server itself


def test_the_server_is_healthy_initialized_and_unsealed(client):
    health = client.sys.read_health_status(method="GET")
    assert (health["initialized"], health["sealed"], health["standby"]) == (True, False, False)
    assert client.sys.read_health_status().status_code == 200  # HEAD
    assert client.sys.is_initialized() is True
    assert client.sys.is_sealed() is False
    assert client.sys.read_leader_status()["ha_enabled"] is False
