"""What is acknowledged counts for the next login and read on every connection, while many others log in and read: nothing that
they keep in memory may be from before."""

import contextlib
import json
import threading

from test_hits import Raw
from wire import Connection

from front import done

POLICY = 'path "secret/data/raced/*" { capabilities = ["%s"] }'
SECRET = "/v1/secret/data/raced/a"


def login(connection, mount, secret_id="secret"):
    body = json.dumps({"role_id": "raced", "secret_id": secret_id}).encode()
    connection.send(b"POST /v1/auth/%s/login HTTP/1.1\r\nHost: airlock\r\nContent-Length: %d\r\n\r\n%s" % (
        mount.encode(), len(body), body))
    head, body = connection.answer().split(b"\r\n\r\n", 1)
    return json.loads(body)["auth"] if b" 200 " in head.split(b"\r\n")[0] else None


def read(connection, token):
    return int(connection.ask(SECRET, token).split(b" ")[1])


@contextlib.contextmanager
def crowd(airlock, mount, size=3):
    """Others, who log in and read all the time."""
    is_done, seen, failed = threading.Event(), [], []

    def work():
        try:
            connection, known = Raw(airlock), None
            while not is_done.is_set():
                auth = login(connection, mount)
                known = auth or known
                if known:
                    seen.append(known)
                    read(connection, known["client_token"])
        except Exception as error:  # told by the test
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(size)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        is_done.set()
        for thread in threads:
            thread.join(30)
    assert not failed and seen


def prepare(airlock, mount):
    root = Connection(airlock)
    done(root.post(SECRET, {"data": {"a": "b"}}))
    done(root.put("/v1/sys/policies/acl/raced", {"policy": POLICY % "read"}))
    done(root.post(f"/v1/sys/auth/{mount}", {"type": "approle"}))
    # The crowd's logins fail while there is no secret id.
    done(root.post(f"/v1/sys/auth/{mount}/tune", {"user_lockout_config": {"lockout_disable": True}}))
    role = f"/v1/auth/{mount}/role/raced"
    done(root.post(role, {"role_id": "raced", "token_policies": "raced"}))
    done(root.post(f"{role}/custom-secret-id", {"secret_id": "secret"}))
    return root, role, Raw(airlock)


def test_a_changed_right_counts_at_once_for_tokens_old_and_new(airlock):
    root, role, connection = prepare(airlock, "raced-rights")
    with crowd(airlock, "raced-rights"):
        old = login(connection, "raced-rights")["client_token"]
        for number in range(30):
            is_allowed = number % 2 == 1
            done(root.put("/v1/sys/policies/acl/raced", {"policy": POLICY % ("read" if is_allowed else "deny")}))
            wanted = 200 if is_allowed else 403
            new = login(connection, "raced-rights")["client_token"]
            assert {read(connection, token) for token in (old, new, old, new)} == {wanted}
        for number in range(30):
            name = "default" if number % 2 == 0 else "raced"
            done(root.post(role, {"token_policies": name}))
            auth = login(connection, "raced-rights")
            assert auth["policies"] == sorted({"default", name})
            assert read(connection, auth["client_token"]) == (200 if name == "raced" else 403)


def test_a_revoked_token_is_dead_at_once_and_its_renewal_is_seen(airlock):
    root, role, connection = prepare(airlock, "raced-tokens")
    with crowd(airlock, "raced-tokens"):
        for number in range(40):
            auth = login(connection, "raced-tokens")
            token, accessor = auth["client_token"], auth["accessor"]
            if number % 4 == 1:
                assert read(connection, token) == 200
            if number % 4 == 2:
                renewed = done(root.post("/v1/auth/token/renew-accessor", {"accessor": accessor, "increment": 77}))
                assert renewed.json["auth"]["lease_duration"] == 77
                assert done(root.post("/v1/auth/token/lookup-accessor", {"accessor": accessor})).data["ttl"] <= 77
            if number % 4 == 3:
                child = done(root.post("/v1/auth/token/create-orphan", {"policies": ["raced"]}, token=root.token))
                assert read(connection, child.json["auth"]["client_token"]) == 200
            path = ["revoke-accessor", "revoke", "revoke-orphan"][number % 3]
            done(root.post(f"/v1/auth/token/{path}", {"accessor": accessor} if number % 3 == 0 else {"token": token}))
            assert {read(connection, token) for _ in range(3)} == {403}
            assert root.post("/v1/auth/token/lookup-accessor", {"accessor": accessor}).status in (400, 403, 404)


def test_no_login_outlives_its_secret_id_or_role_and_no_token_its_mount_or_lease(airlock):
    mount = "raced-ends"
    root, role, connection = prepare(airlock, mount)
    with crowd(airlock, mount) as seen:
        for _ in range(6):
            assert login(connection, mount)
            done(root.post(f"{role}/secret-id/destroy", {"secret_id": "secret"}))
            assert login(connection, mount) is None
            done(root.post(f"{role}/custom-secret-id", {"secret_id": "secret"}))
            assert login(connection, mount)
            before = list(seen)
            done(root.put(f"/v1/sys/leases/revoke-prefix/auth/{mount}/login"))
            assert {read(connection, auth["client_token"]) for auth in before[-20:]} <= {403}
            done(root.delete(role))
            assert login(connection, mount) is None
            done(root.post(role, {"role_id": "raced", "token_policies": "raced"}))
            done(root.post(f"{role}/custom-secret-id", {"secret_id": "secret"}))
            done(root.post(f"/v1/sys/auth/{mount}/tune", {"max_lease_ttl": "77s", "default_lease_ttl": "77s"}))
            assert login(connection, mount)["lease_duration"] == 77
            done(root.post(f"/v1/sys/auth/{mount}/tune", {"max_lease_ttl": "0", "default_lease_ttl": "0"}))
            before = list(seen) + [login(connection, mount)]
            done(root.delete(f"/v1/sys/auth/{mount}"))
            assert login(connection, mount) is None
            assert {read(connection, auth["client_token"]) for auth in before[-20:]} == {403}
            prepare(airlock, mount)
