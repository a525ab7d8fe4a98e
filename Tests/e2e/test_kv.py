"""`kv_commands.txt`: every subcommand of `bao kv` against both servers, one transcript. And what a difference of answers does not
show: times, and what a mount's upgrade must keep."""

import datetime
import pathlib
import threading

import pytest

from servers import wait_until
from shell_transcript import replay
from wire import Connection


def test_bao_kv_prints_the_same_against_both_servers(vault_server, tmp_path):
    written, went = replay(pathlib.Path(__file__).with_name("kv_commands.txt"), vault_server, tmp_path)
    assert went == written


def moment(text):
    return datetime.datetime.fromisoformat(text[:19])


@pytest.mark.parametrize("key, mount, life", [
    ("0s", "0s", None), ("10m", "0s", 600), ("0s", "20m", 1200), ("10m", "20m", 600), ("30m", "20m", 1200),
    ("10m", "-1s", None)])
def test_a_version_ends_when_its_key_and_its_mount_say(vault_server, key, mount, life):
    connection = Connection(vault_server)
    name = f"{key}and{mount}"
    connection.post("/v1/secret/config", {"delete_version_after": mount})
    connection.post(f"/v1/secret/metadata/{name}", {"delete_version_after": key})
    made = connection.post(f"/v1/secret/data/{name}", {"data": {"n": 1}}).data
    connection.post("/v1/secret/config", {"delete_version_after": "0s"})
    assert bool(made["deletion_time"]) == bool(life)
    if life:
        assert abs((moment(made["deletion_time"]) - moment(made["created_time"])).total_seconds() - life) <= 1


def test_deleting_and_bringing_back_is_no_update_of_the_key(vault_server):
    connection = Connection(vault_server)

    def updated():
        return connection.get("/v1/secret/metadata/times").data["updated_time"]

    made = connection.post("/v1/secret/data/times", {"data": {"n": 1}}).data["created_time"]
    for call in ["delete", "undelete", "destroy"]:
        assert connection.post(f"/v1/secret/{call}/times", {"versions": [1]}).status == 204
        assert updated() == made
    assert connection.post("/v1/secret/metadata/times", {"max_versions": 3}).status == 204
    assert updated() > made


def test_an_upgraded_mount_has_every_secret_as_its_version_1(vault_server):
    connection = Connection(vault_server)
    assert connection.post("/v1/sys/mounts/grown", {"type": "kv"}).status == 204
    secrets = {f"{folder}k{number}": {"n": number} for number in range(40) for folder in ("", "team/", "team/deep/")}
    for path, secret in secrets.items():
        assert connection.put(f"/v1/grown/{path}", secret).status == 204
    listed = connection.send("SCAN", "/v1/grown").data["keys"]
    answer = connection.post("/v1/sys/mounts/grown/tune", {"options": {"version": "2"}})
    assert answer.status == 200 and "Upgrading mount" in answer.json["warnings"][0]
    wait_until(lambda: connection.get("/v1/grown/config").status == 200, "the upgrade is done")
    assert connection.send("SCAN", "/v1/grown/metadata").data["keys"] == listed
    for path, secret in secrets.items():
        read = connection.get(f"/v1/grown/data/{path}").data
        assert (read["data"], read["metadata"]["version"]) == (secret, 1)
        metadata = connection.get(f"/v1/grown/metadata/{path}").data
        assert (metadata["current_version"], metadata["oldest_version"]) == (1, 1)


def test_no_write_that_was_acknowledged_is_lost_to_an_upgrade(start_airlock):
    """Writers of version 1 go on until they are told that there is version 2 now; then Airlock is killed."""
    server = start_airlock()
    connection = Connection(server)
    assert connection.post("/v1/sys/mounts/busy", {"type": "kv"}).status == 204
    acknowledged, odd = [], []

    def write(name):
        own = Connection(server)
        for number in range(10_000):
            answer = own.put(f"/v1/busy/{name}-{number}", {"n": number})
            if answer.status == 204:
                acknowledged.append((f"{name}-{number}", number))
            else:
                odd.append(answer)
                return

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    wait_until(lambda: len(acknowledged) > 100, "the writers are at work")
    assert connection.post("/v1/sys/mounts/busy/tune", {"options": {"version": "2"}}).status == 200
    for writer in writers:
        writer.join(30)
        assert not writer.is_alive()
    # Told that it is being upgraded, or already that such a path is not for version 2.
    assert {answer.status for answer in odd} <= {503, 404} and len(odd) == 4, odd
    server.kill()
    again = Connection(start_airlock())
    for path, number in acknowledged:
        assert again.get(f"/v1/busy/data/{path}").data["data"] == {"n": number}
    assert len(again.list("/v1/busy/metadata").data["keys"]) == len(acknowledged)
