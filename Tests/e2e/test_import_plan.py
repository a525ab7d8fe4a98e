"""`conn-import plan`, `apply` on both servers: what is planned is what is done, once."""

import json

import pytest

import servers
from audited import audited, entries  # a fixture among them
from importing import CANARY, Import, client, run  # fixtures among them
from planned_import import FILE, apply, either, plan, target  # fixtures among them


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
