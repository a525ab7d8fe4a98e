"""What clients get from a mount whose secrets live in OpenBao is what OpenBao itself gives: commands, versions, numbers. And
what the configuration can say: several vaults, an order of backends, and mistakes."""

import json
import re

import pytest

import fault_proxy as faults
from front import Front, Upstream, done, outcome, value
from servers import start_openbao, wait_until
from shell_transcript import normalise, shell
from wire import Connection

MERGE = {"Content-Type": "application/merge-patch+json"}
MOUNT = "shared"  # the same name on both sides, for it is part of what is printed


@pytest.fixture(scope="module")
def second_bao(tmp_path_factory):
    bao = start_openbao(tmp_path_factory.mktemp("second"))
    yield bao
    bao.stop()


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


# Several vaults, and an order of backends


def test_one_airlock_serves_several_vaults_and_a_store_of_its_own(front, second_bao):
    front = front(start=False)
    other = Upstream(second_bao)
    front.config["mounts"] |= {
        "warehouse": {"backend": "vault", "kwargs": other.kwargs(second_bao.url), "ttl": "1s"},
        "local": {"backend": "embedded", "kv_version": 2}}
    front.start()
    front.upstream.write("connections/pg", {"value": "first"})
    other.write("connections/pg", {"value": "second"})
    done(front.client.post("/v1/local/data/connections/pg", {"data": {"value": "own"}}))
    for mount, expected in [("airflow", "first"), ("warehouse", "second"), ("local", "own")]:
        assert value(front.client.get(f"/v1/{mount}/data/connections/pg")) == expected
    with front.proxy.failing(faults.refuse):  # the outage of one is no outage of the others
        front.invalidate(mount="airflow")
        assert outcome(front.read("connections/pg")) == "STALE"
        assert front.read("connections/never").status == 503
        assert front.client.get("/v1/warehouse/data/connections/never").status == 404
        assert value(front.client.get("/v1/local/data/connections/pg")) == "own"
    upstreams = {labels["upstream"] for labels, _ in front.series("airlock_upstream_requests_total")}
    assert len(upstreams) == 2


@pytest.fixture
def ordered(front, second_bao):
    """`airflow/` is a list: the vault behind the proxy first, then another one."""
    front = front(start=False)
    front.second = Upstream(second_bao)
    front.config["mounts"]["airflow"] = {"ttl": "60s", "backends": [
        {"backend": "vault", "kwargs": front.mount["kwargs"]},
        {"backend": "vault", "kwargs": front.second.kwargs(second_bao.url)}]}
    return front.start()


def test_absent_in_the_first_backend_is_looked_for_in_the_next(ordered):
    ordered.upstream.write("connections/both", {"value": "first"})
    ordered.second.write("connections/both", {"value": "second"})
    ordered.second.write("connections/later", {"value": "second"})
    assert value(ordered.read("connections/both")) == "first"
    assert value(ordered.read("connections/later")) == "second"
    assert outcome(ordered.read("connections/later")) == "HIT"
    absent = ordered.read("connections/never")
    assert (absent.status, absent.body) == (404, b'{"errors":[]}\n')


def test_denied_by_the_first_backend_is_final(ordered):
    ordered.second.client.post(f"/v1/{ordered.second.mount}/data/forbidden/x", {"data": {"value": "second"}})
    done(ordered.second.client.put("/v1/sys/policies/acl/airlock", {"policy": 'path "*" { capabilities = ["read"] }'}))
    assert ordered.read("forbidden/x").status == 403


@pytest.mark.parametrize("fault", [faults.refuse, faults.html(404), faults.answer(500, {"errors": ["x"]})],
                         ids=["refused", "404 HTML", "500"])
def test_a_first_backend_that_cannot_be_asked_is_no_reason_to_ask_the_next(ordered, fault):
    ordered.second.write("connections/later", {"value": "second"})
    ordered.upstream.write("connections/both", {"value": "first"})
    ordered.second.write("connections/both", {"value": "second"})
    assert value(ordered.read("connections/both")) == "first"
    with ordered.proxy.failing(fault):
        ordered.invalidate(mount="airflow")
        assert ordered.read("connections/later").status == 503
        answer = ordered.read("connections/both")
        assert (value(answer), outcome(answer)) == ("first", "STALE")


def test_a_vault_first_and_the_own_store_behind_it(front):
    front = front(start=False)
    front.config["mounts"]["airflow"] = {"backends": [
        {"backend": "embedded"}, {"backend": "vault", "kwargs": front.mount["kwargs"]}]}
    front.start()
    front.upstream.write("connections/pg", {"value": "vault"})
    assert value(front.read("connections/pg")) == "vault"
    front.write("connections/pg", {"value": "own"})
    assert value(front.read("connections/pg")) == "own"
    assert front.upstream.client.get("/v1/" + front.upstream.path("connections/pg")).data["data"] == {"value": "vault"}


def test_backend_kwargs_as_airflow_has_them_are_all_it_takes(bao_server, start_airlock):
    upstream = Upstream(bao_server)
    upstream.write("connections/pg", {"value": "one"})
    kwargs = upstream.kwargs(bao_server.url, connections_path="connections", variables_path=None, timeout=None)
    airlock = start_airlock("--backend-kwargs", json.dumps(kwargs))
    answer = Connection(airlock).get(f"/v1/{upstream.mount}/data/connections/pg")
    assert (value(answer), outcome(answer)) == ("one", "MISS")
    assert airlock.stop() == 0


# Mistakes

SECRET = "canary-of-the-configuration"
URL = {"url": "http://127.0.0.1:1"}
APPROLE = URL | {"auth_type": "approle", "role_id": "r", "secret_id": SECRET}


def of(mount):
    return {"mounts": {"airflow": mount}}


def kwargs(**more):
    return of({"backend": "vault", "kwargs": more})


@pytest.mark.parametrize("config, expected", [
    ({"mount": {}}, ["mount", "mounts"]),
    (of({"backend": "valt", "kwargs": APPROLE}), ["backend", "vault"]),
    (of({"backend": "vault", "kwargs": APPROLE, "tll": "60s"}), ["tll", "ttl"]),
    (of({"backend": "vault", "kwargs": APPROLE, "max_stail": "60s"}), ["max_stail", "max_stale"]),
    (of({"backend": "vault", "kwargs": APPROLE, "ttl": "soon"}), ["ttl"]),
    (of({"backend": "vault", "kwargs": APPROLE, "ttl": "-1s"}), ["ttl"]),
    (of({"backend": "vault", "kwargs": APPROLE, "authorize": "remote"}), ["authorize", "upstream"]),
    (of({"backend": "vault", "kwargs": APPROLE, "cache_entries": "many"}), ["cache_entries"]),
    (of({"backend": "vault"}), ["airflow", "kwargs"]),
    (kwargs(auth_type="approle", role_id="r"), ["url"]),
    (kwargs(**APPROLE, mount_pint="x"), ["mount_pint", "mount_point"]),
    (kwargs(**APPROLE, secret_id_pat="x"), ["secret_id_pat", "secret_id_path"]),
    (kwargs(**URL, auth_type="approle"), ["role_id"]),
    (kwargs(**URL, auth_type="approl"), ["auth_type", "approle"]),
    (kwargs(**URL, auth_type="kubernetes"), ["kubernetes_role"]),
    (kwargs(**URL, auth_type="jwt", jwt_role="r"), ["jwt_token"]),
    (kwargs(**URL, auth_type="userpass", username="u"), ["password"]),
    (kwargs(**URL, auth_type="token"), ["token"]),
    (kwargs(**URL, auth_type="aws_iam", role_id="r"), ["aws_iam", "not supported yet"]),
    (kwargs(**URL, auth_type="gcp", role_id="r", gcp_scopes="s"), ["gcp", "not supported yet"]),
    (kwargs(**URL, auth_type="azure", azure_resource="r", azure_tenant_id="t"), ["azure", "not supported yet"]),
    (kwargs(**APPROLE | {"url": "ftp://h"}), ["url"]),
    (of({"backends": []}), ["backends"]),
    (of({"backend": "vault", "backends": [], "kwargs": APPROLE}), ["backends"]),
    (of({"backends": [{"backend": "vault", "kwargs": APPROLE | {"rol_id": "x"}}]}), ["rol_id", "role_id"]),
    ({"mounts": {"a": {"backend": "embedded"}, "a/b": {"backend": "embedded"}}}, ["a/", "a/b/", "overlap"]),
    ({"mounts": {"sys": {"backend": "embedded"}}}, ["sys"]),
    ({"mounts": {"auth/x": {"backend": "embedded"}}}, ["auth"]),
    ({"mounts": {"../x": {"backend": "embedded"}}}, ["mounts", "path"]),
    ({"mounts": {"": {"backend": "embedded"}}}, ["mounts"]),
    ({"mounts": []}, ["mounts"]),
    ({"ttl": "60s", "negative_ttl": []}, ["negative_ttl"]),
], ids=lambda one: json.dumps(one)[:70] if isinstance(one, dict) else None)
def test_a_mistake_in_the_configuration_ends_the_start_and_is_named(start_airlock, tmp_path, config, expected):
    (tmp_path / "config.json").write_text(json.dumps(config))
    server = start_airlock("--config", str(tmp_path / "config.json"), wait_for_ready=False)
    assert server.wait() == 2, server.stderr
    assert all(part in server.stderr for part in expected), server.stderr
    assert SECRET not in server.stderr and "Fatal error" not in server.stderr
    assert not (start_airlock.data / "store.db").exists(), "a refused start leaves no database behind"
