"""LiteLLM's `hashicorp_vault` secret manager, replayed from its documentation against both servers (its class is licence-gated): it logs in with
the namespace in a header, and reads and writes with the namespace in the path."""

import pytest

from wire import Connection

POLICY = 'path "secret/*" { capabilities = ["create", "read", "update", "delete"] }'


class LiteLLM:
    """`HCP_VAULT_*`: an AppRole, a namespace, a mount `secret`, a path prefix `litellm`."""

    def __init__(self, server, namespace):
        self.connection = Connection(server, token=None)
        self.namespace = namespace

    def login(self, role_id, secret_id):
        auth = self.connection.post(
            "/v1/auth/approle/login", {"role_id": role_id, "secret_id": secret_id}, headers={"X-Vault-Namespace": self.namespace}).json["auth"]
        self.connection.token = auth["client_token"]
        return auth["lease_duration"]

    def url(self, name):
        return f"/v1/{self.namespace}/secret/data/litellm/{name}"

    def read(self, name):
        answer = self.connection.get(self.url(name))
        return answer.data["data"]["key"] if answer.status == 200 else None

    def write(self, name, value, description=""):
        return self.connection.post(self.url(name), {"data": {"key": value, "description": description}})

    def delete(self, name):
        return self.connection.delete(self.url(name))

    def rotate(self, old, new, value):
        assert self.read(old) is not None
        assert self.write(new, value).status == 200
        assert self.read(new) == value
        return self.delete(old)


@pytest.fixture(scope="module")
def client(vault_server):
    """LiteLLM, logged in to the namespace `team1` by an AppRole of that namespace."""
    root, inside = Connection(vault_server), {"X-Vault-Namespace": "team1"}
    assert root.post("/v1/sys/namespaces/team1", {}).status == 200
    for path, body in {
        "sys/mounts/secret": {"type": "kv-v2"}, "sys/auth/approle": {"type": "approle"}, "sys/policies/acl/litellm": {"policy": POLICY},
        "auth/approle/role/litellm": {"token_policies": "litellm", "token_ttl": "20m"},
    }.items():
        assert root.post(f"/v1/{path}", body, headers=inside).status == 204
    role_id = root.get("/v1/auth/approle/role/litellm/role-id", headers=inside).data["role_id"]
    secret_id = root.post("/v1/auth/approle/role/litellm/secret-id", headers=inside).data["secret_id"]
    client = LiteLLM(vault_server, "team1")
    assert client.login(role_id, secret_id) == 1200
    yield client
    client.connection.close()
    root.close()


def test_a_key_is_written_read_rotated_and_deleted_in_the_namespace_of_the_path(client):
    assert client.read("openai") is None
    assert client.write("openai", "sk-1", "first").status == 200
    assert client.read("openai") == "sk-1"
    assert client.rotate("openai", "openai-2", "sk-2").status == 204
    assert (client.read("openai"), client.read("openai-2")) == (None, "sk-2")
    assert client.delete("openai-2").status == 204 and client.read("openai-2") is None


def test_its_token_is_good_for_nothing_outside_the_namespace(client, vault_server):
    root = Connection(vault_server)
    root.put("/v1/secret/data/litellm/other", {"data": {"key": "of the root"}})
    assert client.connection.get("/v1/secret/data/litellm/other").status == 403
    assert client.connection.get("/v1/team1/secret/data/litellm/other").status == 404
    root.close()
