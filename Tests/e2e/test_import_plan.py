"""`conn-import plan`, `apply` and `undo` on both servers: what is planned is what is done, once, and can be taken back."""

import contextlib
import http.client
import http.server
import json
import signal
import stat
import subprocess
import threading
import time

import hvac
import pytest

import servers
from audited import audited, entries  # noqa: F401, a fixture among them
from test_conn_import import CANARY, Import, mounted

FILE = f"""AIRFLOW_CONN_PG=postgres://user:{CANARY}-1@db.example.com:5432/app
AIRFLOW_CONN_API='{{"conn_type": "http", "host": "Api.Example.com", "password": "{CANARY}-2"}}'
AIRFLOW_CONN__SALES___PG="postgres://u:{CANARY}%2F3@h/d"
AIRFLOW_VAR_REGION=eu-{CANARY}
"""


class Target:
    """One mount, looked at without conn-import."""

    def __init__(self, client, mount, version):
        self.client, self.mount, self.version = client, mount, version

    def __getitem__(self, path):
        try:
            if self.version == 1:
                return self.client.secrets.kv.v1.read_secret(path, mount_point=self.mount)["data"]
            return self.client.secrets.kv.v2.read_secret_version(
                path, mount_point=self.mount, raise_on_deleted_version=True)["data"]["data"]
        except hvac.exceptions.InvalidPath:
            return None

    def __setitem__(self, path, data):
        kv = self.client.secrets.kv
        (kv.v1 if self.version == 1 else kv.v2).create_or_update_secret(path, data, mount_point=self.mount)

    def delete(self, path):
        self.client.secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=self.mount)

    def versions(self, path):
        metadata = self.client.secrets.kv.v2.read_secret_metadata(path, mount_point=self.mount)["data"]
        return metadata["current_version"]

    def names(self, folder="connections"):
        kv = self.client.secrets.kv
        try:
            return (kv.v1 if self.version == 1 else kv.v2).list_secrets(folder, mount_point=self.mount)["data"]["keys"]
        except hvac.exceptions.InvalidPath:
            return []


@pytest.fixture
def run(vault_server, tmp_path):
    return Import(tmp_path, vault_server)


@pytest.fixture(scope="module")
def client(vault_server):
    return hvac.Client(url=vault_server.url, token=vault_server.token)


@pytest.fixture
def target(client):
    for mount in mounted(client, "2"):
        yield Target(client, mount, 2)


@pytest.fixture
def plain(client):
    for mount in mounted(client, "1"):
        yield Target(client, mount, 1)


@pytest.fixture(params=[1, 2])
def either(request, client):
    for mount in mounted(client, str(request.param)):
        yield Target(client, mount, request.param)


def plan(run, target, *arguments, files=("prod.env",), out="plan.json", **environment):
    keep = ["--out", out] if out else []
    result = run("plan", *files, "--mount-point", target.mount, *keep, *arguments, **environment)
    for name in filter(None, [out]):
        path = run.folder / name
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert CANARY not in path.read_text()
    return result


def apply(run, *arguments, **environment):
    result = run("apply", "plan.json", *arguments, **environment)
    journal = run.folder / "plan.json.journal"
    if journal.exists():
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        assert CANARY not in journal.read_text()
    return result


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


def rows(result):
    return [line.split() for line in result.stdout.splitlines()[:-1]]


def test_a_plan_shows_what_would_be_done_by_names_of_fields_and_writes_nothing(run, either):
    run.file(FILE + "nonsense\nDEBUG=1\n")
    either["connections/pg"] = {"conn_uri": f"postgres://user:{CANARY}-1@db.example.com:5432/app"}
    either["connections/api"] = {"conn_type": "http", "host": f"old-{CANARY}", "password": f"{CANARY}-2", "login": "x"}
    either["variables/region"] = {"value": f"us-{CANARY}"}
    result = plan(run, either)
    assert result.returncode == 1
    assert rows(result) == [
        ["unchanged", "connection", "pg", "prod.env:1"],
        ["update", "connection", "api", "prod.env:2", "~host", "-login"],
        ["create", "connection", "sales/pg", "prod.env:3"],
        ["update", "variable", "region", "prod.env:4", "~value"],
        ["rejected", "-", "-", "prod.env:5"],
        ["skip", "-", "DEBUG", "prod.env:6"],
    ]
    assert result.stdout.endswith("create 1, update 2, unchanged 1, skip 0, conflict 0, rejected 1\n")
    assert not (run.folder / "plan.json").exists(), "what is rejected is to be looked at first"
    assert either["connections/sales/pg"] is None
    assert "prod.env:5: there is no '='" in result.stderr


def test_the_same_as_json_for_scripts(run, either):
    run.file(FILE + "AIRFLOW_CONN_WARNED='{\"conn_type\": \"http\", \"password\": 12345}'\nnonsense\n")
    either["variables/region"] = {"value": f"us-{CANARY}"}
    result = plan(run, either, "--output", "json", "--on-conflict", "fail", out=None)
    shown = json.loads(result.stdout)
    assert shown["target"]["mount"] == either.mount and shown["target"]["kv_version"] == either.version
    assert shown["summary"] == {
        "create": 4, "update": 0, "unchanged": 0, "skip": 0, "conflict": 1, "rejected": 1}
    items = {item["origin"]: item for item in shown["items"]}
    assert items["prod.env:3"]["team"] == "sales" and items["prod.env:3"]["action"] == "create"
    assert items["prod.env:4"]["action"] == "conflict"
    assert items["prod.env:4"]["changes"] == [{"field": "value", "change": "changed"}]
    assert "number" in items["prod.env:5"]["findings"][0]
    assert items["prod.env:6"]["action"] == "rejected" and items["prod.env:6"]["findings"]
    assert result.returncode == 1


def test_the_exit_code_tells_whether_there_is_something_to_do(run, target):
    run.file(FILE)
    assert plan(run, target).returncode == 3
    assert apply(run).returncode == 0
    nothing = plan(run, target, out="second.json")
    assert nothing.returncode == 0
    assert {row[0] for row in rows(nothing)} == {"unchanged"}
    assert plan(run, target, "--nonsense", out=None).returncode == 2
    run.file(FILE + "nonsense\n")
    assert plan(run, target, "--skip-rejected", out="third.json").returncode == 1
    assert (run.folder / "third.json").exists()


def test_a_plan_is_applied_once_however_often_it_is_asked_for(run, either):
    run.file(FILE)
    either["connections/api"] = {"conn_type": "http", "password": f"old-{CANARY}"}
    assert plan(run, either).returncode == 3
    done = apply(run)
    assert (done.returncode, done.stdout) == (0, "created 3, updated 1\n")
    assert either["connections/api"]["password"] == f"{CANARY}-2"
    assert either["connections/sales/pg"]["conn_uri"].startswith("postgres://u:")
    assert ("KV version 1, which keeps no earlier value" in done.stderr) == (either.version == 1)
    again = apply(run)
    assert (again.returncode, again.stdout) == (0, "created 0, updated 0, written before 4\n")
    if either.version == 2:
        assert either.versions("connections/api") == 2
        assert either.versions("connections/pg") == 1
    either["connections/pg"] = {"conn_uri": "postgres://somebody@else"}
    changed = apply(run)
    assert changed.returncode == 1
    assert "pg: has changed since this plan was applied" in changed.stderr


@pytest.mark.parametrize("change, said", [
    (lambda text: text.replace("-2", "-3"), "prod.env:2: connection api: is not what the plan was made from"),
    (lambda text: text.replace("AIRFLOW_VAR_REGION", "AIRFLOW_VAR_OTHER"), "variable region: is not in the sources"),
    (lambda text: text + "AIRFLOW_VAR_MORE=x\n", "prod.env:5: variable more: is not in the plan"),
    (lambda text: text + "nonsense\n", "prod.env:5"),
])
def test_a_source_that_has_changed_stops_everything(run, target, change, said):
    run.file(FILE)
    plan(run, target)
    run.file(change(FILE))
    result = apply(run)
    assert result.returncode == 1
    assert said in result.stderr and "nothing was written" in result.stderr
    assert target.names() == []


def test_a_target_that_has_moved_stops_everything(run, either):
    run.file(FILE)
    either["connections/pg"] = {"conn_uri": "postgres://old@h"}
    plan(run, either)
    either["connections/pg"] = {"conn_uri": "postgres://newer@h"}
    result = apply(run)
    assert result.returncode == 1
    assert "connection pg: has changed since the plan was made" in result.stderr
    assert either["connections/pg"] == {"conn_uri": "postgres://newer@h"}
    assert either["connections/api"] is None


def test_what_appears_or_goes_after_the_plan_is_noticed_too(run, target):
    run.file(FILE)
    plan(run, target)
    target["variables/region"] = {"value": "x"}
    target.delete("variables/region")
    assert "variable region: has changed since" in apply(run).stderr
    plan(run, target, out="second.json")
    assert run("apply", "second.json").returncode == 0, "a deleted one is created in its next version"
    assert target.versions("variables/region") == 2


def test_what_is_there_is_overwritten_skipped_or_a_conflict_as_asked(run, either):
    run.file(FILE)
    either["connections/api"] = {"conn_type": "http", "password": "old"}
    failed = plan(run, either, "--on-conflict", "fail")
    assert failed.returncode == 1 and not (run.folder / "plan.json").exists()
    assert ["conflict", "connection", "api", "prod.env:2", "+host", "~password"] in rows(failed)
    assert "prod.env:2: connection api: conflict: another value is there" in failed.stderr
    direct = run("prod.env", "--mount-point", either.mount, "--on-conflict", "fail")
    assert direct.returncode == 1 and either["connections/pg"] is None
    assert direct.stdout.endswith("; conflicts 1\n")
    assert plan(run, either, "--on-conflict", "skip").returncode == 3
    assert apply(run).stdout == "created 3, updated 0, skip 1\n"
    assert either["connections/api"]["password"] == "old"
    assert run("prod.env", "--mount-point", either.mount, "--on-conflict", "skip").stdout.endswith("; kept 1\n")
    assert run("prod.env", "--mount-point", either.mount).returncode == 0
    assert either["connections/api"]["password"] == f"{CANARY}-2"


def test_ids_that_differ_in_case_alone_are_conflicts_and_never_written(run, either):
    run.file(FILE)
    either["connections/PG"] = {"conn_uri": "postgres://h"}
    either["connections/Sales/Pg"] = {"conn_uri": "postgres://h"}
    result = plan(run, either)
    assert result.returncode == 1
    assert [row[:3] for row in rows(result) if row[0] == "conflict"] == [
        ["conflict", "connection", "pg"], ["conflict", "connection", "sales/pg"]]
    assert "connection PG is there already" in result.stderr and "connection Sales/Pg is there" in result.stderr
    assert run("prod.env", "--mount-point", either.mount).returncode == 1
    assert either.names() == ["PG", "Sales/"]
    assert run("prod.env", "--mount-point", either.mount, "--on-conflict", "skip").returncode == 0
    assert sorted(either.names()) == ["PG", "Sales/", "api"]
    twice = run.file("AIRFLOW_CONN_STRASSE=postgres://h\nAIRFLOW_CONN_stra\u00dfe=postgres://h\n", "twice.env")
    both = plan(run, either, files=[twice], out=None)
    assert [row[0] for row in rows(both)] == ["conflict", "conflict"]


def test_a_deleted_id_is_in_nobodys_way(run, target):
    run.file(FILE)
    target["connections/PG"] = {"conn_uri": "postgres://h"}
    target.delete("connections/PG")
    assert plan(run, target).returncode == 3


def test_without_the_right_to_list_the_import_goes_on_and_says_what_it_cannot_see(run, client, target):
    run.file(FILE)
    client.sys.create_or_update_policy(
        target.mount, f'path "{target.mount}/data/*" {{ capabilities = ["create", "read", "update"] }}')
    token = client.auth.token.create(policies=[target.mount])["auth"]["client_token"]
    target["connections/api"] = {"conn_type": "http"}
    result = plan(run, target, AIRLOCK_TOKEN=token)
    assert result.returncode == 3
    assert [row[0] for row in rows(result)] == ["create", "update", "create", "create"]
    assert "connections may not be listed with this token" in result.stderr
    assert apply(run, AIRLOCK_TOKEN=token).stdout == "created 3, updated 1\n"


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


def test_a_plan_says_neither_where_a_token_goes_nor_replaces_another(run, target):
    run.file(FILE)
    plan(run, target)
    nowhere = f"http://127.0.0.1:{servers.free_port()}"
    for arguments, environment, said in [
        (["--url", nowhere], {}, "the plan is for"), ([], {"AIRLOCK_ADDR": None}, "no server"),
        (["--mount-point", "other"], {}, "the plan is for the mount"),
        (["--namespace", "other"], {}, "the plan is for the namespace root"),
    ]:
        result = apply(run, *arguments, **environment)
        assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    taken = plan(run, target)
    assert taken.returncode == 1 and "plan.json is there already" in taken.stderr
    assert target.names() == []


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


def test_each_secret_of_a_batch_is_told_in_the_audit_log_and_its_value_is_not(audited, tmp_path):
    server, log = audited()
    run = Import(tmp_path, server)
    run.file(FILE)
    assert run("prod.env", "--mount-point", "secret").returncode == 0
    assert CANARY not in log.read_text()
    told = [entry["request"] for entry in entries(log) if entry["type"] == "response"]
    batched = [(request["operation"], request["path"]) for request in told if "/data/" in request["path"]]
    for name in ["connections/pg", "connections/api", "connections/sales/pg", "variables/region"]:
        assert ("create", f"secret/data/{name}") in batched and ("read", f"secret/data/{name}") in batched
    assert any(request["path"] == "api/v2/secrets/batch" for request in told)


def test_a_batch_reaches_the_vault_behind_a_mount(front, tmp_path):
    airlock = front(behind_proxy=False)
    run = Import(tmp_path, airlock.airlock)
    run.file(FILE)
    assert run("plan", "prod.env", "--mount-point", "airflow", "--out", "plan.json").returncode == 3
    assert run("apply", "plan.json").stdout == "created 4, updated 0\n"
    behind = airlock.upstream
    stored = behind.client.get(f"/v1/{behind.path('connections/sales/pg')}").data["data"]
    assert stored["conn_uri"].startswith("postgres://u:")
    assert run("undo", "plan.json").stdout == "deleted 4, restored 0\n"
    assert behind.client.get(f"/v1/{behind.path('connections/pg')}").status == 404
