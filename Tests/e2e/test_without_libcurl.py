"""libcurl and the libraries behind it are loaded for what needs them, and for nothing else."""

import json
import pathlib
import subprocess

import pytest
import servers
from wire import Connection

WHAT_TO_DO = "libcurl.so.4 cannot be loaded; install libcurl 7.85 or newer (Debian's package libcurl4)"


def libraries(server):
    return pathlib.Path(f"/proc/{server.child.pid}/maps").read_text()


@pytest.fixture
def without(tmp_path):
    """An environment in which libcurl is found and cannot be loaded."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "libcurl.so.4").write_text("no library\n")
    return {"LD_LIBRARY_PATH": folder}


def test_the_embedded_store_works_without_libcurl(start_airlock, without):
    server = start_airlock(**without)
    client = Connection(server)
    assert client.post("/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}).status == 204
    assert client.post("/v1/kv/data/a", {"data": {"b": "c"}}).status == 200
    assert client.get("/v1/kv/data/a").data["data"] == {"b": "c"}
    assert "curl" not in libraries(server)


@pytest.mark.parametrize("more", [
    {"auth_type": "token", "token": "hidden"},
    {"auth_type": "approle", "role_id": "r", "secret_id": "hidden"}], ids=["token", "approle"])
def test_a_start_with_an_upstream_says_what_to_install_and_makes_nothing(start_airlock, without, more):
    kwargs = json.dumps({"url": "http://127.0.0.1:1", "mount_point": "kv"} | more)
    server = start_airlock("--backend-kwargs", kwargs, wait_for_ready=False, **without)
    assert server.wait() == 1
    assert server.stderr.splitlines()[-1] == f"airlock: {WHAT_TO_DO}"
    assert "hidden" not in server.stderr
    assert not server.data.exists()


def test_with_an_upstream_libcurl_is_loaded_at_the_start(start_airlock):
    kwargs = json.dumps({"url": "http://127.0.0.1:1", "mount_point": "kv", "auth_type": "token", "token": "t"})
    assert "/libcurl.so.4" in libraries(start_airlock("--backend-kwargs", kwargs))


def test_a_command_that_asks_a_server_says_what_to_install(tmp_path, without):
    done = subprocess.run(
        [servers.airlock_program(), "resolve", "{vault://kv/a/b}"], capture_output=True, text=True, timeout=20,
        env=servers.clean_environment(tmp_path, AIRLOCK_ADDR="http://127.0.0.1:1", AIRLOCK_TOKEN="t", **without))
    assert done.returncode != 0
    assert WHAT_TO_DO in done.stderr
