"""What clients get from a mount whose secrets live in OpenBao is what OpenBao itself gives: commands, versions, numbers. And
what the configuration can say: several vaults, an order of backends, and mistakes."""

import json
import re

import pytest

import fault_proxy as faults
from front import Front, done, outcome, value
from servers import wait_until
from shell_transcript import normalise, shell
from wire import Connection

MERGE = {"Content-Type": "application/merge-patch+json"}
MOUNT = "shared"  # the same name on both sides, for it is part of what is printed


# The same as OpenBao

COMMANDS = """
bao kv put -mount=M connections/pg conn_uri=postgres://u:p@h/d
bao kv put -mount=M connections/pg conn_uri=postgres://u:p2@h/d port=5432
bao kv put -mount=M -cas=1 connections/pg a=b
bao kv put -mount=M -cas=2 connections/pg a=b c=d
bao kv get -mount=M connections/pg
bao kv get -mount=M -version=1 connections/pg
bao kv get -mount=M -version=9 connections/pg
bao kv get -mount=M -field=a connections/pg
bao kv get -mount=M -field=z connections/pg
bao kv get -format=json -mount=M connections/pg | grep -v request_id
bao kv patch -mount=M connections/pg e=f
bao kv patch -mount=M -method=rw connections/pg g=h
bao kv patch -mount=M connections/never e=f
bao kv rollback -mount=M -version=2 connections/pg
bao kv get -mount=M connections/pg
bao kv list -mount=M
bao kv list -mount=M connections
bao kv list -mount=M never
bao kv put -mount=M connections/deep/er/x a=b
bao kv list -mount=M connections
bao kv metadata get -mount=M connections/pg
bao kv metadata put -mount=M -max-versions=4 -custom-metadata=owner=data connections/pg
bao kv metadata patch -mount=M -custom-metadata=team=x connections/pg
bao kv metadata get -mount=M connections/pg
bao kv get -mount=M connections/pg
bao kv delete -mount=M connections/pg
bao kv get -mount=M connections/pg
bao kv undelete -mount=M -versions=6 connections/pg
bao kv get -mount=M connections/pg
bao kv delete -mount=M -versions=5 connections/pg
bao kv get -mount=M -version=5 connections/pg
bao kv destroy -mount=M -versions=6 connections/pg
bao kv get -mount=M connections/pg
bao kv put -mount=M connections/pg back=again
bao kv get -mount=M connections/pg
bao kv metadata delete -mount=M connections/pg
bao kv get -mount=M connections/pg
bao kv put -mount=M connections/pg first=again
bao kv get -mount=M connections/pg
bao kv get M/connections/pg
bao read M/data/connections/pg
bao list M/metadata/connections
bao kv put -mount=M 'odd/a b+c%d ü' value=1
bao kv get -mount=M 'odd/a b+c%d ü'
bao kv list -mount=M odd
bao read M/config
bao kv get -mount=M forbidden/x
""".strip().replace("=M", f"={MOUNT}").replace(" M/", f" {MOUNT}/").splitlines()


@pytest.fixture(scope="module")
def transcripts(bao_server, tmp_path_factory):
    """What each command prints, on OpenBao itself and then through Airlock on an empty mount of the same OpenBao."""
    import servers

    home = tmp_path_factory.mktemp("home")
    direct = Connection(bao_server)

    def fresh_mount():
        done(direct.delete(f"/v1/sys/mounts/{MOUNT}"))
        done(direct.post(f"/v1/sys/mounts/{MOUNT}", {"type": "kv", "options": {"version": "2"}}))
        wait_until(lambda: direct.post(f"/v1/{MOUNT}/data/x", {"data": {"a": "b"}}).status == 200, "the mount is made")
        done(direct.delete(f"/v1/{MOUNT}/metadata/x"))

    def started(*arguments, **options):
        return servers.start_airlock(tmp_path_factory.mktemp("airlock"), *arguments, **options)

    front = Front(bao_server, home, started, behind_proxy=False)
    front.config = {"mounts": {MOUNT: {"backend": "vault", "kwargs": front.upstream.kwargs(bao_server.url, mount_point=MOUNT)}}}
    fresh_mount()
    login = done(direct.post(
        "/v1/auth/approle/login", {"role_id": "airlock", "secret_id": front.upstream.secret_id}, token=None))
    as_airlock = Here(bao_server, login.json["auth"]["client_token"])
    expected = [normalise(shell(as_airlock, command, home)) for command in COMMANDS]
    fresh_mount()
    front.start()
    went = [normalise(shell(front.airlock, command, home)) for command in COMMANDS]
    yield dict(zip(range(len(COMMANDS)), zip(expected, went)))
    front.end()


class Here:
    """A server with another token."""

    def __init__(self, server, token):
        self.url, self.host_and_port, self.token = server.url, server.host_and_port, token


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[f"{n}: {text}" for n, text in enumerate(COMMANDS)])
def test_bao_prints_through_airlock_what_it_prints_on_openbao(transcripts, number):
    expected, went = transcripts[number]
    assert went == expected


AS_WRITTEN = '{"big":12345678901234567890123,"one":1.0,"e":1E3,"z":"\\u00fc/\\/","a":[1,2.50,null,true],"o":{"b":1,"a":-0}}'


@pytest.mark.parametrize("version", [1, 2])
def test_a_secret_is_byte_for_byte_what_the_upstream_wrote(front, version):
    """Whatever the upstream's way with numbers, escapes and order is: the cache must not have another."""
    front = front(version=version)
    inner = AS_WRITTEN if version == 1 else (
        f'{{"data":{AS_WRITTEN},"metadata":{{"created_time":"2026-11-21T09:15:20.10640089Z","custom_metadata":null,'
        '"deletion_time":"","destroyed":false,"version":7}}')
    answer = (f'{{"request_id":"x","lease_id":"","renewable":false,"lease_duration":{2764800 if version == 1 else 0},'
              f'"data":{inner},"wrap_info":null,"warnings":null,"auth":null}}')
    with front.proxy.failing(faults.only(lambda request: request.kind == "read", faults.answer(200, answer))):
        answers = [front.read("connections/pg"), front.read("connections/pg")]
    with front.proxy.failing(faults.refuse):
        front.restart()
        answers.append(front.read("connections/pg"))
    assert [outcome(one) for one in answers] == ["MISS", "HIT", "HIT"]
    for one in answers:
        assert f'"data":{inner},' in one.text
        assert one.json["lease_duration"] == (2764800 if version == 1 else 0)


@pytest.mark.parametrize("version", [1, 2])
def test_an_answer_is_openbaos_own_but_for_the_request_id(front, version):
    front = front(version=version)
    body = {"big": 12345678901234567890, "f": 1.5, "nested": {"b": [1, None], "a": "ü\n\"<>&"}, "empty": ""}
    front.upstream.write("connections/pg", body)
    def without_id(text): return re.sub(r'"request_id":"[0-9a-f-]{36}"', "", text)
    direct = without_id(front.upstream.client.get("/v1/" + front.upstream.path("connections/pg")).text)
    for expected in ["MISS", "HIT"]:
        answer = front.read("connections/pg")
        assert (without_id(answer.text), outcome(answer)) == (direct, expected)
        assert answer.headers["Content-Type"] == "application/json" and answer.headers["Cache-Control"] == "no-store"


def test_kv_version_1_is_cached_written_and_deleted_through_airlock(front):
    front = front(version=1, ttl="1s")
    front.upstream.write("connections/pg", {"value": "one"})
    assert [outcome(front.read("connections/pg")) for _ in range(2)] == ["MISS", "HIT"]
    front.write("connections/pg", {"value": "two"})
    assert value(front.read("connections/pg")) == "two"
    assert front.client.list("/v1/airflow/connections").data == {"keys": ["pg"]}
    done(front.client.delete("/v1/airflow/connections/pg"))
    absent = front.read("connections/pg")
    assert (absent.status, absent.body) == (404, b'{"errors":[]}\n')
    front.write("connections/pg", {"value": "three"})
    assert value(front.read("connections/pg")) == "three"
    with front.proxy.failing(faults.refuse):
        answer = wait_until(lambda: outcome(one := front.read("connections/pg")) == "STALE" and one, "the ttl is over")
        assert value(answer) == "three"


def test_each_version_is_cached_apart(front):
    front = front()
    for text in ["one", "two"]:
        front.upstream.write("connections/pg", {"value": text})
    latest = [front.read("connections/pg") for _ in range(2)]
    first = [front.read("connections/pg?version=1") for _ in range(2)]
    assert [(value(one), outcome(one)) for one in latest] == [("two", "MISS"), ("two", "HIT")]
    assert [(value(one), outcome(one)) for one in first] == [("one", "MISS"), ("one", "HIT")]
    assert value(front.read("connections/pg?version=0")) == "two"  # 0 is the latest
    assert front.read("connections/pg?version=9").status == 404
    assert front.read("connections/pg?version=x").status == 400
    done(front.client.post("/v1/airflow/destroy/connections/pg", {"versions": [1]}))
    gone = front.read("connections/pg?version=1")
    assert gone.status == 404 and gone.data["metadata"]["destroyed"] is True
    assert value(front.read("connections/pg")) == "two"


@pytest.mark.parametrize("method, path, body, expected", [
    ("PATCH", "data", {"data": {"value": "patched"}}, "patched"), ("PUT", "data", {"data": {"value": "put"}}, "put"),
    ("DELETE", "data", None, None), ("POST", "delete", {"versions": [2]}, None), ("POST", "destroy", {"versions": [2]}, None),
    ("POST", "undelete", {"versions": [2]}, "two"), ("DELETE", "metadata", None, None)])
def test_every_way_to_change_a_secret_through_airlock_is_seen_by_the_next_read(front, method, path, body, expected):
    front = front()
    for text in ["one", "two"]:
        front.upstream.write("connections/pg", {"value": text})
    if path == "undelete":
        front.upstream.delete("connections/pg")
    front.read("connections/pg")
    headers = MERGE if method == "PATCH" else {}
    done(front.client.send(method, f"/v1/airflow/{path}/connections/pg", body, headers=headers))
    after = front.read("connections/pg")
    assert outcome(after) == "MISS"
    assert (value(after) if after.status == 200 else None) == expected


def test_a_list_is_always_the_upstreams_own(front):
    front = front()
    front.upstream.write("connections/a", {"value": "1"})
    assert front.client.list("/v1/airflow/metadata/connections").data == {"keys": ["a"]}
    front.upstream.write("connections/b", {"value": "1"})
    assert front.client.list("/v1/airflow/metadata/connections").data == {"keys": ["a", "b"]}
    with front.proxy.failing(faults.refuse):
        assert front.client.list("/v1/airflow/metadata/connections").status == 503


def test_a_write_that_the_upstream_refuses_is_refused_in_its_words_and_changes_no_answer(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    body = {"data": {"value": "two"}, "options": {"cas": 7}}
    direct = front.upstream.client.post("/v1/" + front.upstream.path("connections/pg"), body)
    answer = front.client.post("/v1/airflow/data/connections/pg", body)
    assert (answer.status, answer.body) == (direct.status, direct.body) and answer.status == 400
    assert value(front.read("connections/pg")) == "one"


def test_a_mount_in_front_of_a_vault_is_listed_and_cannot_be_disabled_over_the_api(front):
    front = front()
    entry = front.client.get("/v1/sys/mounts").data["airflow/"]
    assert (entry["type"], entry["options"]["version"]) == ("kv", "2")
    assert front.client.delete("/v1/sys/mounts/airflow").status == 400
    assert front.read("connections/never").status == 404


# The typed surface


def test_the_typed_surface_reads_and_writes_in_the_vault(front):
    front = front()
    bearer = {"Authorization": f"Bearer {front.airlock.token}", "Content-Type": "application/json"}

    def call(method, path, body=None):
        return front.client.send(method, f"/api/v2/{path}", body, token=None, headers=bearer)

    where = "?mount_point=airflow"
    front.upstream.write("connections/pg", {"conn_uri": "postgres://etl:p%40ss@db.example.com:5432/x"})
    read = done(call("GET", f"connections/pg{where}"))
    assert (read.json["host"], read.json["password"]) == ("db.example.com", "p@ss")
    assert outcome(read) == "MISS" and outcome(call("GET", f"connections/pg{where}")) == "HIT"
    made = call("POST", f"connections{where}", {"connection_id": "made", "conn_type": "http", "host": "h", "password": "a/b"})
    assert made.status in (200, 201), made
    stored = done(front.upstream.client.get("/v1/" + front.upstream.path("connections/made"))).data["data"]
    assert "a/b" in json.dumps(stored) or "a%2Fb" in json.dumps(stored)
    done(call("PATCH", f"connections/pg{where}", {"port": 5433}))
    assert done(call("GET", f"connections/pg{where}")).json["port"] == 5433
    listed = {one["connection_id"] for one in done(call("GET", f"connections{where}")).json["connections"]}
    assert {"pg", "made"} <= listed
    assert call("POST", f"connections{where}", {"connection_id": "pg", "conn_type": "x", "host": "h"}).status == 409
    done(call("DELETE", f"connections/pg{where}"), 204)
    assert call("GET", f"connections/pg{where}").status == 404
    assert call("POST", f"variables{where}", {"key": "v", "value": "text"}).status in (200, 201)
    assert front.upstream.client.get("/v1/" + front.upstream.path("variables/v")).data["data"] == {"value": "text"}

    with front.proxy.failing(faults.refuse):
        front.invalidate(mount="airflow")
        assert call("GET", f"connections/made{where}").status in (200, 503)
        assert call("GET", f"connections/never{where}").status == 503
        assert call("POST", f"variables{where}", {"key": "w", "value": "text"}).status == 503


def test_bulk_calls_and_teams_of_the_typed_surface_reach_the_vault(front):
    front = front()
    where = "?mount_point=airflow"

    def bulk(**action):
        answer = done(front.client.patch(f"/api/v2/connections{where}", {"actions": [action]})).json[action["action"]]
        return answer["success"], [error["status_code"] for error in answer["errors"]]

    many = [{"connection_id": f"c{number:02}", "conn_type": "http", "password": "p/w"} for number in range(40)]
    names = [one["connection_id"] for one in many]
    assert bulk(action="create", entities=many) == (names, [])
    assert front.upstream.client.get("/v1/" + front.upstream.path("connections/c39")).status == 200
    assert bulk(action="create", entities=many[:1]) == ([], [409])
    assert bulk(action="update", entities=[many[0] | {"host": "h"}], update_mask=["host"]) == (["c00"], [])
    assert done(front.client.get(f"/api/v2/connections/c00{where}")).json["host"] == "h"
    assert bulk(action="delete", entities=names[1:]) == (names[1:], [])

    made = front.client.post(f"/api/v2/connections{where}", {"connection_id": "own", "conn_type": "ftp", "team_name": "blue"})
    assert made.status == 201, made
    assert front.upstream.client.get("/v1/" + front.upstream.path("connections/blue/own")).status == 200
    assert done(front.client.get(f"/api/v2/connections/own{where}")).json["team_name"] == "blue"
    listed = done(front.client.get(f"/api/v2/connections{where}")).json["connections"]
    assert [(one["connection_id"], one["team_name"]) for one in listed] == [("c00", None), ("own", "blue")]


def test_explain_says_how_an_answer_came_about_and_shows_no_value(front):
    front = front()
    secret = "postgres://etl:never-shown@db.example.com/x"
    front.upstream.write("connections/pg", {"conn_uri": secret})
    where = "?mount_point=airflow"
    before = done(front.client.get(f"/api/v2/explain/connections/pg{where}"))
    front.read("connections/pg")
    after = done(front.client.get(f"/api/v2/explain/connections/pg{where}"))
    absent = done(front.client.get(f"/api/v2/explain/connections/never{where}"))
    for answer in [before, after, absent]:
        assert "never-shown" not in answer.text
    assert "airflow" in after.text and "connections/pg" in after.text
    assert after.text != absent.text
    assert front.client.get(f"/api/v2/explain/connections/pg{where}", token=front.token(
        'path "airflow/data/*" { capabilities = ["read"] }')).status == 403
