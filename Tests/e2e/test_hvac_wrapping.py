"""hvac's response wrapping against both servers."""

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidRequest

GONE = "wrapping token is not valid or does not exist"


@pytest.fixture(scope="module")
def client(vault_server):
    client = hvac.Client(url=vault_server.url, token=vault_server.token)
    client.secrets.kv.v2.create_or_update_secret("wrapped", secret={"k": "v"})
    client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("airflow", token_policies=["default"], token_ttl="20m")
    return client


@pytest.fixture
def stranger(vault_server):
    """A client without a token of its own."""
    client = hvac.Client(url=vault_server.url)
    client.token = None
    return client


def test_a_wrapped_secret_id_is_unwrapped_once_and_logs_in(client, stranger):
    wrapped = client.auth.approle.generate_secret_id("airflow", wrap_ttl="2m")
    assert wrapped["data"] is None and wrapped["auth"] is None
    info = wrapped["wrap_info"]
    assert (info["ttl"], info["creation_path"]) == (120, "auth/approle/role/airflow/secret-id")
    stranger.token = info["token"]
    secret = stranger.sys.unwrap()["data"]
    assert secret["secret_id_accessor"] == info["wrapped_accessor"]
    role_id = client.auth.approle.read_role_id("airflow")["data"]["role_id"]
    assert stranger.auth.approle.login(role_id, secret["secret_id"], use_token=False)["auth"]["policies"] == ["default"]
    with pytest.raises(InvalidRequest) as raised:
        client.sys.unwrap(info["token"])
    assert raised.value.errors == [GONE]
    with pytest.raises((Forbidden, InvalidRequest)):
        stranger.sys.unwrap()


def test_a_wrapped_token_comes_out_as_it_was_created(client):
    wrapped = client.auth.token.create(policies=["default"], ttl="1h", wrap_ttl="60s")["wrap_info"]
    looked_up = client.auth.token.lookup_accessor(wrapped["wrapped_accessor"])["data"]
    assert looked_up["policies"] == ["default"]
    auth = client.sys.unwrap(wrapped["token"])["auth"]
    assert (auth["accessor"], auth["lease_duration"]) == (wrapped["wrapped_accessor"], 3600)
    assert hvac.Client(url=client.url, token=auth["client_token"]).is_authenticated()


def test_anything_can_be_wrapped_and_looked_up_before_it_is_had(client):
    wrapped = client.sys.wrap({"k": "v", "n": {"a": [1]}}, ttl=90)["wrap_info"]
    looked_up = client.write("sys/wrapping/lookup", token=wrapped["token"])["data"]
    assert (looked_up["creation_path"], looked_up["creation_ttl"]) == ("sys/wrapping/wrap", 90)
    assert client.sys.unwrap(wrapped["token"])["data"] == {"k": "v", "n": {"a": [1]}}


def test_a_wrapping_token_opens_nothing_else_and_is_used_up_by_trying(client):
    wrapped = client.sys.wrap({"k": "v"}, ttl=90)["wrap_info"]
    with pytest.raises(Forbidden):
        hvac.Client(url=client.url, token=wrapped["token"]).secrets.kv.v2.read_secret_version("wrapped", raise_on_deleted_version=True)
    with pytest.raises(InvalidRequest) as raised:
        client.sys.unwrap(wrapped["token"])
    assert raised.value.errors == [GONE]


def test_a_revoked_wrapping_token_cannot_be_unwrapped(client):
    wrapped = client.sys.wrap({"k": "v"}, ttl=90)["wrap_info"]
    client.auth.token.revoke_accessor(wrapped["accessor"])
    with pytest.raises(InvalidRequest) as raised:
        client.sys.unwrap(wrapped["token"])
    assert raised.value.errors == [GONE]
