"""What `kill -9` may take of logins, and what it may not. The token of a login is written a moment after its answer: lost
in between it is refused, and the client logs in again. Whatever else was acknowledged is there."""

from wire import Connection

LOGINS = 200


def approle(client):
    for path, body in [
            ("sys/policies/acl/child", {"policy": 'path "auth/token/create" { capabilities = ["update"] }'}),
            ("sys/auth/approle", {"type": "approle"}),
            ("auth/approle/role/airflow", {"token_policies": "child"}),
            ("auth/approle/role/counted", {"token_policies": "child", "token_num_uses": 50})]:
        assert client.post(f"/v1/{path}", body).status == 204
    return {name: {
        "role_id": client.get(f"/v1/auth/approle/role/{name}/role-id").data["role_id"],
        "secret_id": client.post(f"/v1/auth/approle/role/{name}/secret-id", {}).data["secret_id"],
    } for name in ("airflow", "counted")}


def login(client, credentials, **headers):
    answer = client.post("/v1/auth/approle/login", credentials, token=None, **headers)
    assert answer.status == 200, answer
    return answer.json


def lookup(client, token):
    return client.get("/v1/auth/token/lookup-self", token=token).status


def test_kill_9_takes_no_more_than_the_last_tokens_of_logins(start_airlock):
    server = start_airlock()
    client = Connection(server)
    credentials = approle(client)
    tokens = [login(client, credentials["airflow"])["auth"]["client_token"] for _ in range(LOGINS)]
    parent, revoked, plain = tokens[-3:]
    child = client.post("/v1/auth/token/create", {}, token=parent).json["auth"]["client_token"]
    assert client.post("/v1/auth/token/revoke-self", {}, token=revoked).status == 204
    counted = login(client, credentials["counted"])["auth"]["client_token"]
    wrapping = login(client, credentials["airflow"], headers={"X-Vault-Wrap-TTL": "60"})["wrap_info"]["token"]
    assert lookup(client, plain) == 200
    server.kill()

    server = start_airlock()
    client = Connection(server)
    assert lookup(client, revoked) == 403
    assert lookup(client, parent) == lookup(client, child) == lookup(client, counted) == 200
    inner = client.post("/v1/sys/wrapping/unwrap", {}, token=wrapping).json["auth"]["client_token"]
    assert lookup(client, inner) == 200
    assert {lookup(client, token) for token in tokens} <= {200, 403}
    again = login(client, credentials["airflow"])["auth"]["client_token"]
    assert lookup(client, again) == 200


def test_a_clean_stop_takes_no_token(start_airlock):
    server = start_airlock()
    client = Connection(server)
    credentials = approle(client)
    tokens = [login(client, credentials["airflow"])["auth"]["client_token"] for _ in range(LOGINS)]
    assert server.stop() == 0
    client = Connection(start_airlock())
    assert {lookup(client, token) for token in tokens} == {200}
