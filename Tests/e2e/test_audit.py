"""The audit log: nothing is served that is not in it, and no secret is readable there. docs/audit.md promises it; here and in
test_audit_entries.py it is shown."""

import concurrent.futures
import contextlib
import json
import os
import signal

import pytest

import servers
from audited import CODE, audited, entries, start_audited  # a fixture among them
from front import outcome
from servers import wait_until
from wire import Connection


def test_the_log_is_listed_and_is_changed_in_the_configuration_alone(audited):
    server, log = audited()
    root = Connection(server)
    expected = {"file/": {"description": "", "local": False, "options": {"file_path": str(log)}, "path": "file/", "type": "file"}}
    assert root.get("/v1/sys/audit").data == expected
    answer = root.put("/v1/sys/audit/other", {"type": "file", "options": {"file_path": "stdout"}})
    assert answer.status == 400 and "Airlock's configuration" in answer.errors[0]
    clerk = root.post("/v1/auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    for method, path in [("GET", "audit"), ("POST", "audit-hash/file"), ("DELETE", "audit/file")]:
        assert root.send(method, f"/v1/sys/{path}", '{"input":"x"}', token=clerk).status == 403


def test_the_codes_are_the_same_after_a_restart_and_others_in_another_store(audited, tmp_path_factory):
    def code(server):
        return Connection(server).post("/v1/sys/audit-hash/file", {"input": "value"}).data["hash"]

    server, log = audited()
    before = code(server)
    assert server.stop() == 0
    server, _ = audited()
    assert code(server) == before
    folder = tmp_path_factory.mktemp("another")
    other, _ = start_audited(lambda *arguments: servers.start_airlock(folder, *arguments), folder)
    try:
        assert code(other) != before
    finally:
        assert other.stop() == 0


# The typed surface, and mounts of a vault


def test_calls_of_the_typed_surface_are_told_with_nothing_of_a_connection_readable(audited):
    server, log = audited()
    root = Connection(server)
    connection = {"connection_id": "pg", "conn_type": "postgres", "host": "db", "password": "hunter2", "port": 5433}
    assert root.post("/api/v2/connections", connection).status == 201
    assert root.get("/api/v2/connections/pg").json["password"] == "hunter2"
    assert root.get("/api/v2/connections/absent").status == 404
    assert root.get("/api/v2/connections/pg", token="no-such-token").status == 401
    assert root.get("/api/v2/openapi.json", token=None).status == 200
    told = [(one["type"], one["request"]["operation"], one["request"]["path"], one.get("error", "")[:20]) for one in entries(log)]
    assert told == [
        ("request", "create", "api/v2/connections", ""), ("response", "create", "api/v2/connections", ""),
        ("request", "read", "api/v2/connections/pg", ""), ("response", "read", "api/v2/connections/pg", ""),
        ("request", "read", "api/v2/connections/absent", ""),
        ("response", "read", "api/v2/connections/absent", told[5][3]),
        ("request", "read", "api/v2/connections/pg", "the token is unknown"),
        ("response", "read", "api/v2/connections/pg", "the token is unknown")]
    assert told[5][3]
    code = root.post("/v1/sys/audit-hash/file", {"input": "hunter2"}).data["hash"]
    made, _, _, read = entries(log)[:4]
    assert made["request"]["data"]["password"] == code == read["response"]["data"]["password"]
    assert made["auth"]["display_name"] == "root" and CODE.fullmatch(made["request"]["client_token"])
    text = log.read_text()
    assert CODE.fullmatch(made["request"]["data"]["port"])
    assert "hunter2" not in text and "no-such-token" not in text and server.token not in text


def test_a_call_of_the_typed_surface_is_told_with_the_namespace_it_was_made_in(audited):
    server, log = audited()
    root = Connection(server)
    assert root.post("/v1/sys/namespaces/team", {}).status == 200
    root.post("/v1/team/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    before = len(entries(log))
    there = {"X-Vault-Namespace": "team"}
    assert root.post("/api/v2/variables", {"key": "v", "value": "x"}, headers=there).status == 201
    assert root.get("/api/v2/variables/v", headers=there).status == 200
    assert root.get("/api/v2/variables/v").status == 404
    told = [(one["request"]["path"], one["request"]["namespace"]) for one in entries(log)[before:]]
    team = {"path": "team/"}
    assert told == [("api/v2/variables", team)] * 2 + [("api/v2/variables/v", team)] * 2 + [("api/v2/variables/v", {"id": "root"})] * 2


def test_a_read_from_a_vault_says_where_its_answer_came_from(front, tmp_path):
    made = front(start=False)
    log = tmp_path / "audit.log"
    made.config["audit"] = str(log)
    made.start()
    made.upstream.write("a", {"value": "1"})
    outcomes = [outcome(made.read("a")), outcome(made.read("a")), outcome(made.read("absent")), outcome(made.read("absent"))]
    outcomes.append(outcome(made.client.list("/v1/airflow/metadata/")))
    assert outcomes[:2] == ["MISS", "HIT"] and outcomes[-1] == "BYPASS"
    told = [one["response"].get("cache") for one in entries(log) if one["type"] == "response"]
    assert told == outcomes
    listed = entries(log)[-1]
    refused = made.client.post("/v1/airflow/data/a", {"data": {"k": "v"}, "options": {"cas": 99}})
    assert refused.status == 400 and refused.errors[0] not in log.read_text(), "a vault's errors may quote what was sent"
    assert CODE.fullmatch(entries(log)[-1]["response"]["data"]["errors"][0])
    assert listed["request"]["operation"] == "list" and CODE.fullmatch(listed["response"]["data"]["keys"][0])
    made.stop()


# Nothing is served that is not in the log


def test_each_of_many_requests_at_once_has_its_two_entries(audited):
    server, log = audited()

    def work(number):
        client = Connection(server)
        return [client.put(f"/v1/secret/data/{number}", {"data": {"n": n}}).json["request_id"] for n in range(25)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = [one for several in pool.map(work, range(8)) for one in several]
    types = {}
    for entry in entries(log):
        types.setdefault(entry["request"]["id"], []).append(entry["type"])
    assert types == {one: ["request", "response"] for one in ids}


def test_a_log_that_cannot_be_written_refuses_requests_before_they_take_effect(audited, tmp_path):
    link, log = tmp_path / "link", tmp_path / "audit.log"
    link.symlink_to(log)
    server, _ = audited(link)
    root = Connection(server)

    def point_to(target, said):
        link.unlink()
        link.symlink_to(target)
        count = server.stderr.count(said)
        server.child.send_signal(signal.SIGHUP)
        wait_until(lambda: server.stderr.count(said) > count, "the log is opened anew", process=server.child)

    assert root.put("/v1/secret/data/a", {"data": {"k": "before"}}).status == 200
    point_to("/dev/full", "is opened anew")
    for answer in [
        root.put("/v1/secret/data/a", {"data": {"k": "after"}}), root.get("/v1/secret/data/a"), root.delete("/v1/secret/data/a"),
        root.post("/v1/auth/token/create", {}), root.get("/v1/secret/data/a", token="bad"), root.get("/v1/nomount/x"),
        root.put("/v1/sys/policies/acl/p", {"policy": ""}),
    ]:
        assert (answer.status, answer.errors) == (500, ["internal error"])
    assert root.get("/api/v2/connections").status == 500
    assert root.get("/v1/sys/health", token=None).status == 200
    assert server.stderr.count("cannot be written: No space left on device") == 1
    assert "make room" in server.stderr
    point_to(log, "is opened anew")
    read = root.get("/v1/secret/data/a")
    assert read.data["data"] == {"k": "before"} and read.data["metadata"]["version"] == 1
    assert root.get("/v1/sys/policies/acl/p").status == 404
    assert server.stderr.count("is written again") == 1
    assert [one["request"]["path"] for one in entries(log)].count("secret/data/a") == 4


def test_the_log_is_rotated_without_losing_an_entry(audited, tmp_path):
    server, log = audited()
    assert oct(log.stat().st_mode & 0o777) == "0o600"
    ids = []

    def work():
        client = Connection(server)
        while len(ids) < 300:
            ids.append(client.get("/v1/sys/mounts").json["request_id"])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work) for _ in range(2)]
        for number in range(3):
            wait_until(lambda: len(ids) > 80 * number, "requests", process=server.child)
            log.rename(tmp_path / f"audit.{number}")
            server.child.send_signal(signal.SIGHUP)
            wait_until(log.exists, "a new file", process=server.child)
        for one in working:
            one.result()
    assert oct(log.stat().st_mode & 0o777) == "0o600"
    told = [one["request"]["id"] for path in tmp_path.glob("audit.*") for one in entries(path)]
    assert sorted(told) == sorted(ids * 2)


def test_a_reader_that_goes_away_does_not_take_the_server_with_it(audited, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server, _ = audited(fifo)
    root = Connection(server)
    assert root.get("/v1/sys/mounts").status == 200
    assert len(os.read(reader, 65536).splitlines()) == 2
    os.close(reader)
    assert root.get("/v1/sys/mounts").status == 500
    assert server.child.poll() is None
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert root.get("/v1/sys/mounts").status == 200
    os.close(reader)


def test_the_log_can_go_to_standard_output_after_the_ready_line(audited):
    server, _ = audited("stdout")
    answer = Connection(server).get("/v1/sys/mounts")
    ready, *lines = server.stdout.splitlines()
    assert ready == f"airlock ready on {server.url}"
    assert [json.loads(line)["request"]["id"] for line in lines] == [answer.json["request_id"]] * 2


@pytest.mark.parametrize("path, said", [
    ("/nowhere/at/all/audit.log", "cannot be opened: No such file or directory"), ("stdot", "audit must be `stdout` or the path"),
])
def test_a_log_that_cannot_be_opened_is_said_at_the_start(start_airlock, tmp_path, path, said):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"audit": path}))
    server = start_airlock("--config", str(config), wait_for_ready=False)
    assert server.wait() != 0
    assert said in server.stderr and "airlock ready" not in server.stdout


def test_an_audited_server_ends_well_and_without_a_log_nothing_is_listed(start_airlock):
    server = start_airlock()
    root = Connection(server)
    with contextlib.closing(root.http):
        assert root.get("/v1/sys/audit").data == {}
        assert root.post("/v1/sys/audit-hash/file", {"input": "x"}).errors == ['unknown audit backend "file/"']
