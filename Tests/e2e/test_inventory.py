"""Which connections and variables there are and who read them last, with a real OpenBao behind one mount and the embedded store
behind another, asked over HTTP and by the `airlock` command."""

import json
import subprocess

import hvac
import pytest

import fault_proxy as faults
import servers
from front import done

CANARY = "CanarySingsInTheShaft"
PG = {"conn_uri": f"postgres://{CANARY}:{CANARY}@db.example.com:5432/app"}
EVERYTHING = 'path "+/*" { capabilities = ["read", "list"] }'


@pytest.fixture
def both(front):
    """`airflow/` in OpenBao and `secret/` in the store: on each a connection, a team's connection and a variable."""
    front = front()
    mounts = [front.upstream.write, lambda name, data: done(front.client.put(f"/v1/secret/data/{name}", {"data": data}))]
    for write in mounts:
        write("connections/pg", PG)
        write("connections/etl/s3", {"conn_type": "aws", "password": CANARY})
        write("variables/color", {"value": CANARY})
    return front


@pytest.fixture
def command(tmp_path):
    def run(front, *arguments, token=None):
        environment = servers.clean_environment(
            tmp_path, AIRLOCK_ADDR=front.airlock.url, AIRLOCK_TOKEN=token or front.airlock.token)
        ended = subprocess.run(
            [servers.airlock_program(), *arguments], env=environment, capture_output=True, text=True, timeout=30)
        assert CANARY not in ended.stdout + ended.stderr
        return ended
    return run


def inventory(front, query="", **more):
    answer = done(front.client.get(f"/api/v2/inventory?{query}", **more))
    assert CANARY not in answer.text
    return {item["path"]: item for item in answer.json["inventory"]}


def table(ended):
    assert ended.returncode == 0, ended.stderr
    names, *rows = [line.split("\t") for line in ended.stdout.splitlines()]
    return [dict(zip(names, row, strict=True)) for row in rows]


ALL = [f"{mount}/{name}" for mount in ("airflow", "secret")
       for name in ("connections/etl/s3", "connections/pg", "variables/color")]


def test_what_lies_in_a_vault_and_in_the_store_is_one_inventory(both):
    found = inventory(both)
    assert list(found) == ALL
    there, here = found["airflow/connections/pg"], found["secret/connections/pg"]
    assert (there["source"], there["freshness"]) == (both.proxy.url, "absent")
    assert (here["source"], here["freshness"]) == ("embedded", None)
    for one in (there, here):
        assert (one["conn_type"], one["host"], one["port"], one["schema"]) == ("postgres", "db.example.com", 5432, "app")
        assert one["version"] == 1 and one["updated"].startswith("20") and one["last_read"] is None
    assert list(inventory(both, f"source={both.proxy.url}")) == ALL[:3]
    assert list(inventory(both, "conn_type=aws&team=etl")) == [ALL[0], ALL[3]]


def test_looking_changes_nothing_that_is_cached_and_tells_how_fresh_it_is(both):
    asked = both.metric("airlock_reads_total")
    for _ in range(2):
        assert {item["freshness"] for item in inventory(both, "mount_point=airflow").values()} == {"absent"}
    assert both.metric("airlock_reads_total") == asked
    assert both.read("connections/pg").status == 200
    assert list(inventory(both, "freshness=fresh")) == ["airflow/connections/pg"]
    both.invalidate(mount="airflow")
    assert list(inventory(both, "freshness=stale")) == ["airflow/connections/pg"]


def test_a_read_through_either_surface_and_mount_is_known_with_its_reader_also_after_a_restart(both):
    role_id, secret_id = both.approle()
    done(both.client.put("/v1/sys/policies/acl/airflow", {"policy": EVERYTHING}))
    client = hvac.Client(url=both.airlock.url)
    client.auth.approle.login(role_id, secret_id)
    reader = client.auth.token.lookup_self()["data"]
    for mount in ("airflow", "secret"):
        client.secrets.kv.v2.read_secret_version("connections/pg", mount_point=mount, raise_on_deleted_version=True)
    assert done(both.client.get("/api/v2/variables/color?mount_point=airflow")).json["value"] == CANARY

    def seen():
        return {path: item["last_reader"] for path, item in inventory(both).items() if item["last_read"]}
    before = seen()
    assert list(before) == ["airflow/connections/pg", "airflow/variables/color", "secret/connections/pg"]
    assert before["airflow/connections/pg"] == before["secret/connections/pg"] == {
        "display_name": "approle", "entity_id": reader["entity_id"], "accessor": reader["accessor"]}
    assert before["airflow/variables/color"]["display_name"] == "root"
    both.restart()
    assert seen() == before


def test_who_may_not_read_a_secret_does_not_see_it(both, command):
    limited = both.token("""
        path "airflow/metadata/*" { capabilities = ["list"] }
        path "airflow/data/connections/pg" { capabilities = ["read"] }""")
    assert list(inventory(both, token=limited)) == ["airflow/connections/pg"]
    assert [row["id"] for row in table(command(both, "connections", "list", token=limited))] == ["pg"]
    refused = command(both, "variables", "list", "--mount-point", "secret", token=limited)
    assert refused.returncode == 1 and "permission denied" in refused.stderr and refused.stdout == ""


def test_what_the_vault_decides_about_is_shown_to_its_own_tokens_and_as_it_decides(front):
    front = front(authorize="upstream")
    vault = front.upstream.client
    for name in ("pg", "hidden"):
        front.upstream.write(f"connections/{name}", PG)
    assert front.client.get("/api/v2/inventory?mount_point=airflow").status == 403
    mount = front.upstream.mount
    done(vault.put("/v1/sys/policies/acl/inventory", {"policy": f"""
        path "{mount}/metadata/connections" {{ capabilities = ["list"] }}
        path "{mount}/data/connections/pg" {{ capabilities = ["read"] }}"""}))
    token = done(vault.post("/v1/auth/token/create", {"policies": ["inventory"]})).json["auth"]["client_token"]
    assert front.read("connections/pg", token=token).status == 200
    found = inventory(front, "mount_point=airflow", token=token)
    assert list(found) == ["airflow/connections/pg"]
    assert found["airflow/connections/pg"]["freshness"] == "fresh"
    assert found["airflow/connections/pg"]["last_reader"]["accessor"] is None
    counted = done(vault.post("/v1/auth/token/create", {"policies": ["inventory"], "num_uses": 20}))
    refused = front.client.get("/api/v2/inventory?mount_point=airflow", token=counted.json["auth"]["client_token"])
    assert refused.status == 403, "each secret looked at would take one of the token's uses"


def test_the_commands_list_what_cut_and_scripts_can_take(both, command):
    rows = table(command(both, "connections", "list"))
    assert [f"{row['mount']}{row['id']}" for row in rows] == ["airflow/s3", "airflow/pg", "secret/s3", "secret/pg"]
    assert rows[1] | {"updated": "", "source": ""} == {
        "id": "pg", "team": "-", "mount": "airflow/", "type": "postgres", "host": "db.example.com", "port": "5432",
        "version": "1", "updated": "", "last_read": "-", "last_reader": "-", "source": "", "freshness": "absent"}
    for arguments, expected in [
            (["--type", "aws"], ["s3", "s3"]), (["--host", "db.*"], ["pg", "pg"]), (["--match", "s*"], ["s3", "s3"]),
            (["--team", ""], ["pg", "pg"]), (["--source", "embedded", "--team", "etl"], ["s3"]),
            (["--freshness", "stale"], []), (["--mount-point", "secret", "--match", "p*"], ["pg"])]:
        assert [row["id"] for row in table(command(both, "connections", "list", *arguments))] == expected, arguments
    listed = command(both, "variables", "list", "--output", "json")
    assert [item["path"] for item in json.loads(listed.stdout)["inventory"]] == [ALL[2], ALL[5]]
    wrong = command(both, "connections", "list", "--freshness", "old")
    assert wrong.returncode == 1 and "freshness: must be fresh, stale, absent" in wrong.stderr
    assert command(both, "connections", "list", "--typo").returncode == 2


def test_unused_lists_exactly_what_nobody_has_read(both, command):
    done(both.read("connections/pg"))
    done(both.client.get("/v1/secret/data/variables/color"))
    ended = command(both, "unused", "--days", "90")
    assert [f"{row['mount']}{row['kind']}/{row['team']}/{row['id']}" for row in table(ended)] == [
        "airflow/connection/etl/s3", "airflow/variable/-/color", "secret/connection/etl/s3", "secret/connection/-/pg"]
    assert "reads are recorded since 20" in ended.stderr, "an inventory that began today cannot tell of 90 days"
    done(both.read("connections/etl/s3"))
    assert len(table(command(both, "unused"))) == 3
    assert command(both, "unused", "--days", "401").returncode == 1


@pytest.mark.parametrize("lines", [
    ["AIRFLOW_CONN_PG=postgres://changed"], ["AIRFLOW_CONN_PG=postgres://changed", "AIRFLOW_CONN_NEW=http://h", "AIRFLOW_VAR_COLOR=red"]])
def test_what_only_an_import_has_read_is_unused(both, command, tmp_path, lines):
    (tmp_path / "some.env").write_text("\n".join(lines))
    for mount in ("airflow", "secret"):
        for unchanged in (0, len(lines)):
            ended = subprocess.run(
                [servers.airlock_program("conn-import"), "some.env", "--mount-point", mount], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                env=servers.clean_environment(tmp_path, AIRLOCK_ADDR=both.airlock.url, AIRLOCK_TOKEN=both.airlock.token))
            assert ended.returncode == 0 and (f"unchanged {unchanged}" in ended.stdout) == (unchanged > 0), ended.stdout + ended.stderr
    assert len(table(command(both, "unused"))) == len(inventory(both)) == (6 if len(lines) == 1 else 8)
    done(both.client.get("/v1/secret/data/connections/pg"))
    assert [path for path, item in inventory(both).items() if item["last_read"]] == ["secret/connections/pg"]


def test_a_long_list_comes_in_pages_and_each_asks_the_vault_for_so_much(both, command):
    for number in range(300):
        both.upstream.write(f"connections/c{number:03}", {"conn_type": "http" if number == 299 else "ftp"})
    for number in range(1100):
        done(both.client.put(f"/v1/secret/data/variables/v{number:04}", {"data": {"value": "x"}}))
    first = done(both.client.get("/api/v2/inventory?mount_point=airflow&conn_type=http")).json
    assert first["inventory"] == [] and first["next"].startswith("airflow/connections/c2")
    second = done(both.client.get(f"/api/v2/inventory?mount_point=airflow&conn_type=http&after={first['next']}")).json
    assert [item["id"] for item in second["inventory"]] == ["c299"] and second["next"] is None
    assert [row["id"] for row in table(command(both, "connections", "list", "--type", "http"))] == ["c299"]
    ids = [row["id"] for row in table(command(both, "variables", "list", "--mount-point", "secret"))]
    assert ids == sorted(ids) and len(ids) == 1101


def test_in_an_outage_the_mount_that_cannot_be_listed_is_named_and_the_others_can_be(both):
    with both.proxy.failing(faults.refuse):
        answer = both.client.get("/api/v2/inventory")
        assert answer.status == 503 and "airflow/" in answer.json["detail"]
        assert list(inventory(both, "mount_point=secret")) == ALL[3:]
