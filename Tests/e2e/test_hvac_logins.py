"""hvac's userpass, token and AppRole calls against both servers; and what Airlock alone promises about locked accounts."""

import http.client
import json

import hvac
import pytest
from hvac.exceptions import Forbidden, InternalServerError, InvalidPath, InvalidRequest

from hvac_client import new_name, refused

READER = 'path "secret/data/*" { capabilities = ["read"] }\n'


@pytest.fixture(scope="module")
def client(vault_server):
    client = hvac.Client(url=vault_server.url, token=vault_server.token)
    client.sys.create_or_update_policy("logins-reader", READER)
    return client


@pytest.fixture(scope="module")
def userpass(client):
    client.sys.enable_auth_method("userpass", path="people")
    yield client.auth.userpass
    client.sys.disable_auth_method("people")


def other(client, token=None):
    return hvac.Client(url=client.url, token=token)


def test_a_user_logs_in_reads_what_the_policy_allows_and_renews(client, userpass):
    name = new_name("alice")
    answer = userpass.create_or_update_user(name, "right", "logins-reader", mount_point="people", token_ttl="20m")
    assert answer.status_code == 204
    client.secrets.kv.v2.create_or_update_secret("app", {"k": "v"})

    alice = other(client)
    auth = alice.auth.userpass.login(name.upper(), "right", mount_point="people")["auth"]
    assert auth["policies"] == ["default", "logins-reader"] and auth["metadata"] == {"username": name}
    assert (auth["lease_duration"], auth["orphan"], auth["renewable"]) == (1200, True, True)
    assert alice.secrets.kv.v2.read_secret_version("app", raise_on_deleted_version=True)["data"]["data"] == {"k": "v"}
    with pytest.raises(Forbidden):
        alice.secrets.kv.v2.create_or_update_secret("app", {"k": "w"})
    assert alice.lookup_token()["data"]["display_name"] == f"people-{name}"
    assert alice.auth.token.renew_self()["auth"]["lease_duration"] == 1200
    alice.auth.token.revoke_self()
    with refused(Forbidden, "permission denied"):
        alice.lookup_token()


def test_users_are_listed_read_changed_and_deleted(client, userpass):
    name = new_name("bob")
    userpass.create_or_update_user(name, "first", ["a", "b"], mount_point="people")
    assert name in userpass.list_user(mount_point="people")["data"]["keys"]
    read = userpass.read_user(name, mount_point="people")["data"]
    assert read["policies"] == read["token_policies"] == ["a", "b"] and "password" not in json.dumps(read)
    assert userpass.update_password_on_user(name, "second", mount_point="people").status_code == 204
    with refused(InvalidRequest, "invalid username or password"):
        other(client).auth.userpass.login(name, "first", mount_point="people")
    other(client).auth.userpass.login(name, "second", mount_point="people")
    assert userpass.delete_user(name, mount_point="people").status_code == 204
    with refused(InvalidPath):
        userpass.read_user(name, mount_point="people")
    with refused(InvalidRequest, "invalid username or password"):
        other(client).auth.userpass.login(name, "second", mount_point="people")
    with refused(InternalServerError, "missing password"):
        other(client).auth.userpass.login(name, "", mount_point="people")


def test_a_token_role_makes_tokens_and_deletes(client):
    role = new_name("role")
    client.auth.token.create_or_update_role(role, allowed_policies=["logins-reader"], orphan=True, token_period="1h")
    assert role in client.auth.token.list_roles()["data"]["keys"]
    read = client.auth.token.read_role(role)["data"]
    assert (read["name"], read["orphan"], read["token_period"]) == (role, True, 3600)
    auth = client.auth.token.create(role_name=role)["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["orphan"]) == (["default", "logins-reader"], 3600, True)
    made = other(client, auth["client_token"])
    assert made.lookup_token()["data"]["role"] == role
    assert made.auth.token.renew_self(increment="5m")["auth"]["lease_duration"] == 3600
    with pytest.raises(InvalidRequest, match="must be subset of the role's allowed policies"):
        client.auth.token.create(role_name=role, policies=["other"])
    assert client.auth.token.delete_role(role).status_code == 204
    with refused(InvalidRequest, f"unknown role {role}"):
        client.auth.token.create(role_name=role)


def test_a_revoked_parent_leaves_its_children_as_orphans_where_that_is_asked_for(client):
    parent = client.auth.token.create(policies=["default", "root"])["auth"]["client_token"]
    child = other(client, parent).auth.token.create(policies=["default"], ttl="1h")["auth"]["client_token"]
    client.auth.token.revoke_and_orphan_children(parent)
    assert other(client, child).lookup_token()["data"]["orphan"] is True
    with refused(Forbidden, "permission denied"):
        other(client, parent).lookup_token()


def test_every_field_of_an_approle_reads_back(client):
    mount = new_name("approle")
    client.sys.enable_auth_method("approle", path=mount)
    approle = client.auth.approle
    settings = {
        "secret_id_bound_cidrs": ["127.0.0.0/8"], "secret_id_num_uses": 4, "secret_id_ttl": 600, "token_ttl": 60,
        "token_max_ttl": 120, "token_policies": ["logins-reader"], "token_bound_cidrs": ["127.0.0.1"],
        "token_explicit_max_ttl": 300, "token_no_default_policy": True, "token_num_uses": 5, "token_period": 90,
        "token_type": "service",
    }
    approle.create_or_update_approle("r", enable_local_secret_ids=True, mount_point=mount, **settings)
    read = approle.read_role("r", mount_point=mount)["data"]
    assert {name: read[name] for name in settings} == settings
    secret = approle.generate_secret_id(
        "r", metadata={"env": "test"}, cidr_list=["127.0.0.1/32"], token_bound_cidrs=["127.0.0.1/32"],
        mount_point=mount)["data"]
    looked_up = approle.read_secret_id_accessor("r", secret["secret_id_accessor"], mount_point=mount)["data"]
    assert (looked_up["cidr_list"], looked_up["metadata"]) == (["127.0.0.1/32"], {"env": "test"})
    role_id = approle.read_role_id("r", mount_point=mount)["data"]["role_id"]
    auth = other(client).auth.approle.login(role_id, secret["secret_id"], mount_point=mount)["auth"]
    assert (auth["policies"], auth["num_uses"], auth["lease_duration"]) == (["logins-reader"], 5, 90)
    assert auth["metadata"] == {"env": "test", "role_name": "r"}
    approle.destroy_secret_id_accessor("r", secret["secret_id_accessor"], mount_point=mount)
    with refused(InvalidRequest, "invalid role or secret ID"):
        other(client).auth.approle.login(role_id, secret["secret_id"], mount_point=mount)
    client.sys.disable_auth_method(mount)


def test_wrong_passwords_from_one_address_do_not_lock_out_another(airlock):
    """OpenBao counts by account alone: there, a stranger who knows Airflow's user name keeps Airflow out."""
    root = hvac.Client(url=airlock.url, token=airlock.token)
    root.sys.enable_auth_method("userpass")
    root.write_data("sys/auth/userpass/tune", data={"user_lockout_config": {"lockout_threshold": "2"}})
    root.auth.userpass.create_or_update_user("airflow", "right")

    def login(password, source):
        connection = http.client.HTTPConnection(*airlock.host_and_port, timeout=30, source_address=(source, 0))
        connection.request("POST", "/v1/auth/userpass/login/airflow", json.dumps({"password": password}))
        status = connection.getresponse().status
        connection.close()
        return status

    assert [login("wrong", "127.0.0.2") for _ in range(3)] == [400, 400, 403]
    assert login("right", "127.0.0.2") == 403
    assert login("right", "127.0.0.1") == 200
    locked = root.read("sys/locked-users")["data"]["by_namespace"][0]["mount_accessors"]
    assert [mount["alias_identifiers"] for mount in locked] == [["airflow"]]
    root.write_data(f"sys/locked-users/{locked[0]['mount_accessor']}/unlock/airflow")
    assert login("right", "127.0.0.2") == 200
