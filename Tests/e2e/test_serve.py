"""What scripts and operators rely on in `airlock serve`: its files, its tokens, how it ends, and what it refuses."""

import contextlib
import re
import signal
import socket
import sqlite3
import subprocess

import pytest

import servers
from conftest import BOTH, chosen
from raft_openbao import RaftOpenBao
from servers import wait_until
from wire import Connection


def modes(folder):
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def refusal(start_airlock, *arguments, **options):
    """Airlock ends by itself, not with 0; returns what it said to the operator."""
    server = start_airlock(*arguments, wait_for_ready=False, **options)
    assert server.wait() != 0, "it started and ended well"
    assert "airlock ready on" not in server.stdout
    assert "Fatal error" not in server.stderr, f"a crash is no refusal:\n{server.stderr}"
    return server.stderr


def accepts(server, token):
    status = Connection(server).get("/v1/auth/token/lookup-self", token=token).status
    assert status in (200, 403)
    return status == 200


def key_file(data):
    [found] = [path for path in data.iterdir() if "key" in path.name]
    return found


# Starting and ending


def test_the_ready_line_is_all_of_stdout_and_names_the_address(start_airlock):
    server = start_airlock()
    assert Connection(server).get("/v1/sys/health").status == 200
    assert server.stop() == 0
    assert server.stdout == f"airlock ready on {server.url}\n"
    assert server.host_and_port[0] == "127.0.0.1" and server.host_and_port[1] > 0


@pytest.mark.parametrize("arguments", [
    ["--bogus"], ["--backend-kwargs", '{"mount_pont":"airflow"}'], ["--listen", "nowhere"],
    ["--token", "hvs.canary-in-the-wrong-place", "hvs.canary-in-the-wrong-place"]])
def test_wrong_usage_ends_with_2_and_is_told_without_values(start_airlock, arguments):
    server = start_airlock(*arguments, wait_for_ready=False)
    assert server.wait() == 2
    assert server.stderr and "canary" not in server.stderr


def test_an_output_that_cannot_be_written_ends_uri_with_1():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [servers.airlock_program(), "uri", "parse"], input='"http://h"\n', stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr == "airlock: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_ends_cleanly_and_soon_even_with_an_idle_keep_alive_connection(start_airlock, ending):
    server = start_airlock()
    idle = Connection(server)
    assert idle.get("/v1/sys/health").status == 200
    server.child.send_signal(ending)
    assert server.wait(seconds=10) == 0
    idle.close()


def test_a_request_in_flight_is_finished_before_it_ends(start_airlock):
    body = b'{"data":{"value":"' + b"x" * 20_000 + b'"}}'
    server = start_airlock()
    with socket.create_connection(server.host_and_port, timeout=20) as connection:
        connection.sendall(
            b"POST /v1/secret/data/in-flight HTTP/1.1\r\nHost: airlock\r\nX-Vault-Token: " + server.token.encode()
            + b"\r\nExpect: 100-continue\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n")
        assert b"100 Continue" in connection.recv(4096)  # so the request has been taken on
        connection.sendall(body[:10_000])
        server.terminate()
        wait_until(lambda: not listens(server), "no new connection is taken")
        connection.sendall(body[10_000:])
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    assert server.wait() == 0

    read = Connection(start_airlock()).get("/v1/secret/data/in-flight")
    assert read.data["data"] == {"value": "x" * 20_000}


def listens(server):
    try:
        socket.create_connection(server.host_and_port, timeout=1).close()
        return True
    except OSError:
        return False


# Files and tokens


def test_the_data_directory_is_private_and_holds_a_database_a_key_and_the_root_token(start_airlock):
    server = start_airlock(token=None)
    assert Connection(server).put("/v1/secret/data/a", {"data": {"k": "v"}}).status == 200
    assert server.data.stat().st_mode & 0o777 == 0o700
    found = modes(server.data)
    assert set(found.values()) == {"0o600"}, found
    assert {"store.db", "root-token", key_file(server.data).name} <= set(found)


def test_the_root_token_file_holds_the_token_and_it_survives_a_restart(start_airlock):
    first = start_airlock(token=None)
    assert Connection(first).get("/v1/auth/token/lookup-self").data["policies"] == ["root"]
    assert first.stop() == 0
    second = start_airlock(token=None)
    assert second.token == first.token and accepts(second, first.token)


def test_a_root_token_from_the_environment_leaves_no_file(start_airlock):
    server = start_airlock(token="chosen-by-the-operator")
    assert accepts(server, "chosen-by-the-operator")
    assert not (server.data / "root-token").exists()


def test_a_root_token_from_a_file_is_read_without_its_line_end(start_airlock, tmp_path):
    (tmp_path / "token").write_text("chosen-in-a-file\n")
    server = start_airlock(token=None, AIRLOCK_ROOT_TOKEN_FILE=tmp_path / "token")
    assert accepts(server, "chosen-in-a-file")
    assert not (server.data / "root-token").exists()


def test_a_root_token_given_at_a_later_start_replaces_the_earlier_one(start_airlock):
    generated = start_airlock(token=None)
    generated.stop()
    second = start_airlock(token="second")
    assert accepts(second, "second") and not accepts(second, generated.token)
    second.stop()
    third = start_airlock(token="third")
    assert accepts(third, "third") and not accepts(third, "second") and not accepts(third, generated.token)


def test_secrets_tokens_policies_and_mounts_survive_a_restart(start_airlock):
    client = Connection(start_airlock())
    assert client.post("/v1/sys/mounts/airflow", {"type": "kv-v2"}).status == 204
    assert client.post("/v1/airflow/data/connections/pg", {"data": {"conn_uri": "postgres://h"}}).status == 200
    assert client.put("/v1/sys/policies/acl/reader", {"policy": 'path "airflow/*" { capabilities = ["read"] }'}).status == 204
    token = client.post("/v1/auth/token/create", {"policies": ["reader"]}).json["auth"]["client_token"]
    client.close()
    start_airlock.stop_all()

    client = Connection(start_airlock(), token=token)
    assert client.get("/v1/airflow/data/connections/pg").data["data"] == {"conn_uri": "postgres://h"}
    assert client.get("/v1/sys/mounts").status == 403


# What it refuses


NARROW = 'path "auth/token/lookup-self" { capabilities = ["read"] }'


@pytest.fixture(params=BOTH)
def lasting(request, tmp_path, start_airlock):
    """A server, and a call that starts it again on what it had."""
    if request.param not in chosen(request.config):
        pytest.skip("not chosen")
    if request.param == "airlock":
        server = start_airlock()
        yield server, lambda: (server.stop(), start_airlock())[1]
        return
    bao = RaftOpenBao(tmp_path / "bao")
    yield bao, lambda: (bao.stop(), bao.start(), bao)[2]
    bao.stop()


def test_a_default_policy_that_somebody_wrote_stays_as_it_is(lasting):
    """Nor does an upgrade change it: what an administrator took from every token, no later start gives back."""
    server, again = lasting
    assert Connection(server).put("/v1/sys/policies/acl/default", {"policy": NARROW}).status == 204
    after = Connection(again())
    assert after.get("/v1/sys/policies/acl/default").data["policy"] == NARROW
    token = after.post("/v1/auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    assert after.get("/v1/auth/token/lookup-self", token=token).status == 200
    assert after.get("/v1/cubbyhole/a", token=token).status == 403


def test_a_default_policy_that_is_missing_is_written_anew(start_airlock):
    server = start_airlock()
    written = Connection(server).get("/v1/sys/policies/acl/default").data["policy"]
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(server.data / "store.db")) as database:
        assert database.execute("DELETE FROM record WHERE kind = 'policy' AND name = 'default'").rowcount == 1
        database.commit()
    assert Connection(start_airlock()).get("/v1/sys/policies/acl/default").data["policy"] == written


def test_a_second_server_on_the_same_data_directory_is_refused_and_the_first_serves_on(start_airlock):
    first = start_airlock()
    assert str(first.data) in refusal(start_airlock)
    assert Connection(first).put("/v1/secret/data/a", {"data": {"k": "v"}}).status == 200


def test_a_wrong_key_is_refused_and_the_right_one_opens_the_store_again(start_airlock, tmp_path):
    server = start_airlock()
    Connection(server).put("/v1/secret/data/a", {"data": {"k": "sealed-with-the-first-key"}})
    server.stop()
    other = servers.start_airlock(tmp_path / "other")
    other.stop()

    key = key_file(server.data)
    kept = key.read_bytes()
    key.write_bytes(key_file(other.data).read_bytes())
    said = refusal(start_airlock)
    assert "key" in said.lower() and "sealed-with-the-first-key" not in said
    key.write_bytes(kept)
    assert Connection(start_airlock()).get("/v1/secret/data/a").data["data"] == {"k": "sealed-with-the-first-key"}


def test_a_missing_key_beside_a_database_is_refused_and_no_new_one_is_made(start_airlock):
    server = start_airlock()
    server.stop()
    key = key_file(server.data)
    key.unlink()
    assert "key" in refusal(start_airlock).lower()
    assert not key.exists()


def test_a_flipped_byte_in_any_page_is_refused_or_fails_that_read_and_never_answers_wrong(start_airlock, long):
    count = 40
    client = Connection(start_airlock())
    for n in range(count):
        assert client.put(f"/v1/secret/data/s{n}", {"data": {"value": f"{n}-" + "v" * 300}}).status == 200
    client.close()
    start_airlock.stop_all()
    database = start_airlock.data / "store.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    whole = database.read_bytes()
    pages = range(2, len(whole) // size + 1)

    noticed = 0
    for page in pages if long else list(pages)[:: max(1, len(pages) // 12)]:
        damaged = bytearray(whole)
        damaged[page * size - 100] ^= 0x40  # rows fill a page from its end
        for path in start_airlock.data.glob("store.db-*"):
            path.unlink()
        database.write_bytes(damaged)
        server = start_airlock(wait_for_ready=False)
        wait_until(lambda: servers.READY.search(server.stdout) or server.child.poll() is not None, "it decided")
        if server.child.poll() is not None:
            assert server.child.returncode not in (0, None) and "Fatal error" not in server.stderr
            assert re.search(r"corrupt|damaged|malformed|integrity|backup|restore", server.stderr, re.I), server.stderr
            noticed += 1
            continue
        server.url = servers.READY.search(server.stdout)[1]
        client = Connection(server)
        for n in range(count):
            read = client.get(f"/v1/secret/data/s{n}")
            if read.status == 200:
                assert read.data["data"] == {"value": f"{n}-" + "v" * 300}, f"page {page}: a wrong value was served"
            else:
                assert read.status >= 500 and read.errors[0], f"page {page}: {read}"  # absent would be a lie
                noticed += 1
        assert client.get("/v1/sys/health").status == 200
        client.close()
        assert server.stop() == 0
    assert noticed > 0


def test_an_unknown_setting_is_refused_with_the_nearest_known_name(start_airlock):
    said = refusal(start_airlock, "--backend-kwargs", '{"mount_pint":"x"}')
    assert "mount_pint" in said and "mount_point" in said
    assert not (start_airlock.data / "store.db").exists(), "a refused start leaves no database behind"


@pytest.mark.parametrize("kwargs", ['{"mount_point":', "[]", '{"mount_point":7}', '{"mount_point":"../x"}'])
def test_backend_kwargs_that_cannot_be_used_are_refused_with_a_reason(start_airlock, kwargs):
    assert "backend-kwargs" in refusal(start_airlock, "--backend-kwargs", kwargs).replace("_", "-")


def test_the_embedded_mount_is_the_one_that_the_backend_kwargs_name(start_airlock):
    client = Connection(start_airlock("--backend-kwargs", '{"mount_point":"airflow"}'))
    entry = client.get("/v1/sys/mounts").data["airflow/"]
    assert (entry["type"], entry["options"]) == ("kv", {"version": "2"})
    assert client.post("/v1/airflow/data/connections/pg", {"data": {"conn_uri": "postgres://h"}}).status == 200


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_plain_http_beyond_this_machine_is_refused_unless_said_aloud(start_airlock, address):
    assert "--insecure-http" in refusal(start_airlock, "--listen", address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http", ":"])
def test_an_address_that_is_none_is_refused_by_its_name(start_airlock, address):
    assert "--listen" in refusal(start_airlock, "--listen", address)


def test_an_address_in_use_is_refused_with_the_address(start_airlock, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in refusal(start_airlock, "--listen", address)
