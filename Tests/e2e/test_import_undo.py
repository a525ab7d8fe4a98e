"""`conn-import apply` when its run, its answers or its files come to harm, and `undo`: what was begun is gone on with, and what
was done can be taken back."""

import contextlib
import http.client
import http.server
import json
import signal
import subprocess
import threading
import time

import servers
from importing import CANARY, client, run  # fixtures among them
from planned_import import FILE, apply, either, plan, plain, target  # fixtures among them


class Way(http.server.ThreadingHTTPServer):
    """A way to a server on which answers are changed, or lost."""

    daemon_threads = True
    request_queue_size = 128  # what waits longer than the kernel's queue arrives when nobody expects it any more

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), Step)
        self.server, self.url = server, f"http://127.0.0.1:{self.server_port}"
        self.changes = lambda content: content
        self.loses_answer = None
        self.lost = self.under_way = 0
        self.ended = threading.Event()
        self.counting = threading.Lock()


class Step(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        way = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with way.counting:
            way.under_way += 1
            is_lost = bool(way.loses_answer and way.loses_answer(self.path, body))
        onward = http.client.HTTPConnection(*way.server.host_and_port, timeout=10)
        onward.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Host"})
        answer = onward.getresponse()
        content = way.changes(answer.read())
        onward.close()
        with way.counting:
            way.under_way -= 1
            way.lost += is_lost
        if is_lost:
            way.ended.wait(30)
            return
        with contextlib.suppress(ConnectionError):
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = forward

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def way_to(server):
    with Way(server) as way:
        thread = threading.Thread(target=way.serve_forever, daemon=True)
        thread.start()
        yield way
        way.ended.set()
        way.shutdown()
        thread.join()


def settled(value):
    """The value when what was on its way has arrived."""
    seen = [object()]

    def is_same():
        seen.append(value())
        time.sleep(0.2)
        return seen[-2] == seen[-1]

    servers.wait_until(is_same, "all has arrived")
    return seen[-1]


def test_a_killed_run_is_gone_on_with_and_nothing_is_written_twice(run, vault_server, target):
    # In one request or in many: somewhere in the middle the server does what it is asked, and the answer never comes.
    is_batched = vault_server.name == "airlock"
    many = 600 if is_batched else 200
    run.file("".join(f"AIRFLOW_CONN_C{n}=postgres://u:{CANARY}{n}@h{n}/d\n" for n in range(many)))
    journal = run.folder / "plan.json.journal"

    def noted():
        return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0

    written = 0

    def never_answered(path, body):
        nonlocal written
        if is_batched:
            written += body.count(b'"action":"write"')
        else:
            written += b'"options":{"cas"' in body
        return written > many * 3 // 4

    with way_to(vault_server) as way:
        environment = {"AIRLOCK_ADDR": way.url}
        assert plan(run, target, **environment).returncode == 3
        way.loses_answer = never_answered
        child = subprocess.Popen(
            [servers.airlock_program("conn-import"), "apply", "plan.json"], cwd=run.folder,
            env=servers.clean_environment(run.folder, AIRLOCK_TOKEN=run.server.token, **environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        servers.wait_until(lambda: way.lost and not way.under_way and noted(), "an answer is lost", process=child)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        way.loses_answer = None
        way.ended.set()
        there = settled(lambda: len(target.names()))
        before = noted()
        assert 0 < before < many
        assert there > before, "more is written than was noted"
        result = apply(run, **environment)
        assert (result.returncode, result.stdout) == (
            0, f"created {many - there}, updated 0, written before {there}\n"), result.stderr
        assert len(target.names()) == many
        assert {target.versions(f"connections/c{n}") for n in range(0, many, 17)} == {1}
        assert noted() == many
        again = apply(run, **environment)
        assert again.stdout == f"created 0, updated 0, written before {many}\n"


def test_a_write_that_was_not_noted_is_recognised(run, either):
    run.file(FILE)
    either["connections/api"] = {"conn_type": "http", "password": "old"}
    plan(run, either)
    apply(run)
    journal = run.folder / "plan.json.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1] + lines[2][:9])
    again = apply(run)
    assert (again.returncode, again.stdout) == (0, "created 0, updated 0, written before 4\n")
    assert sorted(journal.read_bytes().splitlines()) == sorted(line.strip() for line in lines)
    journal.unlink()
    undone = run("undo", "plan.json")
    assert either["connections/pg"] is None
    assert undone.stdout == ("deleted 3, restored 1\n" if either.version == 2 else "deleted 3, restored 0, left 1\n")


def test_undo_puts_back_what_was_there_and_leaves_what_others_have_changed(run, target):
    run.file(FILE)
    target["connections/api"] = {"conn_type": "http", "password": "old", "n": 1.5}
    target["variables/region"] = {"value": "old"}
    plan(run, target)
    assert run("undo", "plan.json").stdout == "nothing of this plan is there\n"
    apply(run)
    target["connections/pg"] = {"conn_uri": "postgres://somebody@else"}
    undone = run("undo", "plan.json")
    assert undone.returncode == 1
    assert undone.stdout == "deleted 1, restored 2, left 1\n"
    assert "prod.env:1: connection pg: it has changed since this plan was applied" in undone.stderr
    assert target["connections/api"] == {"conn_type": "http", "password": "old", "n": 1.5}
    assert target["variables/region"] == {"value": "old"}
    assert target["connections/sales/pg"] is None
    assert target["connections/pg"] == {"conn_uri": "postgres://somebody@else"}
    target.client.secrets.kv.v2.undelete_secret_versions("connections/sales/pg", [1], mount_point=target.mount)
    assert target["connections/sales/pg"]["conn_uri"].startswith("postgres://u:"), "nothing is lost"
    target.delete("connections/sales/pg")
    assert run("undo", "plan.json").stdout == "deleted 0, restored 0, left 1\n"
    assert target.versions("connections/api") == 3
    refused = apply(run)
    assert refused.returncode == 1 and "has changed since this plan was applied" in refused.stderr


def test_undo_on_version_1_deletes_what_was_created_and_names_the_rest(run, plain):
    run.file(FILE)
    plain["connections/api"] = {"conn_type": "http", "password": "old"}
    plan(run, plain)
    apply(run)
    undone = run("undo", "plan.json")
    assert (undone.returncode, undone.stdout) == (1, "deleted 3, restored 0, left 1\n")
    assert "connection api: KV version 1 keeps no earlier value" in undone.stderr
    assert plain.names() == ["api"]
    assert run("undo", "plan.json").stdout == "deleted 0, restored 0, left 1\n"


def test_undo_names_a_version_that_is_no_longer_kept(run, target):
    run.file("AIRFLOW_VAR_A=new\n")
    target["variables/a"] = {"value": "old"}
    plan(run, target)
    apply(run)
    target.client.secrets.kv.v2.destroy_secret_versions("variables/a", [1], mount_point=target.mount)
    undone = run("undo", "plan.json")
    assert undone.returncode == 1 and "version 1, which this plan replaced, is no longer kept" in undone.stderr
    assert target["variables/a"] == {"value": "new"}


def test_what_does_not_come_back_as_it_was_written_is_a_failure_that_names_the_field(run, vault_server, target):
    run.file(FILE)
    with way_to(vault_server) as way:
        way.changes = lambda content: content.replace(f"{CANARY}-2".encode(), b"forged")
        result = run("prod.env", "--mount-point", target.mount, AIRLOCK_ADDR=way.url)
    assert result.returncode == 1
    assert "prod.env:2: connection api: written, but what the server gives back is not the same in password" in result.stderr
    assert result.stdout == "imported 2 connections, 1 variable; skipped 0; rejected 0; failed 1\n"


def test_a_damaged_plan_or_another_plans_journal_is_refused(run, target):
    run.file(FILE)
    plan(run, target)
    path = run.folder / "plan.json"
    whole = path.read_text()
    assert json.loads(whole)["count"] == 4, "a plan is JSON"
    for text, said in [
        ("{}", "plan.json:1: this is no plan"), (whole[:-30], "the plan is not complete"),
        (whole.replace('"action":"create"', '"action":"crate"', 1), "plan.json:2: this is no item"),
        (whole.replace('"conn_import_plan":1', '"conn_import_plan":2'), "a format that this conn-import does not know"),
    ]:
        path.write_text(text)
        result = apply(run)
        assert (result.returncode, said in result.stderr) == (1, True), result.stderr
    assert "cannot be read" in run("apply", "nowhere.json").stderr
    path.write_text(whole)
    (run.folder / "plan.json.journal").write_text('{"conn_import_journal":1,"plan":"x"}\n')
    assert "the journal of another plan" in run("apply", "plan.json").stderr
    assert target.names() == []
