"""The documentation is run. Every `sh` block of README.md is executed, in order, in one shell session beside a real
`./scripts/run`; a `text` block right after it must stand in what was printed. Tables that the program knows are compared
with the program."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import ssl
import subprocess

import pytest
import yaml

import servers
from authority import Authority
from wire import Connection

README = servers.REPOSITORY / "README.md"
DOCS = [README, *sorted((servers.REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
READY = "Ctrl-C stops Airlock."
BUILT_IN = 900  # seconds; a no-op where ./scripts/test has built already


def blocks():
    """(commands, lines that they must print) for each `sh` block."""
    fences = list(FENCE.finditer(README.read_text()))
    for fence, after in zip(fences, [*fences[1:], None]):
        if fence[1] == "sh":
            has_output = after is not None and after[1] == "text" and after.start() == fence.end()
            yield fence[2], after[2].splitlines() if has_output else []


BLOCKS = list(blocks())


def one_line(command):
    return command.splitlines()[0][:70]


# MARK: scripts/run

class Run:
    """A `scripts/run` on a debug build, ready. Its settings are those that it printed."""

    def __init__(self, folder, data):
        folder.mkdir(parents=True, exist_ok=True)
        self.data = data
        ours = ("AIRLOCK_", "VAULT_", "BAO_", "AIRFLOW", "PYTEST_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"AIRLOCK_BUILD": "debug", "AIRLOCK_LISTEN": "127.0.0.1:0", "AIRLOCK_DATA_DIR": str(data)}
        self.output_path, self.log_path = folder / "run.stdout", folder / "run.stderr"
        with open(self.output_path, "wb") as out, open(self.log_path, "wb") as log:
            self.child = subprocess.Popen(
                [servers.REPOSITORY / "scripts/run"], stdin=subprocess.DEVNULL, stdout=out, stderr=log, cwd=folder,
                env=environment)
        try:
            servers.wait_until(lambda: READY in self.output, "scripts/run", BUILT_IN, self.child)
        except BaseException:
            self.stop()
            print(self.output, self.log_path.read_text(errors="replace")[-4000:], sep="\n---\n")
            raise
        self.url = re.search(r"^Airlock answers at (\S+);", self.output, re.MULTILINE)[1]
        exported = re.findall(r"^export (AIRFLOW__SECRETS__\w+=.*)$", self.output, re.MULTILINE)
        self.settings = dict(shlex.split(line)[0].split("=", 1) for line in exported)
        self.kwargs = json.loads(self.settings["AIRFLOW__SECRETS__BACKEND_KWARGS"])

    @property
    def output(self):
        return self.output_path.read_text(errors="replace")

    @property
    def processes(self):
        """The ids of all processes that name the data directory, in their arguments or in what they hold open."""
        return {int(folder.name) for folder in pathlib.Path("/proc").iterdir()
                if folder.name.isdigit() and int(folder.name) != os.getpid() and names(folder, str(self.data))}

    def stop(self, by=signal.SIGTERM):
        """The exit code."""
        if self.child.poll() is None:
            self.child.send_signal(by)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)
                raise
        return self.child.returncode


def names(process, text):
    try:
        if text.encode() in (process / "cmdline").read_bytes():
            return True
        return any(os.readlink(file).startswith(text) for file in (process / "fd").iterdir())
    except OSError:  # gone, or somebody else's
        return False


@pytest.fixture
def run(tmp_path, airlock_only):
    """Starts `scripts/run` on one data directory, as often as wanted."""
    started = []

    def start():
        started.append(Run(tmp_path / str(len(started)), tmp_path / "data"))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def as_airflow_reads(run, tmp_path, *what):
    done = subprocess.run(
        [servers.TOOLS / "airflow3/bin/python", pathlib.Path(__file__).with_name("read_with_airflow.py"), *what],
        env=servers.clean_environment(tmp_path, AIRFLOW_HOME=tmp_path / "airflow", **run.settings),
        capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_run_serves_what_airflow_reads_with_the_printed_settings_and_leaves_no_process(run, tmp_path):
    first = run()
    assert '{"conn_uri": "postgres://airflow:example-password@warehouse.example.com:5432/analytics"}' in first.output
    answer = as_airflow_reads(first, tmp_path, "connection:payments_api", "variable:environment")
    assert answer["airflow"] == "3.3.2"
    assert answer["variable:environment"] == "staging"
    payments = answer["connection:payments_api"]
    assert (payments["host"], payments["password"]) == ("https://api.example.com", "not#a/real:secret")

    login = Connection(Here(first.url), token=None).post(
        "/v1/auth/approle/login", {name: first.kwargs[name] for name in ("role_id", "secret_id")})
    reader = Connection(Here(first.url), token=login.json["auth"]["client_token"])
    assert reader.get("/v1/airflow/data/connections/warehouse").status == 200
    assert reader.post("/v1/airflow/data/connections/warehouse", {"data": {}}).status == 403
    assert reader.get("/v1/secret/data/x").status == 403

    assert len(first.processes) >= 1
    assert first.stop() == 0
    assert first.processes == set()

    second = run()
    assert second.kwargs | {"url": ""} == first.kwargs | {"url": ""}  # what was pasted into Airflow stays good
    assert as_airflow_reads(second, tmp_path, "variable:environment")["variable:environment"] == "staging"
    assert second.stop(by=signal.SIGINT) == 0
    assert second.processes == set()


def test_run_keeps_its_secrets_to_the_owner_and_off_command_lines(run):
    one = run()
    root = (one.data / "root-token").read_text().strip()
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in one.data.iterdir()} == {
        name: "0o600" for name in [file.name for file in one.data.iterdir()]}
    for process in one.processes:
        arguments = pathlib.Path(f"/proc/{process}/cmdline").read_text()
        assert root not in arguments and one.kwargs["secret_id"] not in arguments


class Here:
    """An address in the shape that `wire.Connection` wants."""

    def __init__(self, url, token=None):
        self.token = token
        host, port = url.split("://")[1].rsplit(":", 1)
        self.host_and_port = host, int(port)


# MARK: README

class Session:
    """One reader of the README: `./scripts/run` in the first terminal, everything else in a second one."""

    def __init__(self, folder):
        self.folder = folder
        self.run = None
        self.done = []
        release = folder / ".build/release"
        release.parent.mkdir()
        release.symlink_to(pathlib.Path(servers.airlock_program()).parent)
        (folder / "examples").symlink_to(servers.REPOSITORY / "examples")
        self.environment = servers.clean_environment(folder, AIRFLOW_HOME=folder / "airflow", NO_COLOR="1")
        self.environment["PATH"] = ":".join([
            str(servers.TOOLS / "airflow3/bin"), str(servers.TOOLS / "py/bin"), self.environment["PATH"]])

    def printed(self, number):
        """What block `number` printed; the blocks before it are run first."""
        while len(self.done) <= number:
            self.done.append(self.execute(BLOCKS[len(self.done)][0]))
        code, output = self.done[number]
        if code is None:
            pytest.skip(output)
        assert code == 0, output
        return output

    def execute(self, commands):
        if commands == "./scripts/run\n":
            self.run = Run(self.folder / "first-terminal", self.folder / ".airlock")
            return 0, self.run.output
        if commands == "./scripts/test\n":  # it is running: this is one of its tests
            return subprocess.run(["bash", "-n", servers.REPOSITORY / "scripts/test"]).returncode, ""
        for tool in ["curl", "sqlite3"]:
            if re.search(rf"^{tool} ", commands, re.MULTILINE) and not shutil.which(tool):
                return None, f"no {tool} on this machine"
        commands = self.here(commands)
        last = commands.splitlines()[-1]
        if last.startswith("airlock serve "):
            return self.serve(commands.removesuffix(last + "\n"), last)
        return self.shell(commands)

    def here(self, text):
        """The README's address is the default one; ours is whichever was free."""
        return text.replace("http://127.0.0.1:8100", self.run.url) if self.run else text

    def script(self, commands):
        state = self.folder / "exported"
        return f"set -euo pipefail\n[ ! -e {state} ] || . {state}\n{commands}\nexport -p > {state}\n"

    def shell(self, commands):
        done = subprocess.run(
            ["bash", "-c", self.script(commands)], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        return done.returncode, done.stdout

    def serve(self, before, command):
        """A command that stays in the foreground: it must become ready, and end when it is told to."""
        command = f"{before}exec {command} --listen 127.0.0.1:0"
        child = subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n. {self.folder / 'exported'}\n{command}"], cwd=self.folder,
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            line = child.stdout.readline()
            assert servers.READY.match(line), f"{command}: {line!r}"
            child.terminate()
            return child.wait(20), line
        finally:
            if child.poll() is None:
                child.kill()
                child.wait(10)
            child.stdout.close()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    session = Session(tmp_path_factory.mktemp("readme"))
    yield session
    if session.run:
        assert session.run.stop() == 0


@pytest.mark.parametrize(
    "number", range(len(BLOCKS)), ids=[f"{i}: {one_line(commands)}" for i, (commands, _) in enumerate(BLOCKS)])
def test_the_commands_of_the_readme_do_what_it_says(number, session, airlock_only):
    printed = session.printed(number)
    for line in BLOCKS[number][1]:
        assert session.here(line) in printed


def test_the_backup_of_the_readme_restores(session, airlock_only, start_airlock):
    session.printed(next(i for i, (commands, _) in enumerate(BLOCKS) if ".backup" in commands))
    start_airlock.data.mkdir()
    shutil.copy(session.folder / "backup.db", start_airlock.data / "store.db")
    restored = start_airlock("--key-file", str(session.folder / "backup.key"), token=None)
    restored.token = (session.folder / ".airlock/root-token").read_text().strip()
    answer = Connection(restored).get("/v1/airflow/data/connections/warehouse")
    assert answer.data["data"] == {
        "conn_uri": "postgres://airflow:example-password@warehouse.example.com:5432/analytics"}


def test_the_settings_table_is_what_the_program_prints(airlock_only):
    printed = subprocess.run([servers.airlock_program(), "settings"], capture_output=True, text=True, timeout=20).stdout
    table = re.search(r"<!-- settings: begin -->\n(.*?)<!-- settings: end -->", README.read_text(), re.DOTALL)[1]
    assert table == printed


CONTAINERS = [yaml.safe_load(fence[2])[0] for fence in FENCE.finditer(README.read_text()) if fence[1] == "yaml"]


@pytest.mark.parametrize("container", CONTAINERS, ids=["on loopback", "with a certificate"])
def test_the_containers_of_the_readme_are_yaml_and_airlock_takes_their_arguments(start_airlock, tmp_path, container):
    program, verb, *arguments = container["args"]
    assert (program, verb) == ("airlock", "serve")
    (tmp_path / "airlock.key").write_text("QUlSTE9DSy1BSVJMT0NLLUFJUkxPQ0stQUlSTE9DSyE=\n")
    (tmp_path / "root-token").write_text("of-the-container\n")
    certificate, key = Authority(tmp_path, "ours").issue("server")
    replaced = {
        "/data/airlock": str(start_airlock.data), "/key/airlock.key": str(tmp_path / "airlock.key"),
        "/tls/tls.crt": str(certificate), "/tls/tls.key": str(key), "0.0.0.0:8200": "0.0.0.0:0"}
    [variable] = container["env"]
    server = start_airlock(
        *[replaced.get(argument, argument) for argument in arguments], token=None,
        **{variable["name"]: variable["value"].replace("/key", str(tmp_path))})
    here = Here(server.url.replace("0.0.0.0", "127.0.0.1"), "of-the-container")
    here.tls = ssl.create_default_context(cafile=tmp_path / "ours.pem") if "/tls/tls.crt" in arguments else None
    assert "secret/" in Connection(here).get("/v1/sys/mounts").data
    probe = container["readinessProbe"]
    if "exec" in probe:
        command = [part.replace("8100", str(server.host_and_port[1])) for part in probe["exec"]["command"]]
        assert subprocess.run(command, timeout=20).returncode == 0
    else:
        assert probe["httpGet"]["scheme"].lower() == server.url.split(":")[0]
        assert Connection(here).get(probe["httpGet"]["path"], token=None).status == 200


# MARK: docs

def test_every_finding_of_the_linter_is_documented_with_its_severity():
    [file] = (servers.REPOSITORY / "Sources").rglob("Finding.swift")
    source = file.read_text()
    body = source[source.index("enum Code"):source.index("package var json")]
    codes = {name: text or name for name, text in re.findall(r'^        case (\w+)(?: = "([\w-]+)")?$', body, re.MULTILINE)}
    warnings = set(re.findall(r"\.(\w+)", re.search(r"switch self \{\s+case (.*?):\s+\.warning", body, re.DOTALL)[1]))
    assert len(codes) > 40 and warnings < set(codes)
    expected = {text: "warning" if name in warnings else "error" for name, text in codes.items()}
    table = (servers.REPOSITORY / "docs/typed-models.md").read_text()
    assert dict(re.findall(r"^\| `([\w-]+)` \| (error|warning) \|", table, re.MULTILINE)) == expected


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        file = page if not file else (page.parent / file).resolve()
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], target
