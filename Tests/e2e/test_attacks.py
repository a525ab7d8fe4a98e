"""What somebody with a little power would try to get more. Both servers must stand firm, each line alike."""

import concurrent.futures
import json
import socket

from wire import Connection


def policy(client, name, rules):
    text = "".join(f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}\n' for path, capabilities in rules.items())
    assert client.put(f"/v1/sys/policies/acl/{name}", {"policy": text}).status == 204


def token(client, *policies, **more):
    answer = client.post("/v1/auth/token/create", {"policies": policies, "ttl": "1h", **more})
    return answer.json["auth"]["client_token"]


def test_who_may_write_roles_cannot_make_a_root_token_of_one(vault_server):
    root = Connection(vault_server)
    root.post("/v1/sys/auth/approle-a", {"type": "approle"})
    policy(root, "roles", {"auth/approle-a/role/*": ["create", "update", "read"]})
    clerk = Connection(vault_server, token(root, "roles"))
    clerk.post("/v1/auth/approle-a/role/evil", {"token_policies": "root", "role_id": "evil"})
    made = clerk.post("/v1/auth/approle-a/role/evil/secret-id")
    if made.status == 200:
        login = clerk.post("/v1/auth/approle-a/login", {"role_id": "evil", "secret_id": made.data["secret_id"]})
        assert (login.status, login.errors) == (400, ["auth methods cannot create root tokens"])


def test_a_slash_at_the_end_is_no_way_round_a_rule(vault_server):
    root = Connection(vault_server)
    policy(root, "admin", {"kept/*": ["read"]})
    policy(root, "clerk", {"sys/policies/acl/*": ["create", "update", "read"], "sys/policies/acl/admin": ["deny"]})
    clerk = Connection(vault_server, token(root, "clerk"))
    assert clerk.post("/v1/sys/policies/acl/admin", {"policy": 'path "*" {}'}).status == 403
    answer = clerk.post("/v1/sys/policies/acl/admin/", {"policy": 'path "*" {}'})
    assert (answer.status, answer.errors) == (400, ["cannot write to a path ending in '/'"])
    assert "kept/*" in root.get("/v1/sys/policies/acl/admin").text


def test_another_spelling_of_a_letter_is_no_way_round_a_rule(vault_server):
    root = Connection(vault_server)
    root.post("/v1/sys/mounts/%E2%84%ABng", {"type": "kv", "options": {"version": "2"}})
    root.post("/v1/%E2%84%ABng/data/x", {"data": {"k": "v"}})
    policy(root, "most", {"*": ["read"], "\u212bng/*": ["deny"]})
    reader = Connection(vault_server, token(root, "most"))
    assert reader.get("/v1/%E2%84%ABng/data/x").status == 403
    assert reader.get("/v1/A%CC%8Ang/data/x").status in (403, 404)
    assert reader.get("/v1/%C3%85ng/data/x").status in (403, 404)


def test_patching_a_member_leaves_one_that_only_looks_alike(vault_server):
    root = Connection(vault_server)
    root.post("/v1/secret/data/alike", '{"data":{"\u00e9":"1"}}')
    merge = {"Content-Type": "application/merge-patch+json"}
    root.patch("/v1/secret/data/alike", '{"data":{"e\u0301":"2"}}', headers=merge)
    assert root.get("/v1/secret/data/alike").data["data"] == {"\u00e9": "1", "e\u0301": "2"}


def test_a_child_token_never_has_more_than_its_parent(vault_server):
    root = Connection(vault_server)
    policy(root, "mk", {"auth/token/create": ["update"]})
    parent = Connection(vault_server, token(root, "mk", no_default_policy=True))
    assert parent.post("/v1/auth/token/create", {}).json["auth"]["policies"] == ["mk"]
    for policies in (["default"], ["root"], ["other"]):
        assert parent.post("/v1/auth/token/create", {"policies": policies}).status == 400
    counted = Connection(vault_server, token(root, "mk", num_uses=3))
    answer = counted.post("/v1/auth/token/create", {})
    assert (answer.status, answer.errors) == (400, ["restricted use token cannot generate child tokens"])


def test_the_child_of_a_dead_token_stays_dead_when_a_token_of_its_name_is_made_again(vault_server):
    root = Connection(vault_server)
    policy(root, "mk", {"auth/token/create": ["update"]})
    token(root, "mk", id="svc-token")
    child = Connection(vault_server, token(Connection(vault_server, "svc-token"), "mk"))
    assert child.get("/v1/auth/token/lookup-self").status == 200
    root.post("/v1/auth/token/revoke", {"token": "svc-token"})
    assert child.get("/v1/auth/token/lookup-self").status == 403
    root.post("/v1/auth/token/create", {"id": "svc-token", "policies": ["mk"]})
    assert child.get("/v1/auth/token/lookup-self").status == 403


def test_the_children_of_an_earlier_root_token_stay_dead_when_it_comes_back(start_airlock):
    server = start_airlock(token="first-root")
    child = token(Connection(server), "default")
    assert server.stop() == 0
    for root, status in [("second-root", 403), ("first-root", 403)]:
        server = start_airlock(token=root)
        assert Connection(server, child).get("/v1/auth/token/lookup-self").status == status
        assert server.stop() == 0


def test_a_root_token_from_the_environment_works_again_after_it_was_revoked(start_airlock):
    server = start_airlock(token="the-root")
    assert Connection(server).post("/v1/auth/token/revoke-self").status == 204
    assert Connection(server).get("/v1/auth/token/lookup-self").status == 403
    assert server.stop() == 0
    server = start_airlock(token="the-root")
    assert Connection(server).get("/v1/auth/token/lookup-self").status == 200


def test_no_login_survives_the_end_of_its_auth_method(airlock):
    root = Connection(airlock)
    for _ in range(5):
        root.post("/v1/sys/auth/race", {"type": "approle"})
        root.post("/v1/auth/race/role/r", {"role_id": "r", "token_ttl": "1h"})
        body = {"role_id": "r", "secret_id": root.post("/v1/auth/race/role/r/secret-id").data["secret_id"]}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            logins = [pool.submit(lambda: Connection(airlock, None).post("/v1/auth/race/login", body)) for _ in range(40)]
            root.delete("/v1/sys/auth/race")
        answers = [login.result() for login in logins]
        issued = [answer.json["auth"]["client_token"] for answer in answers if answer.status == 200]
        assert [Connection(airlock, one).get("/v1/auth/token/lookup-self").status for one in issued] == [403] * len(issued)


def test_absurd_numbers_and_sizes_are_answered_and_leave_the_server_well(airlock):
    root = Connection(airlock)
    root.post("/v1/secret/data/o", {"data": {"a": {"b": {"c": 1}}}})
    for depth in (-(2**63), 2**63 - 1, -1, 0, 1):
        assert root.get(f"/v1/secret/subkeys/o?depth={depth}").status == 200
    assert Connection(airlock, None).get("/v1/" + "a/" * 32000).status == 400
    paths = [f"secret/data/{number}" for number in range(1001)]
    assert root.post("/v1/sys/capabilities-self", {"paths": paths}).status == 400
    assert Connection(airlock, None).post("/v1/secret/data/x", '{"a":[' + "1," * 1_000_000 + "1]}").status == 403
    assert root.post("/v1/secret/data/x", '{"data":{"a":[' + "1," * 1_000_000 + "1]}}").status == 400
    assert root.get("/v1/sys/health").status == 200


def test_many_members_are_patched_in_reasonable_time(airlock):
    root = Connection(airlock, timeout=10)
    many = {f"k{number}": number for number in range(20_000)}
    assert root.post("/v1/secret/data/many", {"data": many}).status == 200
    merge = {"Content-Type": "application/merge-patch+json"}
    assert root.patch("/v1/secret/data/many", {"data": {name: 0 for name in many}}, headers=merge).status == 200


def test_the_answer_to_head_has_no_body_so_that_the_next_answer_is_read_right(airlock):
    with socket.create_connection(airlock.host_and_port, timeout=10) as raw:
        raw.sendall(b"HEAD /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: raw.recv(65536), b""))
    first, rest = received.split(b"\r\n\r\n", 1)
    assert first.startswith(b"HTTP/1.1 200") and rest.startswith(b"HTTP/1.1 403")


def test_of_many_who_create_the_same_connection_on_a_version_1_mount_one_succeeds(airlock):
    root = Connection(airlock)
    root.post("/v1/sys/mounts/typed1", {"type": "kv", "options": {"version": "1"}})
    body = {"connection_id": "pg", "conn_type": "postgres"}

    def create(number):
        return Connection(airlock).post("/api/v2/connections?mount_point=typed1", body | {"host": f"h{number}"}).status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [201] + [409] * 7

    def change(field):
        return Connection(airlock).patch("/api/v2/connections/pg?mount_point=typed1", {field: "new"}).status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(change, ["host", "login", "schema", "description"])) == [200] * 4
    read = root.get("/api/v2/connections/pg?mount_point=typed1").json
    assert [read[field] for field in ["host", "login", "schema", "description"]] == ["new"] * 4


def test_a_damaged_row_fails_its_own_read_and_no_other(start_airlock):
    import sqlite3

    server = start_airlock()
    for name in "ab":
        Connection(server).post(f"/v1/secret/data/{name}", {"data": {"k": name}})
    assert server.stop() == 0
    database = sqlite3.connect(server.data / "store.db")
    database.execute("PRAGMA writable_schema = ON")
    database.execute("UPDATE sqlite_schema SET sql = replace(replace(sql, 'STRICT,', ''), 'term    INTEGER NOT NULL', 'term INTEGER')")
    database.commit()
    database.close()
    database = sqlite3.connect(server.data / "store.db")
    database.execute("UPDATE record SET term = NULL WHERE kind = 'kv_metadata' AND name = 'a'")
    database.commit()
    database.close()
    server = start_airlock()
    assert Connection(server).get("/v1/secret/data/a").status == 500
    assert Connection(server).get("/v1/secret/data/b").data["data"] == {"k": "b"}


def test_a_client_that_stalls_does_not_keep_the_server_from_stopping(start_airlock):
    server = start_airlock()
    with socket.create_connection(server.host_and_port, timeout=60) as raw:
        head = f"POST /v1/secret/data/x HTTP/1.1\r\nHost: a\r\nX-Vault-Token: {server.token}\r\nContent-Length: 100\r\n\r\nx"
        raw.sendall(head.encode())
        assert Connection(server).get("/v1/sys/health").status == 200
        assert server.stop(seconds=45) == 0
