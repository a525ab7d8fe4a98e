"""Airflow's own clients of its REST API, unmodified, against Airflow 3.3.2 itself and against Airlock: what they are answered
must be the same, but for what docs/compatibility.md says."""

import base64
import json
import os
import pathlib
import subprocess

import pytest

import servers
from wire import Connection

USER, PASSWORD = "alice", "a-password-of-the-tests"
POLICY = "\n".join(
    f'path "secret/{part}/{kind}{rest}" {{ capabilities = ["create", "read", "update", "delete", "list"] }}'
    for kind in ("connections", "variables") for part, rest in (("data", "/*"), ("metadata", ""), ("metadata", "/*")))


class Server:
    def __init__(self, name, url):
        self.name, self.url = name, url


@pytest.fixture(scope="module")
def airflow_api(tmp_path_factory):
    """Airflow's API server with a database of its own."""
    home = tmp_path_factory.mktemp("airflow")
    program, port = servers.TOOLS / "airflow3/bin/airflow", servers.free_port()
    (home / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
    environment = dict(
        AIRFLOW_HOME=home, AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__FERNET_KEY=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        AIRFLOW__API_AUTH__JWT_SECRET=base64.b64encode(os.urandom(64)).decode(),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=f"{USER}:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=home / "passwords.json",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db")
    subprocess.run(
        [program, "db", "migrate"], env=servers.clean_environment(home, **environment), cwd=home, check=True,
        capture_output=True, timeout=300)
    server = servers.Process(
        "airflow", home,
        [str(program), "api-server", "--apps", "core", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)],
        **environment)
    url = f"http://127.0.0.1:{port}"
    try:
        servers.wait_until(
            lambda: servers.answers(f"{url}/api/v2/version"), "Airflow's API server answers", 300, server.child)
        yield Server("airflow", url)
    finally:
        server.stop(60)


@pytest.fixture(scope="module")
def airlock_api(airlock):
    root = Connection(airlock)
    assert root.send("POST", "/v1/sys/auth/userpass", {"type": "userpass"}).status == 204
    assert root.send("POST", "/v1/sys/policies/acl/typed", {"policy": POLICY}).status == 204
    user = {"password": PASSWORD, "token_policies": "typed"}
    assert root.send("POST", f"/v1/auth/userpass/users/{USER}", user).status == 204
    return Server("airlock", airlock.url)


def run(script, server, folder, asked, **environment):
    """What a script of airflow_clients/ prints, one JSON line each."""
    python = servers.TOOLS / "clients/bin/python"
    assert python.exists(), f"no {python}: run scripts/install-tools"
    done = subprocess.run(
        [python, pathlib.Path(__file__).parent / "airflow_clients" / script], input=json.dumps(asked), text=True,
        capture_output=True, cwd=folder, timeout=300, env=servers.clean_environment(folder, **environment))
    assert done.returncode == 0, f"{server.name}: {done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def seen(value, name=None):
    """What both must say: secrets are there or not, whether a server shows them or not; errors have their own words."""
    if name in ("password", "extra", "value") and isinstance(value, str):
        return "something"
    if isinstance(value, dict):
        return {key: "words" if key == "detail" else seen(inner, key) for key, inner in value.items()}
    return [seen(inner) for inner in value] if isinstance(value, list) else value


def connection(ident, kind="http", **fields):
    return {"connection_id": ident, "conn_type": kind} | fields


PG = connection(
    "pg", "postgres", host="db.example.com", login="etl", password="p/w#1", schema="sales", port=5432,
    extra='{"sslmode": "require"}', description="the warehouse")


def bulk(api, *actions):
    kind = api.removesuffix("Api")
    return [api, f"bulk_{kind.lower()}s", {f"bulk_body_{kind.lower()}_body": {"actions": actions}}]


def connections(**query):
    return ["ConnectionApi", "get_connections", query]


def variables(**query):
    return ["VariableApi", "get_variables", query]


def patched(ident, body, **query):
    return ["ConnectionApi", "patch_connection", {"connection_id": ident, "connection_body": body} | query]


CALLS = [
    ["VersionApi", "get_version", {}],
    ["ConnectionApi", "post_connection", {"connection_body": connection("bare")}],
    ["ConnectionApi", "post_connection", {"connection_body": PG}],
    ["ConnectionApi", "post_connection", {"connection_body": PG}],
    ["ConnectionApi", "post_connection", {"connection_body": connection("x", extra="no JSON")}],
    ["ConnectionApi", "post_connection", {"connection_body": connection("x", extra="[]")}],
    ["ConnectionApi", "get_connection", {"connection_id": "pg"}],
    ["ConnectionApi", "get_connection", {"connection_id": "nosuch"}],
    ["ConnectionApi", "test_connection", {"connection_body": PG}],
    patched("pg", connection("pg", "postgres", host="db2.example.com", password="***")),
    patched("pg", connection("pg", "mysql", login="other", port=1), update_mask=["login", "conn_type"]),
    patched("pg", connection("pg", "postgres", password=None, description=None)),
    patched("pg", connection("other")),
    patched("nosuch", connection("nosuch")),
    ["ConnectionApi", "get_connection", {"connection_id": "pg"}],
    bulk("ConnectionApi",
         {"action": "create", "entities": [connection(name, "ftp", host=f"{name}.example.com") for name in ("q1", "q2", "r")]}),
    bulk("ConnectionApi", {"action": "create", "entities": [connection("new"), connection("q1")]}),
    bulk("ConnectionApi",
         {"action": "create", "entities": [connection("q1", "ssh"), connection("s")], "action_on_existence": "skip"}),
    bulk("ConnectionApi",
         {"action": "create", "entities": [connection("q1", "sftp", port=22)], "action_on_existence": "overwrite"}),
    bulk("ConnectionApi",
         {"action": "update", "entities": [connection("q2", "ftps", login="u")]},
         {"action": "update", "entities": [connection("gone")]},
         {"action": "delete", "entities": ["gone"]}),
    bulk("ConnectionApi",
         {"action": "update", "entities": [connection("gone")], "action_on_non_existence": "skip"},
         {"action": "delete", "entities": ["gone", "s"], "action_on_non_existence": "skip"}),
    connections(),
    connections(limit=2, offset=1),
    connections(order_by=["-connection_id"], limit=3),
    connections(order_by=["conn_type", "-host"]),
    connections(order_by=["-port", "conn_id"]),
    connections(order_by=["password"]),
    connections(connection_id_pattern="Q"),
    connections(connection_id_pattern="q_|%are"),
    connections(connection_id_pattern="~", limit=1),
    connections(connection_id_prefix_pattern="q", order_by=["-conn_id"]),
    connections(connection_id_prefix_pattern="Q"),
    connections(connection_id_prefix_pattern="p|r_"),
    ["ConnectionApi", "delete_connection", {"connection_id": "r"}],
    ["ConnectionApi", "delete_connection", {"connection_id": "r"}],
    ["VariableApi", "post_variable", {"variable_body": {"key": "greeting", "value": "hello", "description": "a word"}}],
    ["VariableApi", "post_variable", {"variable_body": {"key": "greeting", "value": "hello"}}],
    ["VariableApi", "post_variable", {"variable_body": {"key": "rows", "value": {"a": [1, 2.5, None]}}}],
    ["VariableApi", "get_variable", {"variable_key": "greeting"}],
    ["VariableApi", "get_variable", {"variable_key": "nosuch"}],
    ["VariableApi", "patch_variable", {"variable_key": "greeting", "variable_body": {"key": "greeting", "value": "bye"}}],
    ["VariableApi", "patch_variable",
     {"variable_key": "greeting", "variable_body": {"key": "greeting", "value": "x", "description": "new"},
      "update_mask": ["description"]}],
    ["VariableApi", "patch_variable", {"variable_key": "greeting", "variable_body": {"key": "other", "value": "x"}}],
    ["VariableApi", "patch_variable", {"variable_key": "nosuch", "variable_body": {"key": "nosuch", "value": "x"}}],
    bulk("VariableApi",
         {"action": "create", "entities": [{"key": "s", "value": 1}, {"key": "t", "value": "t"}]},
         {"action": "create", "entities": [{"key": "s", "value": 2}], "action_on_existence": "overwrite"},
         {"action": "update", "entities": [{"key": "t", "value": "u", "description": "d"}], "update_mask": ["description"]},
         {"action": "create", "entities": [{"key": "t", "value": "x"}]},
         {"action": "delete", "entities": ["gone"]}),
    variables(),
    variables(order_by=["-key"], limit=2, offset=1),
    variables(variable_key_pattern="RO"),
    variables(variable_key_prefix_pattern="s|t"),
    ["VariableApi", "delete_variable", {"variable_key": "t"}],
    ["VariableApi", "delete_variable", {"variable_key": "t"}],
]


def asked(server, calls):
    return {"url": server.url, "username": USER, "password": PASSWORD, "calls": calls}


def test_airflows_client_is_answered_as_by_airflow(airflow_api, airlock_api, tmp_path):
    answers = [run("rest.py", server, tmp_path, asked(server, CALLS)) for server in (airflow_api, airlock_api)]
    assert len(answers[0]) == len(answers[1]) == 1 + len(CALLS)
    different = [
        f"{call}\n  airflow: {ours}\n  airlock: {theirs}"
        for call, ours, theirs in zip(["login"] + CALLS, *map(clean, answers)) if ours != theirs]
    assert not different, "\n".join(different)


def clean(answers):
    for answer in map(seen, answers):
        if answer.get("body") and "git_version" in answer["body"]:
            answer["body"]["git_version"] = None
        yield answer


def test_what_airflows_client_wrote_is_what_airflow_reads_from_the_vault_surface(airlock, airlock_api, tmp_path):
    run("rest.py", airlock_api, tmp_path, asked(airlock_api, [
        ["ConnectionApi", "post_connection", {"connection_body": PG | {"connection_id": "own"}}],
        ["VariableApi", "post_variable", {"variable_body": {"key": "own", "value": {"rows": 1}}}]]))
    vault = Connection(airlock)
    stored = vault.send("GET", "/v1/secret/data/connections/own").data["data"]
    assert stored == {name: value for name, value in PG.items() if name != "connection_id"}
    assert vault.send("GET", "/v1/secret/data/variables/own").data["data"] == {"value": '{"rows":1}'}


def test_a_team_of_airflows_client_has_its_own_folder(airlock, airlock_api, tmp_path):
    _, made, read, listed, deleted, gone = run("rest.py", airlock_api, tmp_path, asked(airlock_api, [
        ["ConnectionApi", "post_connection", {"connection_body": connection("teams_own", team_name="blue")}],
        ["ConnectionApi", "get_connection", {"connection_id": "teams_own"}],
        connections(connection_id_pattern="teams_own"),
        ["ConnectionApi", "delete_connection", {"connection_id": "teams_own"}],
        ["ConnectionApi", "get_connection", {"connection_id": "teams_own"}]]))
    assert made["status"] == 201 and made["body"]["team_name"] == "blue"
    assert read["status"] == 200 and read["body"]["team_name"] == "blue"
    assert [one["team_name"] for one in listed["body"]["connections"]] == ["blue"]
    assert (deleted["status"], gone["status"]) == (204, 404)


IMPORTED = {
    "connections.json": {
        "ctl_new": {"conn_type": "postgres", "host": "h", "login": "u", "password": "p/w", "port": 5432, "schema": "s",
                    "extra": '{"a": 1}', "description": "d"},
        "ctl_pg": {"conn_type": "mysql"}},
    "variables.json": {"ctl_rows": {"a": 1}, "ctl_greeting": {"value": "hello", "description": "a word"}}}

COMMANDS = [
    "connections create --connection-id ctl_pg --conn-type postgres --password p/w --port 5432",
    "connections create --connection-id ctl_pg --conn-type postgres",
    "connections get ctl_pg",
    "connections update --connection-id ctl_pg --conn-type mysql --host h --password ***",
    "connections update --connection-id ctl_pg --conn-type mysql --login u",
    "connections get ctl_pg",
    "connections get ctl_nosuch",
    "connections import connections.json -a fail",
    "connections import connections.json -a skip",
    "connections import connections.json",
    "connections list",
    "connections test --connection-id ctl_pg --conn-type postgres",
    "connections delete ctl_pg",
    "connections delete ctl_pg",
    "variables create --key ctl_greeting --value hello --description word",
    "variables get ctl_greeting",
    "variables update --key ctl_greeting --value bye",
    "variables import variables.json -a fail",
    "variables import variables.json -a skip",
    "variables import variables.json",
    "variables list",
    "variables delete ctl_greeting",
    "variables delete ctl_greeting",
]


def airflowctl(server, folder, *arguments, **environment):
    """The program itself."""
    return subprocess.run(
        [servers.TOOLS / "clients/bin/airflowctl", *arguments], capture_output=True, text=True, cwd=folder, timeout=120,
        stdin=subprocess.DEVNULL, env=servers.clean_environment(folder, COLUMNS=1000, **environment))


def printed(answer):
    """How a command ended and, when it ended well, what it printed, without what other tests made."""
    if answer["code"]:
        return answer["code"]
    try:
        found = json.loads(answer["stdout"])
    except json.JSONDecodeError:
        return answer["stdout"]
    return seen(sorted((one for one in found if "ctl_" in str(one)), key=str))


def test_airflowctl_does_what_it_does_with_airflow(airflow_api, airlock_api, tmp_path):
    runs = []
    for server in (airflow_api, airlock_api):
        folder = tmp_path / server.name
        folder.mkdir()
        for name, content in IMPORTED.items():
            (folder / name).write_text(json.dumps(content))
        # Without a keyring, what it keeps of a login is a file.
        kept = {"AIRFLOW_CLI_DEBUG_MODE": "true", "AIRFLOW_CLI_API_RETRIES": "1"}
        login = airflowctl(
            server, folder, "auth", "login", "--api-url", server.url, "--username", USER, "--password", PASSWORD, **kept)
        assert login.returncode == 0 and "Login successful" in login.stdout, f"{server.name}: {login}"
        commands = [command.split() for command in COMMANDS]
        runs.append([printed(answer) for answer in run("ctl.py", server, folder, commands, COLUMNS=1000, **kept)])
    different = [
        f"{command}\n  airflow: {ours}\n  airlock: {theirs}"
        for command, ours, theirs in zip(COMMANDS, *runs) if ours != theirs]
    assert not different, "\n".join(different)
    assert [one if isinstance(one, int) else 0 for one in runs[1]] == [
        0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_airflowctl_takes_a_token_of_airlocks(airlock_api, tmp_path):
    wrong = airflowctl(
        airlock_api, tmp_path, "auth", "token", "--api-url", airlock_api.url, "--username", USER, "--password", "wrong")
    assert wrong.returncode == 1 and "a wrong name or password" in wrong.stdout, wrong
    token = airflowctl(
        airlock_api, tmp_path, "auth", "token", "--api-url", airlock_api.url, "--username", USER, "--password", PASSWORD)
    assert token.returncode == 0, token
    kept = {"AIRFLOW_CLI_TOKEN": token.stdout.strip()}
    login = airflowctl(airlock_api, tmp_path, "auth", "login", "--api-url", airlock_api.url, "--skip-keyring", **kept)
    assert login.returncode == 0, login
    listed, version = run("ctl.py", airlock_api, tmp_path, [["variables", "list"], ["version", "--remote"]], **kept)
    assert listed["code"] == 0
    assert "'version': '3.3.2'" in version["stdout"]


def test_airflowctl_reads_list_after_list_until_it_has_all(airlock, airlock_api, tmp_path):
    made = [{"key": f"many_{number:03}", "value": "v"} for number in range(120)]
    root = Connection(airlock)
    answer = root.send("PATCH", "/api/v2/variables", {"actions": [{"action": "create", "entities": made}]})
    assert (answer.status, len(answer.json["create"]["success"])) == (200, 120)
    airflowctl(airlock_api, tmp_path, "auth", "login", "--api-url", airlock_api.url, "--skip-keyring", "--api-token", "x")
    [listed] = run("ctl.py", airlock_api, tmp_path, [["variables", "list"]], AIRFLOW_CLI_TOKEN=airlock.token)
    keys = [one["key"] for one in json.loads(listed["stdout"])]
    assert [key for key in keys if key.startswith("many_")] == [one["key"] for one in made]
