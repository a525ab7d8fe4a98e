"""`conn-import --from-airflow-db`: metadata databases that Airflow 2.10.5 and 3.3.2 made and filled themselves, imported into
both servers, and read back there by Airflow's own `VaultBackend`."""

import json
import pathlib
import re
import sqlite3
import subprocess
import urllib.parse
import uuid

import pytest
from cryptography.fernet import Fernet

import servers
from postgresql import PASSWORD, USER, PostgreSQL
from wire import Connection

HERE = pathlib.Path(__file__).parent
CANARY = "canary-"
OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
TOKEN = Fernet(NEW).encrypt(b"canary-inside-a-token").decode()

STEPS = [
    {"fernet_key": OLD, "connections": {
        "pg": {
            "conn_type": "postgres", "description": "Main", "host": "db.example.com", "login": "etl", "port": 5432,
            "password": "canary-pg", "schema": "app", "extra": '{"sslmode": "require"}'},
        "unicode": {
            "conn_type": "http", "description": "日本", "host": "bücher.example", "login": "jörg",
            "password": "canary-пароль 🔑 e\u0301", "extra": '{"ü": "e\u0301", "escaped": "\\u00fc"}'},
    }, "variables": {"region": "eu-central-1", "unicode": "canary-ü e\u0301 🔑"}},
    {"fernet_key": f"{NEW},{OLD}", "connections": {
        "Api-Main.v2": {
            "conn_type": "http", "host": "Api.Example.com", "schema": "https", "password": "canary-api",
            "extra": '{\n  "timeout": 1.50,\n  "verify": "false",\n  "big": 12345678901234567890123,\n  "n": NaN\n}'},
        "empty": {
            "conn_type": "http", "description": "", "host": "", "login": "", "password": "", "schema": "", "extra": ""},
        "bare": {"conn_type": "fs"},
        "port_zero": {"conn_type": "ftp", "host": "h", "port": 0},
        "jdbc": {
            "conn_type": "jdbc", "host": "jdbc:postgresql://h:5432/db", "password": "canary-a%2Fb +&?#@:/\"'\\\t\n"},
        "gcp": {
            "conn_type": "google_cloud_platform",
            "extra": json.dumps({"keyfile_dict": json.dumps({"private_key": "-----BEGIN-----\ncanary-\n"}), "n": {}})},
        "dashed": {"conn_type": "my-type", "host": "h"},
        "long": {"conn_type": "ssh", "password": "canary-" + "x" * 60_000},
        "folder/pg": {"conn_type": "postgres", "password": "canary-folder"},
    }, "variables": {
        "empty": "", "json": '{"a": [1.0, "canary-"]}', "lines": "canary-1\n2\r\n\t3 ", "long": "canary-" * 10_000,
        "a/b": "canary-a", "two words": "canary-b", "line\nbreak\x1b[31m": "canary-c"}},
    {"fernet_key": "", "connections": {
        "plain": {"conn_type": "mysql", "host": "h", "password": "canary-plain", "extra": '{"a": null}'},
        "token_as_text": {"conn_type": "mysql", "host": "h", "password": TOKEN},
    }, "variables": {"plain": "canary-plain", "token_as_text": TOKEN}},
    {"fernet_key": f"{NEW},{OLD}"},
    # What no Airflow with these keys, or not each, can read.
    {"fernet_key": LOST, "connections": {
        "lost": {"conn_type": "mysql", "password": "canary-lost", "extra": '{"a": "canary-"}'},
        "half_lost": {"conn_type": "mysql", "host": "h", "extra": '{"a": "canary-"}'},
    }, "variables": {"lost": "canary-lost"}, "sql": [
        "INSERT INTO connection (conn_id, conn_type, extra, is_encrypted, is_extra_encrypted) "
        "VALUES ('no_object', 'mysql', 'canary-extra', false, false)",
    ]},
]
TEAM_STEP = {
    "fernet_key": NEW, "teams": ["sales"], "connections": {
        "of_team": {"conn_type": "http", "host": "h", "password": "canary-team", "team_name": "sales"}},
    "variables": {"of_team": {"val": "canary-team", "team_name": "sales"}}}

LOST_FIELD = "none of the 2 Fernet keys opens `{}`; add the key that it was encrypted with"
BAD_ID = "the id has a character other than letters, digits, '_', '.' and '-'"
REJECTED = {
    'connection "folder/pg"': [BAD_ID],
    "connection lost": [LOST_FIELD.format("password"), LOST_FIELD.format("extra")],
    "connection half_lost": [LOST_FIELD.format("extra")],
    "variable lost": [LOST_FIELD.format("val")],
    'variable "a/b"': [BAD_ID],
    'variable "two words"': [BAD_ID],
    'variable "line\\nbreak\\u{1B}[31m"': [BAD_ID],
}


class Metadata:
    """A database that an Airflow made."""

    def __init__(self, airflow, kind, url, home):
        self.airflow, self.kind, self.url = airflow, kind, url
        environment = servers.clean_environment(
            home, AIRFLOW_HOME=home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url, AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS="False", AIRFLOW__CORE__FERNET_KEY=NEW)
        programs = servers.TOOLS / airflow / "bin"
        self.run([programs / "airflow", "db", "migrate"], environment)
        steps = STEPS if airflow == "airflow2" else [TEAM_STEP, *STEPS]
        printed = self.run([programs / "python", HERE / "fill_airflow_database.py"], environment, json.dumps(steps))
        self.content = json.loads(printed.splitlines()[-1])

    @staticmethod
    def run(command, environment, text=""):
        done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def connections(self):
        return {name: fields for name, fields in self.content["connections"].items() if "/" not in name}

    @property
    def variables(self):
        return {name: value for name, value in self.content["variables"].items() if re.fullmatch(r"\w+", name)}


@pytest.fixture(scope="session")
def postgresql():
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["airflow2-sqlite", "airflow3-sqlite", "airflow2-postgresql", "airflow3-postgresql"])
def metadata(request, tmp_path_factory):
    airflow, kind = request.param.split("-")
    home = tmp_path_factory.mktemp(request.param)
    url = f"sqlite:///{home}/airflow.db"
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql")
        server.sql(f"CREATE DATABASE {airflow}")
        url = (f"postgresql+psycopg2://{USER}:{urllib.parse.quote(PASSWORD, safe='')}"
               f"@127.0.0.1:{server.port}/{airflow}?sslmode=prefer")
    return Metadata(airflow, kind, url, home)


def run(folder, *arguments, server=None, **environment):
    target = {"AIRLOCK_ADDR": server.url, "AIRLOCK_TOKEN": server.token} if server else {}
    done = subprocess.run(
        [servers.airlock_program("conn-import"), *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, env=servers.clean_environment(folder, **(target | environment)))
    assert CANARY not in done.stdout + done.stderr, "a secret was printed"
    assert not {OLD, NEW, LOST, TOKEN} & set(re.split(r"[\s,]", done.stdout + done.stderr)), "a key was printed"
    return done


@pytest.fixture
def mount(vault_server):
    client, name = Connection(vault_server), f"m{uuid.uuid4().hex[:8]}"
    assert client.post(f"/v1/sys/mounts/{name}", {"type": "kv", "options": {"version": "2"}}).status in (200, 204)
    yield name
    client.send("DELETE", f"/v1/sys/mounts/{name}")


def rejections(stderr):
    found = {}
    for line in stderr.splitlines():
        if (match := re.match(r"\S+: ((?:connection|variable) (?:\S+|\".*\")): (?!warning)(.*)", line)):
            found.setdefault(match[1], []).append(match[2])
    return found


def test_airflow_reads_from_the_vault_what_it_has_in_its_database(metadata, vault_server, mount, tmp_path):
    (tmp_path / "keys").write_text(f"{NEW}\n{OLD}\n")
    arguments = ["--from-airflow-db", "env", "--fernet-key-file", "keys", "--mount-point", mount]
    environment = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.url}

    refused = run(tmp_path, *arguments, server=vault_server, **environment)
    assert refused.returncode == 1
    found = rejections(refused.stderr)
    assert "extra is no JSON; Airflow 3's API server refuses it" in found.pop("connection no_object")[0]
    assert found == REJECTED
    assert "Nothing was written" in refused.stderr

    counted = f"{len(metadata.connections)} connections, {len(metadata.variables)} variables"
    imported = run(tmp_path, *arguments, "--skip-rejected", server=vault_server, **environment)
    assert imported.returncode == 1, "what was rejected shows in the exit code"
    assert imported.stdout == f"imported {counted}; skipped 0; rejected {len(REJECTED) + 1}\n", imported.stderr
    assert "dashed: warning: from a vault Airflow reads `conn_type` with _ for -" in imported.stderr

    expected = {}
    for name, fields in metadata.connections.items():
        expected[place("connection", name)] = {"conn_id": name} | as_from_a_vault(name, fields, metadata.airflow)
    for name, value in metadata.variables.items():
        expected[place("variable", name)] = value
    found = read_with_airflow(metadata.airflow, vault_server, mount, tmp_path, expected)
    for what, value in expected.items():
        assert found[what] == value, what


def place(kind, name):
    return f"{kind}-of-team:sales/{name}" if name == "of_team" else f"{kind}:{name}"


def as_from_a_vault(name, fields, airflow):
    """The same fields but for what no secret in a vault can tell apart, or what Airflow does to it on the way."""
    fields = fields | {"extra": fields["extra"] or None}
    if name == "dashed":
        fields["conn_type"] = "my_type"
    if name == "port_zero" and airflow == "airflow2":
        fields["port"] = "0"  # its provider leaves a port as it is stored, and Airflow 3 takes the number 0 for none
    return fields


def read_with_airflow(airflow, server, mount, folder, what):
    kwargs = {"mount_point": mount, "url": server.url, "auth_type": "token", "token": server.token}
    done = subprocess.run(
        [servers.TOOLS / airflow / "bin/python", HERE / "read_with_airflow.py", *what],
        env=servers.clean_environment(
            folder, AIRFLOW_HOME=folder / "reader", AIRFLOW__CORE__MULTI_TEAM="True", AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs),
            AIRFLOW__SECRETS__BACKEND="airflow.providers.hashicorp.secrets.vault.VaultBackend"),
        capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# What goes wrong before any server is asked.

@pytest.fixture
def alone(tmp_path):
    return lambda *arguments, **environment: run(tmp_path, "--dry-run", *arguments, **environment)


def said(done, code):
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    return done.stderr.strip()


def test_wrong_usage_is_said_without_the_secret(alone, tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    assert said(alone(), 2).startswith("conn-import: nothing to import: ")
    assert said(alone("--from-airflow-db", "env"), 2) == (
        "conn-import: --from-airflow-db env needs AIRFLOW__DATABASE__SQL_ALCHEMY_CONN in the environment")
    assert said(alone("--from-airflow-db", "mysql://u:canary-@h/d"), 2) == (
        "conn-import: --from-airflow-db is of a database that is not read; sqlite:// and postgresql:// are")
    assert said(alone("--from-airflow-db", "env", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql://u:canary@-@h"), 2) == (
        "conn-import: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN has an @ in its host or database; in a password write %40 for it")
    assert said(alone("--from-airflow-db", "a.db", AIRFLOW__CORE__FERNET_KEY="canary-key"), 2) == (
        "conn-import: key 1 in AIRFLOW__CORE__FERNET_KEY is no Fernet key, which is 32 bytes in URL-safe base64")
    assert said(alone("--from-airflow-db", "a.db", AIRFLOW__CORE__FERNET_KEY_CMD="touch ran"), 2).startswith(
        "conn-import: AIRFLOW__CORE__FERNET_KEY_CMD is not carried out here; ")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "a.env").write_text("AIRFLOW_VAR_A=b")
    assert said(alone("--fernet-key-file", "keys", "a.env"), 2) == (
        "conn-import: --fernet-key-file goes with --from-airflow-db")


def test_a_file_that_is_no_metadata_database_is_said_to_be_none(alone, tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    assert said(alone("--from-airflow-db", "a.db"), 1) == (
        "a.db: is not read as Airflow's database: no such table: connection")
    assert said(alone("--from-airflow-db", "sqlite:///no.db"), 1) == "no.db: there is no such file"
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize("metadata", ["airflow3-postgresql"], indirect=True)
def test_a_role_that_may_only_read_the_two_tables_is_enough(metadata, postgresql, alone, tmp_path):
    postgresql.sql(
        "CREATE ROLE reader LOGIN PASSWORD 'canary-reader'", "GRANT SELECT ON connection, variable TO reader",
        database="airflow3")
    url = f"postgresql://reader@127.0.0.1:{postgresql.port}/airflow3"
    done = alone("--from-airflow-db", url, AIRFLOW__CORE__FERNET_KEY=f"{NEW},{OLD}", PGPASSWORD="canary-reader")
    assert f"would import {len(metadata.connections)} connections" in done.stdout, done.stderr
    assert f"postgresql://127.0.0.1:{postgresql.port}/airflow3: connection lost: " in done.stderr

    (tmp_path / ".pgpass").write_text(f"127.0.0.1:{postgresql.port}:airflow3:reader:canary-reader\n")
    (tmp_path / ".pgpass").chmod(0o600)
    assert alone("--from-airflow-db", url).stdout.startswith("import ")

    done = alone("--from-airflow-db", url.replace("reader@", "reader:canary-reader@"))
    assert done.stdout.startswith("import ")
    assert done.stderr.startswith(
        "conn-import: warning: other users of the machine can see the password in --from-airflow-db; ")


def test_a_database_that_cannot_be_reached_is_named_without_its_password(postgresql, alone, tmp_path):
    place = f"postgresql://127.0.0.1:{postgresql.port}/none"
    environment = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": place.replace("127", "airflow:canary-wrong@127")}
    text = said(alone("--from-airflow-db", "env", **environment), 1)
    assert text.startswith(f"{place}: cannot be reached: ") and "password authentication failed" in text
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = (
        f"postgresql://{USER}:{urllib.parse.quote(PASSWORD, safe='')}@127.0.0.1:{postgresql.port}/postgres")
    assert 'relation "connection" does not exist' in said(alone("--from-airflow-db", "env", **environment), 1)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"postgresql://u:canary-@127.0.0.1:{servers.free_port()}/d"
    assert "Connection refused" in said(alone("--from-airflow-db", "env", **environment), 1)

    (tmp_path / "libpq.so.5").write_text("no library")
    missing = said(alone("--from-airflow-db", "env", LD_LIBRARY_PATH=tmp_path, **environment), 1)
    assert missing == "libpq.so.5: cannot be loaded; install PostgreSQL's client library (Debian's package libpq5)"
