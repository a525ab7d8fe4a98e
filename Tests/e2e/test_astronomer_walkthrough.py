"""Astronomer's set-up, as its documentation has it: the commands of `walkthrough.txt` with the real `bao`, then
unmodified Airflow 3.3.2 and 2.10.5 reading through AppRole with the settings shown there."""

import json
import pathlib
import subprocess

import pytest

import servers
from shell_transcript import replay, shell
from wire import Connection

HERE = pathlib.Path(__file__).parent
AIRFLOWS = {"airflow3": "3.3.2", "airflow2": "2.10.5"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def walkthrough(vault_server, home):
    """The whole set-up, done once per server: what should have been printed, and what was."""
    return replay(HERE / "walkthrough.txt", vault_server, home)


@pytest.fixture(scope="module")
def secret_id(vault_server, walkthrough, home):
    """Beside the walk-through's secrets: harder ones, one in fields, and one that was deleted."""
    for command in [
        "bao kv put -mount=airflow connections/warehouse conn_uri='snowflake://svc:p%40ss%3Aword@acme.example.com:8443"
        "/sales?account=acme&region=eu%20west&__empty='",
        "bao kv put -mount=airflow connections/by_field conn_type=http host=https://api.example.com port=8443 "
        "login=bot 'password=a b/c+d%2F' schema=v1 description=reports extra='{\"timeout\": 30}'",
        "bao kv put -mount=airflow variables/settings value='{\"retries\": 3, \"text\": \"Grüße\"}'",
        "bao kv put -mount=airflow connections/deleted conn_uri=http://h && "
        "bao kv delete -mount=airflow connections/deleted",
    ]:
        assert "(exit" not in shell(vault_server, command, home)
    return shell(vault_server, "bao write -f -field=secret_id auth/approle/role/astro_role/secret-id", home).strip()


@pytest.fixture(scope="module", params=AIRFLOWS)
def airflow(request):
    return request.param


@pytest.fixture(scope="module")
def as_airflow_sees_it(airflow, vault_server, secret_id, tmp_path_factory):
    return read_with_airflow(
        airflow, vault_server, secret_id, tmp_path_factory.mktemp(airflow), "variable:greeting", "variable:settings",
        "connection:pg", "connection:warehouse", "connection:by_field", "variable:never", "connection:never",
        "connection:deleted")


def read_with_airflow(airflow, server, secret_id, tmp_path, *what, **changed):
    kwargs = {
        "connections_path": "connections", "variables_path": "variables", "mount_point": "airflow",
        "url": server.url, "auth_type": "approle", "role_id": "astro_role", "secret_id": secret_id} | changed
    done = subprocess.run(
        [servers.TOOLS / airflow / "bin/python", HERE / "read_with_airflow.py", *what],
        env=servers.clean_environment(
            tmp_path, AIRFLOW_HOME=tmp_path / airflow,
            AIRFLOW__SECRETS__BACKEND="airflow.providers.hashicorp.secrets.vault.VaultBackend",
            AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs)),
        capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer.pop("airflow") == AIRFLOWS[airflow]
    return answer


def test_every_command_prints_what_it_prints_against_the_real_server(walkthrough):
    written, went = walkthrough
    assert went == written


def test_airflow_reads_the_variable_and_every_field_of_the_connection(airflow, as_airflow_sees_it):
    port_in_fields = "8443" if airflow == "airflow2" else 8443  # 2.10 keeps what `bao` stored, a string
    assert {what: answer for what, answer in as_airflow_sees_it.items() if "error" not in answer} == {
        "variable:greeting": "hello-from-the-vault",
        "variable:settings": '{"retries": 3, "text": "Grüße"}',
        "connection:pg": {
            "conn_id": "pg", "conn_type": "postgres", "description": None, "host": "db.example.com", "login": "etl",
            "password": "pa/ss wörd", "schema": "", "port": 5432, "extra": None},
        "connection:warehouse": {
            "conn_id": "warehouse", "conn_type": "snowflake", "description": None, "host": "acme.example.com",
            "login": "svc", "password": "p@ss:word", "schema": "sales", "port": 8443,
            "extra": '{"account": "acme", "region": "eu west", "__empty": ""}'},
        "connection:by_field": {
            "conn_id": "by_field", "conn_type": "http", "description": "reports", "host": "https://api.example.com",
            "login": "bot", "password": "a b/c+d%2F", "schema": "v1",
            "port": port_in_fields, "extra": '{"timeout": 30}'},
    }


def test_airflow_says_not_defined_for_what_is_absent_or_deleted(as_airflow_sees_it):
    assert_not_defined(
        {what: as_airflow_sees_it[what] for what in ["variable:never", "connection:never", "connection:deleted"]})


def test_with_the_policy_as_published_reads_are_403_and_airflow_says_not_defined(
        airflow, vault_server, secret_id, home, as_airflow_sees_it, tmp_path):
    """The documentation's policy names `secret/*`, its mount is `airflow`: a trap that must stay visible."""
    published = """bao policy write astro_policy - <<< 'path "secret/*" { capabilities = ["create","read","update","patch","delete","list"] }'"""
    right = published.replace("secret/*", "airflow/*")
    assert "Success!" in shell(vault_server, published, home)
    try:
        client = Connection(vault_server)
        login = client.post("/v1/auth/approle/login", {"role_id": "astro_role", "secret_id": secret_id}, token=None)
        assert login.status == 200
        refused = client.get("/v1/airflow/data/connections/pg", token=login.json["auth"]["client_token"])
        assert (refused.status, refused.errors) == (403, ["1 error occurred:\n\t* permission denied\n\n"])
        assert_not_defined(read_with_airflow(
            airflow, vault_server, secret_id, tmp_path, "variable:greeting", "connection:pg"))
    finally:
        shell(vault_server, right, home)


def assert_not_defined(answers):
    for what, answer in answers.items():
        kind, name = what.split(":")
        assert isinstance(answer, dict) and "error" in answer, f"{what} was read: {answer}"
        said = answer["error"]
        if kind == "connection":
            assert f"The conn_id `{name}` isn't defined" in said
        else:
            assert "does not exist" in said or "VARIABLE_NOT_FOUND" in said
