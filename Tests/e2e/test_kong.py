"""What Kong Gateway's `hcv` vault does, replayed against both servers from its documentation (its code is not public): log in in one of its
ways, read a secret of either KV version, take a field of it. No header but the token, as Kong sends none."""

import pytest

from wire import Connection

MOUNTS = {"v1": "kong-v1", "v2": "kong-v2"}
POLICY = "".join(f'path "{mount}/*" {{ capabilities = ["read"] }}\n' for mount in MOUNTS.values())


def administrator(server):
    """A connection, after it made a secret `customer/acme` in a mount of each KV version and a policy that lets Kong read both."""
    connection = Connection(server)
    for version, mount in MOUNTS.items():
        connection.post(f"/v1/sys/mounts/{mount}", {"type": "kv", "options": {"version": version[1:]}})
    connection.put("/v1/kong-v1/customer/acme", {"name": "ACME Inc.", "token": "dG9rZW4="})
    connection.put("/v1/kong-v2/data/customer/acme", {"data": {"name": "ACME Inc.", "token": "dG9rZW4="}})
    connection.put("/v1/sys/policies/acl/kong", {"policy": POLICY})
    return connection


@pytest.fixture(scope="module")
def connection(vault_server):
    connection = administrator(vault_server)
    yield connection
    connection.close()


class Kong:
    """The vault entity: its login and its answer to `{vault://<prefix>/<path>/<field>}`."""

    def __init__(self, connection, kv="v2", base_path=""):
        self.connection, self.kv, self.base_path = connection, kv, base_path

    def login(self, method, body):
        answer = self.connection.post(f"/v1/auth/{method}/login", body, headers={"Content-Type": "application/json"})
        assert answer.status == 200, answer
        self.connection.token = answer.json["auth"]["client_token"]
        assert answer.json["auth"]["lease_duration"] > 0
        return self

    def secret_id_of(self, wrapping_token):
        """`approle_response_wrapping`: the configured secret id is a wrapping token, unwrapped once."""
        answer = self.connection.send("POST", "/v1/sys/wrapping/unwrap", token=wrapping_token)
        return answer.data["secret_id"] if answer.status == 200 else answer

    def read(self, path):
        below = "data/" if self.kv == "v2" else ""
        return self.connection.get(f"/v1/{MOUNTS[self.kv]}/{below}{self.base_path}{path}")

    def reference(self, text):
        """`{vault://hashicorp-vault/customer/acme/name}`"""
        path, field = text.removeprefix("{vault://").removesuffix("}").split("/", 1)[1].rsplit("/", 1)
        answer = self.read(path)
        assert answer.status == 200, answer
        return (answer.data["data"] if self.kv == "v2" else answer.data)[field]


@pytest.fixture(params=["v1", "v2"])
def kong(request, vault_server, connection):
    kong = Kong(Connection(vault_server, token=None), request.param)
    yield kong
    kong.connection.close()


NAME = "{vault://hashicorp-vault/customer/acme/name}"


def test_a_token_reads_a_field_by_its_reference(kong, connection):
    kong.connection.token = connection.post("/v1/auth/token/create", {"policies": ["kong"], "ttl": "1h"}).json["auth"]["client_token"]
    assert kong.reference(NAME) == "ACME Inc."
    assert kong.reference("{vault://hashicorp-vault/customer/acme/token}") == "dG9rZW4="
    kong.base_path = "customer/"
    assert kong.reference("{vault://hashicorp-vault/acme/name}") == "ACME Inc."


def test_what_is_not_there_is_404_and_what_is_not_allowed_403(kong, connection):
    kong.connection.token = connection.post("/v1/auth/token/create", {"policies": ["kong"], "ttl": "1h"}).json["auth"]["client_token"]
    absent = kong.read("customer/nobody")
    assert (absent.status, absent.errors) == (404, [])
    kong.connection.token = connection.post("/v1/auth/token/create", {"policies": ["default"], "ttl": "1h"}).json["auth"]["client_token"]
    assert kong.read("customer/acme").status == 403
    kong.connection.token = "nonsense"
    assert kong.read("customer/acme").status == 403


@pytest.fixture
def approle(connection):
    """An AppRole on a mount of its own (`approle_auth_path`) and its role id."""
    connection.post("/v1/sys/auth/kong-approle", {"type": "approle"})
    connection.post("/v1/auth/kong-approle/role/kong", {"token_policies": "kong", "token_ttl": "20m", "secret_id_num_uses": 3})
    return connection.get("/v1/auth/kong-approle/role/kong/role-id").data["role_id"]


def test_an_approle_with_its_secret_id_reads(kong, connection, approle):
    secret_id = connection.post("/v1/auth/kong-approle/role/kong/secret-id").data["secret_id"]
    assert kong.login("kong-approle", {"role_id": approle, "secret_id": secret_id}).reference(NAME) == "ACME Inc."
    wrong = kong.connection.post("/v1/auth/kong-approle/login", {"role_id": approle, "secret_id": "wrong"}, token=None)
    assert (wrong.status, wrong.errors) == (400, ["invalid role or secret ID"])


def test_a_wrapped_secret_id_serves_once_and_then_says_that_it_was_had(kong, connection, approle):
    wrapped = connection.send("POST", "/v1/auth/kong-approle/role/kong/secret-id", headers={"X-Vault-Wrap-TTL": "5m"}).json["wrap_info"]
    assert (wrapped["ttl"], wrapped["creation_path"]) == (300, "auth/kong-approle/role/kong/secret-id")
    secret_id = kong.secret_id_of(wrapped["token"])
    assert kong.login("kong-approle", {"role_id": approle, "secret_id": secret_id}).reference(NAME) == "ACME Inc."
    again = kong.secret_id_of(wrapped["token"])
    assert (again.status, again.errors) == (400, ["wrapping token is not valid or does not exist"])
