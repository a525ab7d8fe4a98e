"""`airlock resolve` and `airlock exec`, with Airlock and with OpenBao on the other side: what a command gets, what it does not get, and
that no value is anywhere else."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

import servers
from audited import audited, entries  # a fixture among them
from test_canary import find
from wire import Connection

CANARY = "CanarySingsInTheShaft"
PASSWORD = f"{CANARY}-p@ss/wörd 100%+"
ODD = "a b+c/100%/é"  # a name that needs care, as a path and as a field
POLICY = 'path "secret/data/*" { capabilities = ["read"] }\npath "plain/*" { capabilities = ["read"] }'
REFERENCE = "{vault://secret/db/password}"

# The command that `exec` starts in these tests: it tells what it got and which signals came, and stays or ends.
TELL = """
import json, os, pathlib, signal, sys, time
out, stay = pathlib.Path(sys.argv[1]), sys.argv[2] == "stay"
def tell(event):
    with open(out, "a") as file:
        file.write(json.dumps({"event": event, "pid": os.getpid(), "env": dict(os.environ), "args": sys.argv}) + "\\n")
for name in ["HUP", "USR1", "TERM"]:
    signal.signal(getattr(signal, "SIG" + name), lambda number, frame: tell(signal.Signals(number).name)
        or number == signal.SIGTERM and "deaf" not in sys.argv and sys.exit(3))
tell("start")
while stay: time.sleep(0.01)
sys.exit(int(sys.argv[3]))
"""


def write(connection, path, data):
    servers.wait_until(lambda: connection.post(f"/v1/{path}", data).status in (200, 204), "the secret is written")


def prepared(server):
    """A connection of the root's, after secrets were written and a token made that may read them (`server.reader`)."""
    root = Connection(server)
    root.post("/v1/sys/mounts/plain", {"type": "kv", "options": {"version": "1"}})
    root.put("/v1/sys/policies/acl/reader", {"policy": POLICY})
    server.reader = root.post("/v1/auth/token/create", {"policies": ["reader"], "ttl": "1h"}).json["auth"]["client_token"]
    write(root, "secret/data/a%20b+c/100%25/%C3%A9", {"data": {ODD: "odd"}})
    write(root, "plain/db", {"password": "plain one", "bytes": "/wA="})
    return root


@pytest.fixture(scope="module")
def connection(vault_server):
    root = prepared(vault_server)
    yield root
    root.close()


class Command:
    """`airlock` with the server in its environment."""

    def __init__(self, server, folder, connection):
        self.folder, self.connection = folder, connection
        self.program = servers.airlock_program()
        self.environment = servers.clean_environment(folder, VAULT_ADDR=server.url, VAULT_TOKEN=server.reader)
        self.told = folder / "told"
        self.rotate(PASSWORD)

    def rotate(self, password):
        write(self.connection, "secret/data/db", {"data": {
            "login": "app", "password": password, "port": 5432, "keys": json.dumps({"old": ["k1", "k2"]})}})

    def run(self, *arguments, input=None, text=True, **environment):
        return subprocess.run(
            [self.program, *arguments], env=self.environment | environment, input=input, capture_output=True, text=text,
            timeout=30)

    def child(self, *arguments):
        return ["--", sys.executable, "-c", TELL, str(self.told), *arguments]

    @contextlib.contextmanager
    def started(self, *arguments, child=("stay",), **environment):
        """A running `exec`, its command having told that it started."""
        with open(self.folder / "stderr", "wb") as err:
            process = subprocess.Popen(
                [self.program, "exec", *arguments, *self.child(*child)], env=self.environment | environment, stderr=err)
        try:
            self.wait("start", 1, process)
            yield process
        finally:
            for started in self.events("start"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(started["pid"], signal.SIGKILL)
            process.kill()
            process.wait(10)

    @property
    def complaints(self):
        return (self.folder / "stderr").read_text()

    def events(self, event):
        lines = self.told.read_text().splitlines(keepends=True) if self.told.exists() else []
        return [line for line in map(json.loads, (line for line in lines if line.endswith("\n"))) if line["event"] == event]

    def wait(self, event, count, process=None):
        return servers.wait_until(
            lambda: len(self.events(event)) >= count and self.events(event), f"{count} x {event}", process=process)


@pytest.fixture
def command(vault_server, connection, tmp_path):
    return Command(vault_server, tmp_path, connection)


# MARK: resolve

def test_resolve_prints_one_value_a_line(command):
    done = command.run("resolve", REFERENCE, "{vault://secret/db/port}", "{vault://plain/db/password}",
                       "pg://{vault://secret/db/login}:{vault://secret/db/password?url_encode=true}@db")
    assert (done.returncode, done.stderr) == (0, "")
    encoded = f"{CANARY}-p%40ss%2Fw%C3%B6rd%20100%25%2B"
    assert done.stdout == f"{PASSWORD}\n5432\nplain one\npg://app:{encoded}@db\n"


def test_resolve_reads_references_from_standard_input(command):
    done = command.run("resolve", "{vault://secret/db/login}", "-", input=f"{REFERENCE}\n{{vault://secret/db/keys?json=/old/1}}\n")
    assert done.stdout.splitlines() == ["app", PASSWORD, "k2"]


def test_resolve_prints_json_with_each_value_or_error(command):
    done = command.run("resolve", "--json", "--prefix", "kong=secret/db", "{vault://kong/login}", "{vault://secret/db/nobody}",
                       "{vault://secret/nobody/x?default=y%20z}", "{vault://nowhere/a/b}", "{vault://plain/db/bytes?base64_decode=true}")
    assert done.returncode == 1 and done.stderr == ""
    first, absent, default, nowhere, bytes = json.loads(done.stdout)
    assert (first, default) == ({"value": "app"}, {"value": "y z"})
    assert absent == {"error": "{vault://secret/db/nobody}: the secret has no such field"}
    assert nowhere == {"error": "{vault://nowhere/a/b}: there is no such mount, or the token may read nothing there"}
    assert "not UTF-8" in bytes["error"]


def test_resolve_prints_bytes_as_they_are(command):
    assert command.run("resolve", "{vault://plain/db/bytes?base64_decode=true}", text=False).stdout == b"\xff\x00\n"


def test_resolve_prints_nothing_when_one_of_them_has_no_value(command):
    done = command.run("resolve", REFERENCE, "{vault://secret/db/nobody}", "{vault://secret/db/password?default=" + CANARY)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "airlock: 2: {vault://secret/db/nobody}: the secret has no such field", "airlock: 3: a reference has no '}' at its end"]


def test_names_are_percent_encoded_both_ways(command):
    encoded = "{vault://secret/a%20b%2Bc/100%25/%C3%A9/a%20b%2Bc%2F100%25%2F%C3%A9}"
    plain = "{vault://secret/a b+c/100%25/é/a b+c%2F100%25%2Fé}"
    assert command.run("resolve", encoded, plain).stdout == "odd\nodd\n"


def test_an_older_version_is_named_by_its_number(command):
    before = command.run("resolve", "{vault://secret/db/password}").stdout
    version = command.connection.get("/v1/secret/data/db").data["metadata"]["version"]
    command.rotate("next")
    assert command.run("resolve", f"{{vault://secret/db/password#{version}}}", "{vault://secret/db/password}").stdout == f"{before}next\n"


def test_resolve_logs_in_as_airflow_does(command, connection, vault_server, tmp_path):
    connection.post("/v1/sys/auth/approle", {"type": "approle"})
    connection.put("/v1/auth/approle/role/app", {"role_id": "app", "token_policies": "reader"})
    (tmp_path / "secret-id").write_text(connection.put("/v1/auth/approle/role/app/secret-id", {}).data["secret_id"])
    kwargs = {"url": vault_server.url, "auth_type": "approle", "role_id": "app", "secret_id_path": str(tmp_path / "secret-id")}
    done = command.run("resolve", "--backend-kwargs", json.dumps(kwargs), REFERENCE, VAULT_TOKEN="", VAULT_ADDR="")
    assert (done.returncode, done.stdout) == (0, f"{PASSWORD}\n"), done.stderr


def test_a_namespace_is_named_by_an_option_or_in_the_path(command):
    team = {"X-Vault-Namespace": "team"}
    command.connection.post("/v1/sys/namespaces/team", {})
    command.connection.post("/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, headers=team)
    servers.wait_until(lambda: command.connection.post(
        "/v1/kv/data/db", {"data": {"password": "the team's"}}, headers=team).status == 200, "the secret is written")
    command.environment["VAULT_TOKEN"] = command.connection.token
    assert command.run("resolve", "--namespace", "team", "{vault://kv/db/password}").stdout == "the team's\n"
    assert command.run("resolve", "{vault://team/kv/db/password}").stdout == "the team's\n"
    assert "no such namespace" in command.run("resolve", "--namespace", "none", "{vault://kv/db/password}").stderr
    assert "no KV mount" in command.run("resolve", "{vault://cubbyhole/a/b}").stderr


def test_what_is_missing_is_wrong_usage(command):
    assert command.run("resolve", REFERENCE, VAULT_TOKEN="").returncode == 2
    assert "no server" in command.run("resolve", REFERENCE, VAULT_ADDR="").stderr
    assert "--prefix" in command.run("resolve", "--prefix", "a/b=secret", REFERENCE).stderr


def test_a_server_that_is_away_is_said_with_the_reference(command):
    port = servers.free_port()
    done = command.run("resolve", REFERENCE, VAULT_ADDR=f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"airlock: {REFERENCE}: ") and str(port) in done.stderr


# MARK: exec

def test_the_command_gets_values_and_nothing_that_leads_to_others(command, tmp_path):
    (tmp_path / ".env").write_text(f"FROM_FILE='{REFERENCE}'\nOVER=file\nVAULT_NAMESPACE=none\n")
    done = command.run(
        "exec", "--env-file", str(tmp_path / ".env"), *command.child("go", "0"), OVER="inherited", PLAIN="{not a reference}",
        URL="pg://app:{vault://secret/db/password?url_encode=true}@db", AIRLOCK_ADDR="", BAO_TOKEN="x", AIRLOCK_TOKEN="")
    assert (done.returncode, done.stderr) == (0, "")
    environment = command.events("start")[0]["env"]
    assert environment["FROM_FILE"] == PASSWORD and environment["OVER"] == "file"
    assert environment["URL"].startswith("pg://app:CanarySings") and environment["PLAIN"] == "{not a reference}"
    assert not [name for name in environment if name.startswith(("AIRLOCK_", "VAULT_", "BAO_"))]


def test_without_watching_the_process_becomes_the_command(command):
    with command.started(A=REFERENCE) as process:
        [started] = command.events("start")
        assert started["pid"] == process.pid and started["env"]["A"] == PASSWORD
        process.terminate()
        assert process.wait(10) == 3
    assert command.complaints == ""


def test_the_command_inherits_files_and_signals_as_they_were(command):
    """What a shell has opened or ignored for a command is the command's."""
    script = (f"exec 7</dev/null; trap '' HUP; '{command.program}' exec $0 -- sh -c "
              "'ls /proc/self/fd; grep -E \"SigBlk|SigIgn\" /proc/self/status'")
    expected = subprocess.run(["sh", "-c", script.replace(f"'{command.program}' exec $0 --", "")], env=command.environment,
                              capture_output=True, text=True).stdout.split()
    for watching in ["--on-change=ignore", "--on-change=restart"]:
        printed = subprocess.run(["sh", "-c", script, watching], env=command.environment | {"A": REFERENCE},
                                 capture_output=True, text=True, timeout=30).stdout.split()
        ignored = int(printed[-1], 16) & 0x7FFFFFFF  # beyond are the C library's own
        assert printed[:-1] == expected[:-1] and ignored == int(expected[-1], 16) & 0x7FFFFFFF


@pytest.mark.parametrize("watching", ["ignore", "restart"])
def test_the_exit_code_is_the_commands(command, watching):
    def code(*words):
        return command.run("exec", f"--on-change={watching}", "--", *words, A=REFERENCE).returncode

    assert code("sh", "-c", "exit 42") == 42
    killed = code("sh", "-c", "kill -TERM $$")
    assert killed == (-signal.SIGTERM if watching == "ignore" else 128 + signal.SIGTERM)
    assert code("no-such-command-anywhere") == 127
    assert code("/") == 126


def test_a_command_whose_reference_has_no_value_is_not_started(command, tmp_path):
    done = command.run("exec", *command.child("go", "0"), GOOD=REFERENCE, BAD="x {vault://secret/db/nobody} y",
                       BROKEN="{vault://secret/nobody/x?base64_decode=true}")
    assert (done.returncode, done.stdout) == (125, "")
    assert sorted(done.stderr.splitlines()) == [
        "airlock: BAD: {vault://secret/db/nobody}: the secret has no such field",
        "airlock: BROKEN: {vault://secret/nobody/x}: there is no such secret"]
    done = command.run("exec", *command.child("go", "0"), BAD="{vault://secret/db}")
    assert (done.returncode, done.stderr) == (
        125, "airlock: BAD: {vault://secret/db}: it names a mount and a field, but no secret: {vault://mount/path/field}\n")
    done = command.run("exec", *command.child("go", "0"), BINARY="{vault://plain/db/bytes?base64_decode=true}")
    assert done.returncode == 125 and "NUL" in done.stderr
    (tmp_path / ".env").write_text(f"GOOD=1\n{CANARY}\n")
    done = command.run("exec", "--env-file", str(tmp_path / ".env"), *command.child("go", "0"))
    assert done.returncode == 125 and "/.env:2: " in done.stderr and CANARY not in done.stderr
    assert not command.told.exists()


def test_a_signal_ends_the_wait_for_a_server(command):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            [command.program, "exec", *command.child("go", "0")],
            env=command.environment | {"A": REFERENCE, "VAULT_ADDR": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        try:
            silent.settimeout(20)
            with silent.accept()[0]:
                process.terminate()
                assert process.wait(10) == 128 + signal.SIGTERM
        finally:
            process.kill()
            process.wait(10)
    assert not command.told.exists()


def test_options_that_make_no_sense_are_wrong_usage(command):
    for words in [["--on-change", "maybe"], ["--on-change", "signal:KILL"], ["--interval", "5s"], ["--kill-after", "5s"],
                  ["--on-change", "restart", "--interval", "1ms"]]:
        assert command.run("exec", *words, "--", "true").returncode == 2, words
    assert command.run("exec").returncode == 2


# MARK: watching

def test_a_changed_value_starts_the_command_anew(command):
    with command.started("--on-change", "restart", "--interval", "1s", A=REFERENCE) as process:
        command.rotate("rotated")
        first, second = command.wait("start", 2, process)
        assert (first["env"]["A"], second["env"]["A"]) == (PASSWORD, "rotated")
        assert [ended["pid"] for ended in command.events("SIGTERM")] == [first["pid"]]
        process.terminate()
        assert process.wait(10) == 3
        assert command.events("SIGTERM")[-1]["pid"] == second["pid"]
    assert command.complaints == "airlock: a value has changed; the command is started anew\n"


def test_a_command_that_does_not_end_is_killed_before_it_is_started_anew(command):
    with command.started("--on-change", "restart", "--interval", "1s", "--kill-after", "1s", child=("stay", "0", "deaf"),
                         A=REFERENCE) as process:
        command.rotate("rotated")
        first, second = command.wait("start", 2, process)
        assert second["env"]["A"] == "rotated" and not pathlib.Path(f"/proc/{first['pid']}").exists()


def test_a_changed_value_sends_the_signal_that_was_asked_for_as_long_as_the_command_runs(command):
    """Longer than the token would live if nobody renewed it."""
    token = command.connection.post("/v1/auth/token/create", {"policies": ["reader"], "ttl": "4s"}).json["auth"]["client_token"]
    expiry = time.monotonic() + 4.2
    with command.started("--on-change", "signal:HUP", "--interval", "1s", A=REFERENCE, VAULT_TOKEN=token) as process:
        command.rotate("rotated")
        command.wait("SIGHUP", 1, process)
        servers.wait_until(lambda: time.monotonic() > expiry, "the token would be dead", process=process)
        command.rotate("again")
        command.wait("SIGHUP", 2, process)
        assert len(command.events("start")) == 1 and command.complaints == ""


def test_signals_go_on_to_the_command(command):
    with command.started("--on-change", "restart", A=REFERENCE) as process:
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGHUP)
        command.wait("SIGUSR1", 1, process)
        command.wait("SIGHUP", 1, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 3


def test_a_command_that_is_asked_to_end_is_not_started_anew(command):
    with command.started("--on-change", "restart", "--interval", "1s", child=("stay", "0", "deaf"), A=REFERENCE) as process:
        process.terminate()
        command.wait("SIGTERM", 1, process)
        command.rotate("rotated")
        [started] = command.events("start")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.5)
        os.kill(started["pid"], signal.SIGKILL)
        assert process.wait(10) == 128 + signal.SIGKILL
        assert len(command.events("start")) == len(command.events("SIGTERM")) == 1


def test_a_poll_that_fails_leaves_the_command_alone(command):
    with command.started("--on-change", "restart", "--interval", "1s", A=REFERENCE, B="{vault://secret/b/key?default=none}") as process:
        command.connection.delete("/v1/secret/data/db")
        servers.wait_until(lambda: "keeps those that it has" in command.complaints, "the failure is told", process=process)
        assert f"airlock: A: {REFERENCE}: there is no such secret\n" in command.complaints
        command.rotate(PASSWORD)
        servers.wait_until(lambda: "can be read again" in command.complaints, "the recovery is told", process=process)
        assert len(command.events("start")) == 1
        assert command.complaints.count("keeps those") == 1


# MARK: secrecy

def test_values_are_in_the_commands_environment_and_nowhere_else(command, vault_server, tmp_path):
    """Not on a command line, not in the environment of who watches, not in a file, not in what is printed, not in a log."""
    with command.started("--on-change", "restart", "--interval", "1s", A=REFERENCE, B=f"x{REFERENCE}y") as process:
        [started] = command.events("start")
        child, watcher = (pathlib.Path("/proc") / str(pid) for pid in (started["pid"], process.pid))
        assert PASSWORD.encode() in (child / "environ").read_bytes()
        places = {
            "ps, the command": (child / "cmdline").read_bytes(), "ps, exec": (watcher / "cmdline").read_bytes(),
            "the environment of exec": (watcher / "environ").read_bytes()}
        command.told.unlink()  # the command's own word
        places |= {str(file): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert str(tmp_path / "stderr") in places
        if vault_server.name == "airlock":
            places |= {"the log": vault_server.stderr.encode(), "the output": vault_server.stdout.encode()}
            places |= {str(file): file.read_bytes() for file in vault_server.data.rglob("*") if file.is_file()}
        assert find({"the password": PASSWORD}, places) == []
        process.terminate()
        process.wait(10)


# MARK: POST /api/v2/references

def test_a_server_resolves_what_the_command_does(airlock, tmp_path):
    command = Command(airlock, tmp_path, prepared(airlock))
    texts = [REFERENCE, "{vault://plain/db/password}", "a{vault://secret/db/keys?json=/old/0}b", "{vault://secret/db/nobody}",
             "{vault://secret/nobody/x?default=d}", "{vault://nowhere/a/b}"]
    theirs = json.loads(command.run("resolve", "--json", *texts).stdout)
    ours = command.connection.post("/api/v2/references", {"references": texts}, token=airlock.reader).json["results"]
    assert [one.get("value") for one in ours] == [one.get("value") for one in theirs]
    assert [one["status"] for one in ours] == [200, 200, 200, 404, 200, 403]


def test_references_are_read_through_the_cache_in_front_of_a_vault(front):
    made = front()
    made.upstream.write("connections/pg", {"conn_uri": "postgres://db", "extra": CANARY})
    ask = {"references": ["{vault://airflow/connections/pg/conn_uri}", "{vault://airflow/connections/pg/extra}"]}
    first = made.client.post("/api/v2/references", ask)
    assert [one["value"] for one in first.json["results"]] == ["postgres://db", CANARY]
    made.upstream.write("connections/pg", {"conn_uri": "postgres://other"})
    assert made.client.post("/api/v2/references", ask).json == first.json
    absent = made.client.post("/api/v2/references", {"references": ["{vault://airflow/connections/none/x}"]})
    assert absent.json["results"][0]["status"] == 404
    forbidden = made.client.post("/api/v2/references", {"references": ["{vault://airflow/forbidden/a/x}"]})
    assert forbidden.json["results"][0]["status"] == 403


def test_each_secret_that_references_name_is_told_once_in_the_audit_log_and_its_value_is_not(audited):
    server, log = audited(log_level="debug")
    client = Connection(server)
    write(client, "secret/data/db", {"data": {"login": CANARY, "password": CANARY}})
    asked = ["{vault://secret/db/login}", "{vault://secret/db/password}", "{vault://secret/none/x?default=" + CANARY + "}",
             "{vault://secret/db/login?nonsense=" + CANARY + "}", "{vault://" + CANARY]
    results = client.post("/api/v2/references", {"references": asked}).json["results"]
    assert [one["status"] for one in results] == [200, 200, 200, 400, 400]
    read = [entry["request"]["path"] for entry in entries(log) if entry["type"] == "response" and entry["request"]["operation"] == "read"]
    assert sorted(read) == ["secret/data/db", "secret/data/none"]
    assert find({"the canary": CANARY}, {"the audit log": log.read_bytes(), "the log": server.stderr.encode()}) == []
