"""`conn-import export`, and a mount as a source: what leaves comes back as it was, and the real Airflows read it."""

import json
import os
import random
import re
import stat

import pytest

import fault_proxy as faults
from importing import CANARY, client, mount, mounted, old_mount, on_a_terminal, run, secret  # fixtures among them
from test_import_files import EXTRAS, FIELDS, TYPES, WORDS, as_workers_read, ask, cannot_be_held, stored


@pytest.fixture
def other_mount(client):
    yield from mounted(client, "2")


def random_connections(count, seed):
    """Such as every Airflow can hold."""
    rng = random.Random(seed)

    def word():
        return rng.choice([None, *WORDS]) if rng.random() < 0.7 else "".join(rng.choice(WORDS) for _ in range(3)) or None

    made = {}
    while len(made) < count:
        fields = {
            "conn_type": rng.choice(TYPES), "host": word(), "login": word(), "password": word() or None, "schema": word(),
            "port": rng.choice([None, 1, 5432, 65535]), "extra": rng.choice(EXTRAS), "description": rng.choice([None, word()])}
        if not cannot_be_held(fields):
            made[f"c{len(made)}.x-y_z"] = {name: value for name, value in fields.items() if value is not None}
    return made


def random_variables(count, seed):
    rng = random.Random(seed)
    return {f"v{number}": "".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4))) for number in range(count)}


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def imported(run, mount, *arguments):
    """How many were written and left unchanged."""
    done = run(*arguments, "--mount-point", mount, "--skip-rejected")
    found = re.fullmatch(
        r"imported (\d+) connections?, (\d+) variables?; skipped 0; rejected (\d+)(?:; unchanged (\d+))?\n", done.stdout)
    assert found, done.stdout + done.stderr[-2000:]
    return [int(number or 0) for number in found.groups()]


@pytest.mark.parametrize("seed", [20261121])
def test_what_is_exported_and_imported_again_changes_nothing(run, client, mount, seed, long, vault_server):
    count = 10_000 if long else 400
    run.file(json.dumps(random_connections(count, seed)), "given.json")
    run.file(json.dumps(random_variables(200, seed)), "given-variables.json")
    written, _, rejected, _ = imported(run, mount, "given.json")
    assert written + rejected == count and written > count * 0.8
    _, variables, none, _ = imported(run, mount, "given-variables.json", "--variables")
    assert variables == 200 and none == 0
    before = {name: client.secrets.kv.v2.read_secret_metadata(f"connections/{name}", mount_point=mount)["data"]["current_version"]
              for name in list(stored(client, mount))[:50]}
    for name, options, expected in [
        ("out.json", [], (written, 0)), ("out.yaml", [], (written, 0)), ("out.env", [], (written, variables)),
        ("vars.json", ["--variables"], (0, variables)), ("vars.yaml", ["--variables"], (0, variables)),
        ("vars.env", ["--variables"], (0, variables)),
    ]:
        done = run("export", "--mount-point", mount, "--output", name, *options)
        assert done.returncode == 0, done.stderr[-3000:]
        assert mode(run.folder / name) == 0o600
        again = [option for option in options if not name.endswith(".env")]
        assert imported(run, mount, name, *again) == [0, 0, 0, sum(expected)], name
    for name, version in before.items():
        now = client.secrets.kv.v2.read_secret_metadata(f"connections/{name}", mount_point=mount)["data"]["current_version"]
        assert now == version


@pytest.mark.parametrize("airflow", ["airflow2", "airflow3"])
def test_each_airflow_reads_the_same_from_an_exported_file_as_from_the_vault(run, client, mount, airflow, tmp_path):
    run.file(json.dumps(random_connections(150, airflow)), "given.json")
    imported(run, mount, "given.json")
    for name in ("out.json", "out.yaml"):
        assert run("export", "--mount-point", mount, "--output", name).returncode == 0
    done = run("export", "--mount-point", mount, "--output", "uris.env", "--format", "airflow-env", "--skip-rejected")
    assert done.returncode == 1 and "use env, json or yaml" in done.stderr
    read = ask(airflow, tmp_path, do="read", names=["out.json", "out.yaml", "uris.env"])
    vault = {name: as_workers_read(data) for name, data in stored(client, mount).items()}
    for name in ("out.json", "out.yaml"):
        assert set(read[name]) == set(vault)
        different = {key: (fields, vault[key]) for key, fields in read[name].items() if settled(fields) != settled(vault[key])}
        assert not different, name
    assert len(read["uris.env"]) > 5
    for key, fields in read["uris.env"].items():
        assert settled(fields) == settled(vault[key]), key


def settled(fields):
    """Airflow's importer and its vault backend differ in these alone: no text and an empty one; 0 and no port."""
    return {name: fields[name] or None for name in FIELDS}


def test_teams_and_variables_leave_in_an_env_file_and_come_back(run, client, mount, other_mount):
    name = run.file(
        f"AIRFLOW_CONN__SALES___PG='postgres://u:{CANARY}@h/d'\nAIRFLOW_CONN_PG='postgres://h/d'\n"
        f"AIRFLOW_VAR__SALES___KEY='it'\\''s {CANARY}'\n")
    imported(run, mount, name)
    assert run("export", "--mount-point", mount, "--output", "out.env").returncode == 0
    assert (run.folder / "out.env").read_text() == (
        f"AIRFLOW_CONN_PG='postgres://h/d'\nAIRFLOW_CONN__SALES___PG='postgres://u:{CANARY}@h/d'\n"
        f"AIRFLOW_VAR__SALES___KEY='it'\\''s {CANARY}'\n")
    assert imported(run, other_mount, "out.env") == [2, 1, 0, 0]
    done = run("export", "--mount-point", mount, "--output", "out.json")
    assert done.returncode == 1 and "connection sales/pg: Airflow's files have no teams" in done.stderr
    assert "Nothing was written" in done.stderr and not (run.folder / "out.json").exists()


def test_what_cannot_be_read_is_named_and_an_older_file_stays(run, client, mount):
    client.secrets.kv.v2.create_or_update_secret("connections/bad", {"conn_uri": f"no uri {CANARY}"}, mount_point=mount)
    client.secrets.kv.v2.create_or_update_secret("connections/good", {"conn_uri": "postgres://h"}, mount_point=mount)
    client.secrets.kv.v2.create_or_update_secret("variables/bad", {"valu": CANARY}, mount_point=mount)
    run.file("older", "out.env")
    done = run("export", "--mount-point", mount, "--output", "out.env")
    assert done.returncode == 1
    assert f"{mount}/connections/bad: " in done.stderr and f"{mount}/variables/bad: " in done.stderr
    assert (run.folder / "out.env").read_text() == "older"
    done = run("export", "--mount-point", mount, "--output", "out.env", "--skip-rejected")
    assert done.returncode == 1 and "exported 1; left out 2" in done.stderr
    assert (run.folder / "out.env").read_text() == "AIRFLOW_CONN_GOOD='postgres://h'\n"
    assert mode(run.folder / "out.env") == 0o600
    assert sorted(path.name for path in run.folder.iterdir()) == ["out.env"], "a draft was left"


def test_an_export_goes_into_a_pipe_but_to_a_terminal_only_on_demand(run, client, mount):
    client.secrets.kv.v2.create_or_update_secret("variables/a", {"value": "shown"}, mount_point=mount)
    piped = run("export", "--mount-point", mount, "--output", "-", "--format", "json", "--variables")
    assert json.loads(piped.stdout) == {"a": "shown"}
    command = ["export", "--mount-point", mount, "--output", "-", "--format", "json", "--variables"]
    code, shown = on_a_terminal(run, *command)
    assert code == 2 and "shown" not in shown and "--reveal" in shown
    code, shown = on_a_terminal(run, *command, "--reveal")
    assert code == 0 and '"a": "shown"' in shown


@pytest.mark.parametrize("arguments, said", [
    (["--output", "out.txt"], "--format"), ([], "--output"), (["--output", "a.json", "--format", "xml"], "--format"),
])
def test_wrong_usage_of_export_exits_with_2(run, mount, arguments, said):
    done = run("export", "--mount-point", mount, *arguments)
    assert done.returncode == 2 and said in done.stderr


def kwargs(server, mount, **others):
    return json.dumps({"url": server.url, "mount_point": mount, **others})


def test_a_mount_of_either_version_is_a_source(run, client, mount, old_mount, vault_server):
    client.secrets.kv.v1.create_or_update_secret(
        "connections/pg", {"conn_type": "http", "password": CANARY, "extra": '{"a": 1.50}'}, mount_point=old_mount)
    client.secrets.kv.v1.create_or_update_secret(
        "connections/sales/pg", {"conn_uri": f"postgres://u:{CANARY}@h/d", "note": "x"}, mount_point=old_mount)
    client.secrets.kv.v1.create_or_update_secret("variables/key", {"value": CANARY}, mount_point=old_mount)
    done = run("--from-backend-kwargs", kwargs(vault_server, old_mount), "--mount-point", mount,
               AIRLOCK_FROM_TOKEN=vault_server.token)
    assert done.stdout == "imported 2 connections, 1 variable; skipped 0; rejected 0\n", done.stderr
    assert f"{old_mount}/connections/sales/pg: warning: beside conn_uri" in done.stderr
    assert secret(client, mount, "connections/pg") == {"conn_type": "http", "password": CANARY, "extra": '{"a": 1.50}'}
    assert secret(client, mount, "connections/sales/pg") == {"conn_uri": f"postgres://u:{CANARY}@h/d"}
    assert secret(client, mount, "variables/key") == {"value": CANARY}
    again = run("--from-backend-kwargs", kwargs(vault_server, old_mount), "--mount-point", mount,
                AIRLOCK_FROM_TOKEN=vault_server.token)
    assert again.stdout.endswith("rejected 0; unchanged 3\n")


def test_of_two_folders_with_one_id_the_first_counts_as_it_does_for_airflow(run, client, mount, other_mount, vault_server):
    for folder in ("new", "old"):
        client.secrets.kv.v2.create_or_update_secret(f"{folder}/pg", {"conn_uri": f"postgres://{folder}"}, mount_point=mount)
    client.secrets.kv.v2.create_or_update_secret("old/gone", {"conn_uri": "postgres://h"}, mount_point=mount)
    client.secrets.kv.v2.delete_latest_version_of_secret("old/gone", mount_point=mount)
    source = kwargs(vault_server, mount, connections_path=["new", "old"], variables_path=None)
    done = run("--from-backend-kwargs", source, "--mount-point", other_mount, AIRLOCK_FROM_TOKEN=vault_server.token)
    assert done.stdout == "imported 1 connection, 0 variables; skipped 0; rejected 0\n", done.stderr
    assert secret(client, other_mount, "connections/pg") == {"conn_uri": "postgres://new"}


def test_a_lying_vault_makes_no_terminal_obey(run, mount, vault_server):
    wild = "pg\x1b[2J\r\n\u202eimported 9 connections"
    lies = {"list": {"data": {"keys": [wild, f"{wild}/", "good"]}},
            "read": {"data": {"data": {"conn_uri": "no uri"}, "metadata": {"version": 1}}}}
    proxy = faults.FaultProxy(("127.0.0.1", int(vault_server.url.rpartition(":")[2])))

    def lie(exchange):
        known = lies.get(exchange.request.kind) if exchange.request.path.startswith(mount) else None
        (faults.answer(200, known) if known else faults.pass_on)(exchange)

    def shown(*arguments):
        done = run(*arguments, AIRLOCK_FROM_TOKEN=vault_server.token)
        assert done.returncode == 1 and not set(done.stdout + done.stderr) & set("\x1b\r\u202e"), done
        return done.stderr

    source = kwargs(proxy, mount)
    try:
        with proxy.failing(lie):
            for said in (shown("--from-backend-kwargs", source, "--mount-point", mount),
                         shown("export", "--backend-kwargs", source, "--output", "out.json")):
                assert f'"{mount}/connections/pg\\u{{1B}}[2J\\r\\n\\u{{202E}}imported 9 connections": ' in said
                assert f"{mount}/connections/good: " in said
        with proxy.failing(faults.redirect_to("http://\x1b[2J.example.com")):
            assert "redirects to the server" in shown("--from-backend-kwargs", source, "--mount-point", mount)
    finally:
        proxy.close()


def test_a_source_mount_has_a_login_of_its_own(run, mount, vault_server):
    done = run("--from-backend-kwargs", kwargs(vault_server, mount), "--mount-point", mount)
    assert done.returncode == 2 and "AIRLOCK_FROM_TOKEN" in done.stderr
    done = run("--from-backend-kwargs", kwargs(vault_server, mount), "--mount-point", mount, AIRLOCK_FROM_TOKEN="wrong")
    assert done.returncode == 1 and "does not accept the token" in done.stderr
    done = run("--from-backend-kwargs", kwargs(vault_server, "no-such-mount"), "--mount-point", mount,
               AIRLOCK_FROM_TOKEN=vault_server.token)
    assert done.returncode == 1 and "no-such-mount" in done.stderr
