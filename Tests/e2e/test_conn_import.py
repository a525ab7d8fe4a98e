"""`conn-import FILE...` into both servers: what arrives, what is refused, and what is said about it."""

import json
import re

import hvac
import pytest

import servers
from importing import CANARY, alone, client, mount, old_mount, on_a_terminal, read, run, secret  # fixtures among them

EVERY_KIND = f"""\ufeff# a comment
AIRFLOW_CONN_PG_MAIN=postgres://user:{CANARY}-1@db.example.com:5432/app # note\r
export AIRFLOW_CONN_API='{{"conn_type": "http", "host": "Api.Example.com", "password": "{CANARY} #2", "extra": {{"n": 1.50}}}}'
AIRFLOW_CONN_RAW = {{"conn_type": "ftp", "login": "a # b", "port": "21"}}
AIRFLOW_CONN_TYPED=http://h/d?verify=false
AIRFLOW_CONN__SALES___PG="postgres://u:{CANARY}%2F3@h/d"
AIRFLOW_VAR_REGION=eu-central-1
AIRFLOW_VAR_KEY='-----BEGIN-----
{CANARY}==
-----END-----'
AIRFLOW_VAR__SALES___TARGET="a\\tb"
AIRFLOW__CORE__FERNET_KEY={CANARY}-fernet
DEBUG=true
"""


def is_empty(client, mount):
    try:
        client.secrets.kv.v2.list_secrets("", mount_point=mount)
    except hvac.exceptions.InvalidPath:
        return True
    return False


def test_every_kind_of_line_arrives_as_airflow_reads_it(run, client, mount):
    result = run(run.file(EVERY_KIND), "--mount-point", mount)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "imported 5 connections, 3 variables; skipped 2; rejected 0\n"
    assert secret(client, mount, "connections/pg_main") == {
        "conn_uri": f"postgres://user:{CANARY}-1@db.example.com:5432/app"}
    api = secret(client, mount, "connections/api")
    assert (api["conn_type"], api["host"], api["password"]) == ("http", "Api.Example.com", f"{CANARY} #2")
    assert json.loads(api["extra"]) == {"n": 1.5}
    raw = secret(client, mount, "connections/raw")
    assert (raw["conn_type"], raw["login"], raw["port"]) == ("ftp", "a # b", 21)
    typed = secret(client, mount, "connections/typed")
    assert json.loads(typed["extra"]) == {"verify": "false"}, "a URI would be read as a boolean by the API server"
    assert secret(client, mount, "connections/sales/pg")["conn_uri"].startswith("postgres://u:")
    assert secret(client, mount, "variables/region") == {"value": "eu-central-1"}
    assert secret(client, mount, "variables/key") == {"value": f"-----BEGIN-----\n{CANARY}==\n-----END-----"}
    assert secret(client, mount, "variables/sales/target") == {"value": "a\tb"}
    assert re.findall(r"skipped (\w+)", result.stderr) == ["AIRFLOW__CORE__FERNET_KEY", "DEBUG"]


def test_a_dry_run_shows_the_plan_without_values_and_writes_nothing(run, client, mount):
    name = run.file(EVERY_KIND)
    first = run(name, "--dry-run", "--mount-point", mount)
    assert first.returncode == 0
    rows = [line.split() for line in first.stdout.splitlines()]
    assert ["create", "connection", "pg_main", "prod.env:2"] in rows
    assert ["create", "variable", "sales/target", "prod.env:11"] in rows
    assert ["skip", "-", "DEBUG", "prod.env:13"] in rows
    assert is_empty(client, mount)
    run(name, "--mount-point", mount)
    client.secrets.kv.v2.create_or_update_secret("variables/region", {"value": "us"}, mount_point=mount)
    second = [line.split()[:3] for line in run(name, "--dry-run", "--mount-point", mount).stdout.splitlines()]
    assert ["update", "variable", "region"] in second
    assert ["unchanged", "connection", "pg_main"] in second


def test_a_dry_run_counts_only_what_would_change(run, client, mount):
    name = run.file("AIRFLOW_VAR_REGION=eu\nAIRFLOW_VAR_ZONE=a\n")
    run(name, "--mount-point", mount)
    client.secrets.kv.v2.create_or_update_secret("variables/region", {"value": "us"}, mount_point=mount)
    last = run(name, "--dry-run", "--mount-point", mount).stdout.splitlines()[-1]
    assert last == (
        "dry run, nothing was written: would import 0 connections, 1 variable; skipped 0; rejected 0; unchanged 1")


def test_a_second_import_changes_nothing(run, client, mount):
    name = run.file(EVERY_KIND)
    run(name, "--mount-point", mount)
    # What means the same is left as somebody wrote it.
    client.secrets.kv.v2.create_or_update_secret("connections/raw", mount_point=mount, secret={
        "port": 21, "login": "a # b", "conn_type": "ftp", "host": None})
    again = run(name, "--mount-point", mount)
    assert again.returncode == 0
    assert again.stdout == "imported 0 connections, 0 variables; skipped 2; rejected 0; unchanged 8\n"
    assert read(client, mount, "connections/pg_main")["metadata"]["version"] == 1
    assert read(client, mount, "connections/raw")["metadata"]["version"] == 2


def test_a_deleted_secret_is_created_anew(run, client, mount):
    name = run.file("AIRFLOW_VAR_A=b\n")
    run(name, "--mount-point", mount)
    client.secrets.kv.v2.delete_latest_version_of_secret("variables/a", mount_point=mount)
    assert run(name, "--mount-point", mount).returncode == 0
    assert secret(client, mount, "variables/a") == {"value": "b"}


BAD_LINES = [
    (f"nonsense {CANARY}", "no '='"),
    (f"AIRFLOW_CONN_B=postgres://u:{CANARY}/x@h/d", "%2F"),
    (f"AIRFLOW_CONN_B=google_cloud_platform://u:{CANARY}@h", "google-cloud-platform"),
    (f'AIRFLOW_CONN_B=\'{{"conn_type": "http", "username": "{CANARY}"}}\'', "--map-aliases"),
    (f"AIRFLOW_CONN_B='{{\"conn_type\": \"{CANARY}'", "JSON"),
    (f"AIRFLOW_VAR_B='{CANARY}", "never closed"),
    (f"AIRFLOW_CONN_good=postgres://u:{CANARY}@h", "keep one of them"),
]


@pytest.mark.parametrize("line, reason", BAD_LINES)
def test_a_bad_line_stops_the_import_before_anything_is_written(run, client, mount, line, reason):
    result = run(run.file(f"AIRFLOW_CONN_GOOD=postgres://h/d\nAIRFLOW_VAR_X=y\n\n{line}\n"), "--mount-point", mount)
    assert result.returncode == 1
    assert re.search(rf"^prod\.env:4: .*{re.escape(reason)}", result.stderr, re.MULTILINE), result.stderr
    assert "--skip-rejected" in result.stderr
    assert re.match(r"imported 0 connections, 0 variables; skipped 0; rejected [12]$", result.stdout)
    assert is_empty(client, mount)


def test_skip_rejected_imports_the_good_lines_and_still_exits_with_1(run, client, mount):
    name = run.file("AIRFLOW_CONN_GOOD=postgres://h/d\nnonsense\nAIRFLOW_VAR_X=y\n")
    result = run(name, "--skip-rejected", "--mount-point", mount)
    assert result.returncode == 1
    assert result.stdout == "imported 1 connection, 1 variable; skipped 0; rejected 1\n"
    assert secret(client, mount, "variables/x") == {"value": "y"}


def test_a_file_of_bare_ids_holds_connections_only(run, client, mount):
    assert run(run.file("My-Pg=postgres://h/d\nother.1=http://h\n"), "--mount-point", mount).returncode == 0
    listed = client.secrets.kv.v2.list_secrets("connections", mount_point=mount)["data"]["keys"]
    assert sorted(listed) == ["My-Pg", "other.1"]


def test_several_files_are_one_import(run, client, mount):
    one = run.file("AIRFLOW_CONN_A=postgres://h/d\n", ".env")
    two = run.file("AIRFLOW_CONN_B=postgres://h/d\n", "b.env.local")
    assert run(one, two, "--mount-point", mount).stdout.startswith("imported 2 connections, 0 variables;")
    clash = run(one, run.file("AIRFLOW_CONN_a=postgres://h/e\n", "c.env"), "--mount-point", mount)
    assert clash.returncode == 1
    assert "rejected 2" in clash.stdout
    assert "c.env:1" in clash.stderr and ".env:1" in clash.stderr


def test_standard_input_is_a_file_too(run, client, mount):
    assert run("-", "--mount-point", mount, input="AIRFLOW_VAR_A=b\n").returncode == 0
    assert "stdin:1: there is no '='" in run("-", input="nonsense\n").stderr


def test_the_login_and_the_paths_come_from_airflows_own_kwargs(run, client, vault_server, mount):
    client.sys.create_or_update_policy(mount, f'path "{mount}/*" {{ capabilities = ["create", "read", "update"] }}')
    if "approle/" not in client.sys.list_auth_methods()["data"]:
        client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle(mount, token_policies=[mount])
    kwargs = {
        "connections_path": ["team/conns", "connections"], "variables_path": "vars", "mount_point": mount,
        "url": vault_server.url, "auth_type": "approle",
        "role_id": client.auth.approle.read_role_id(mount)["data"]["role_id"],
        "secret_id": client.auth.approle.generate_secret_id(mount)["data"]["secret_id"]}
    name = run.file(EVERY_KIND)
    result = run(name, "--backend-kwargs", json.dumps(kwargs), AIRLOCK_ADDR=None, AIRLOCK_TOKEN=None)
    assert result.returncode == 0, result.stderr
    assert secret(client, mount, "team/conns/sales/pg")["conn_uri"].startswith("postgres://u:")
    assert secret(client, mount, "vars/region") == {"value": "eu-central-1"}
    wrong = run(name, "--backend-kwargs", json.dumps(kwargs | {"secret_id": CANARY}))
    assert wrong.returncode == 1
    assert "auth/approle was refused" in wrong.stderr
    assert wrong.stdout.startswith("imported 0 connections")


def test_the_version_of_the_mount_is_found_out(run, client, old_mount):
    assert run(run.file(EVERY_KIND), "--mount-point", old_mount).returncode == 0
    stored = client.secrets.kv.v1.read_secret("variables/region", mount_point=old_mount)["data"]
    assert stored == {"value": "eu-central-1"}
    wrong = run("prod.env", "--mount-point", old_mount, "--backend-kwargs", '{"kv_engine_version": 2}')
    assert wrong.returncode == 1
    assert "is KV version 1, but kv_engine_version says 2" in wrong.stderr


def test_addresses_and_tokens_are_taken_in_their_order(run, vault_server, mount):
    name = run.file("AIRFLOW_VAR_A=b\n")
    nowhere = f"http://127.0.0.1:{servers.free_port()}"
    there, token = vault_server.url, vault_server.token
    base = ["--mount-point", mount, "--dry-run", name]
    for arguments, environment in [
        (["--url", there, "--token", token], {"AIRLOCK_ADDR": nowhere, "AIRLOCK_TOKEN": "x"}),
        (["--url", there, "--token", token, "--backend-kwargs", json.dumps({"url": nowhere, "token": "x"})], {}),
        (["--backend-kwargs", json.dumps({"url": there, "token": token})],
         {"AIRLOCK_ADDR": nowhere, "AIRLOCK_TOKEN": "x"}),
        ([], {"VAULT_ADDR": nowhere, "VAULT_TOKEN": "x", "VAULT_NAMESPACE": "x"}),
        ([], {"AIRLOCK_ADDR": None, "AIRLOCK_TOKEN": None, "VAULT_ADDR": there, "VAULT_TOKEN": token}),
    ]:
        result = run(*base, *arguments, **environment)
        assert result.stdout.split()[0] == "create", result.stderr


def test_each_failure_says_what_to_do(run, client, vault_server, mount):
    name = run.file("AIRFLOW_VAR_A=b\nAIRFLOW_VAR_C=d\n")
    client.sys.create_or_update_policy(f"{mount}-ro", f'path "{mount}/*" {{ capabilities = ["read"] }}')
    reader = client.auth.token.create(policies=[f"{mount}-ro"])["auth"]["client_token"]
    for arguments, said in [
        (["--token", CANARY], "does not accept the token"),
        (["--token", reader], "permission denied"),
        (["--url", f"http://127.0.0.1:{servers.free_port()}"], "connection refused"),
        (["--url", vault_server.url.replace("http:", "https:")], "TLS"),
        (["--mount-point", "nowhere"], "there is no mount nowhere/"),
        (["--mount-point", "sys"], "mount"),
    ]:
        result = run(name, "--mount-point", mount, *arguments)
        assert result.returncode == 1, arguments
        assert said in result.stderr, arguments
        assert result.stdout.startswith("imported 0 connections, 0 variables;"), arguments
    unreachable = run(name, "--dry-run", "--url", f"http://127.0.0.1:{servers.free_port()}")
    assert unreachable.returncode == 0
    assert unreachable.stdout.startswith("import  variable  a  prod.env:1\n")


def test_hundreds_of_lines_are_written_at_once_and_a_bar_shows_only_on_a_terminal(run, client, mount):
    name = run.file("".join(f"AIRFLOW_CONN_C{n}=postgres://u:{CANARY}{n}@h/d\n" for n in range(300)))
    quiet = run(name, "--mount-point", mount)
    assert quiet.stdout == "imported 300 connections, 0 variables; skipped 0; rejected 0\n"
    assert quiet.stderr == ""
    assert len(client.secrets.kv.v2.list_secrets("connections", mount_point=mount)["data"]["keys"]) == 300
    code, shown = on_a_terminal(run, name, "--mount-point", mount)
    assert code == 0 and "300/300" in shown and "[###" in shown
    assert CANARY not in shown


USAGE = [
    ([], "files"),
    (["prod.txt"], "prod.txt"),
    (["prod.env", "--tokn", "x"], "--token"),
    (["prod.env", f"--dry-run={CANARY}"], "--dry-run"),
    (["prod.env"], "no server"),
    (["prod.env", "--url", "http://127.0.0.1:1"], "no token"),
    (["prod.env", "--url", f"http://u:{CANARY}@h", "--token", "x"], "user or password"),
    (["prod.env", "--backend-kwargs", f'{{"tokn": "{CANARY}"}}'], "did you mean token?"),
    (["prod.env", "--backend-kwargs", f'{{"token": "{CANARY}"'], "not valid JSON"),
    (["prod.env", "--backend-kwargs", '{"mount_point": null}'], "--mount-point"),
    (["prod.env", "--backend-kwargs", '{"variables_path": null}'], "variables_path"),
    (["prod.env", "--backend-kwargs", '{"auth_type": "approle"}', "--url", "http://127.0.0.1:1"], "role_id"),
    (["prod.env", "--backend-kwargs", '{"auth_type": "aws_iam"}', "--url", "http://127.0.0.1:1"], "not supported yet"),
]


@pytest.mark.parametrize("arguments, said", USAGE)
def test_wrong_usage_exits_with_2(alone, arguments, said):
    alone.file("AIRFLOW_VAR_A=b\n")
    result = alone(*arguments)
    assert result.returncode == 2, result.stderr
    assert said in result.stderr
    assert "imported" not in result.stdout


def test_help_exits_with_0_and_a_missing_file_with_1(alone):
    assert alone("--help").returncode == 0
    assert "AIRLOCK_TOKEN" in alone("--help").stdout
    missing = alone("nowhere.env")
    assert (missing.returncode, missing.stderr) == (1, "nowhere.env: there is no such file\n")


def test_the_example_file_is_fine(alone):
    example = servers.REPOSITORY / "examples/airflow.env"
    result = alone(str(example), "--dry-run")
    assert result.returncode == 0
    assert "would import 5 connections, 3 variables; skipped 1; rejected 0" in result.stdout
    assert "warning" not in result.stderr
