"""hvac's calls about mounts, auth methods and remounting, against both servers."""

import time
import uuid

import hvac
import pytest
from hvac.exceptions import InvalidRequest

import servers


@pytest.fixture(scope="module")
def client(vault_server):
    return hvac.Client(url=vault_server.url, token=vault_server.token)


@pytest.fixture
def mount(client):
    name = f"mount-{uuid.uuid4().hex[:8]}"
    servers.enable_kv(client, name)
    yield name
    client.sys.disable_secrets_engine(name)


@pytest.fixture
def auth(client):
    name = f"auth-{uuid.uuid4().hex[:8]}"
    client.sys.enable_auth_method("approle", path=name, description="before")
    yield name
    client.sys.disable_auth_method(name)


def test_a_mount_is_tuned_and_reads_back(client, mount):
    client.sys.tune_mount_configuration(mount, default_lease_ttl="1h", max_lease_ttl="24h", description="tuned")
    tuned = client.sys.read_mount_configuration(mount)["data"]
    assert (tuned["default_lease_ttl"], tuned["max_lease_ttl"], tuned["description"]) == (3600, 86400, "tuned")
    with pytest.raises(InvalidRequest):
        client.sys.tune_mount_configuration(mount, default_lease_ttl="48h")
    assert client.sys.read_mount_configuration(mount)["data"]["default_lease_ttl"] == 3600


def test_an_auth_method_is_tuned_and_its_logins_live_as_long(client, auth):
    client.sys.tune_auth_method(auth, default_lease_ttl="2h", description="after")
    tuned = client.sys.read_auth_method_tuning(auth)["data"]
    assert (tuned["default_lease_ttl"], tuned["description"]) == (7200, "after")
    client.auth.approle.create_or_update_approle("airflow", mount_point=auth, token_policies=["default"])
    role_id = client.auth.approle.read_role_id("airflow", mount_point=auth)["data"]["role_id"]
    secret_id = client.auth.approle.generate_secret_id("airflow", mount_point=auth)["data"]["secret_id"]
    login = client.auth.approle.login(role_id, secret_id, mount_point=auth, use_token=False)
    assert login["auth"]["lease_duration"] == 7200


def test_a_mount_moves_with_what_it_holds(client, mount):
    client.secrets.kv.v2.create_or_update_secret("k", secret={"a": 1}, mount_point=mount)
    migration = client.sys.move_backend(mount, f"{mount}-moved")["data"]["migration_id"]
    deadline = time.monotonic() + 10
    while (status := client.read(f"sys/remount/status/{migration}")["data"]["migration_info"]["status"]) == "in-progress":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert status == "success"
    assert client.secrets.kv.v2.read_secret_version("k", mount_point=f"{mount}-moved", raise_on_deleted_version=True)["data"]["data"] == {"a": 1}
    mounts = client.sys.list_mounted_secrets_engines()["data"]
    assert f"{mount}-moved/" in mounts and f"{mount}/" not in mounts
    client.sys.disable_secrets_engine(f"{mount}-moved")
