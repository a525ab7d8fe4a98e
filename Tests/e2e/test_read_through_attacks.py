"""Ways round a right or a promise that a hostile review found on mounts in front of a vault, each with the answer it gets now."""

import json

import pytest

import fault_proxy as faults
from front import Front, done, outcome, value
from servers import ROOT_TOKEN, wait_until
from test_authorize_upstream import log_in, reads, role, token
from wire import Connection

SECRET = "canary-4e11"


@pytest.fixture
def front(bao_server, tmp_path, start_airlock):
    made = []

    def make(**settings):
        made.append(Front(bao_server, tmp_path, start_airlock, **settings))
        return made[-1].start()

    yield make
    for one in made:
        one.end()


def refused(front, method, path, token, *statuses, body=None):
    answer = front.client.send(method, path, body, token=token)
    assert answer.status in (statuses or (403,)) and SECRET not in answer.text, f"{method} {path[:60]}: {answer}"
    return answer


@pytest.mark.parametrize("version", [1, 2])
def test_the_right_to_list_is_no_right_to_read_however_the_query_is_written(front, version):
    front = front(version=version)
    front.upstream.write("connections/pg", {"value": SECRET})
    lister = front.token('path "airflow/*" { capabilities = ["list", "scan"] }')
    for path in ["connections/pg", "metadata/connections/pg", "subkeys/connections/pg", "data/connections/pg"]:
        for query in ["&" * 10_001 + "list=true", "&" * 10_001 + "scan=true", "list=true;a", "list=true&list=false"]:
            refused(front, "GET", f"/v1/airflow/{path}?{query}", lister, 400, 403, 404)
    for query in ["&&list=true", "list=true&x=1", "x=1&list=1"]:
        answer = front.client.get(f"/v1/airflow/{'metadata/' if version == 2 else ''}connections?{query}", token=lister)
        assert done(answer).data["keys"] == ["pg"]
    assert all(one.target.count("&") < 100 for one in front.proxy.requests)


def test_a_mount_that_is_opened_by_name_leads_nowhere_but_to_secrets(bao_server, start_airlock):
    bao = Connection(bao_server)
    bao.post("/v1/sys/namespaces/inner", {})
    for version in (1, 2):
        airlock = start_airlock("--backend-kwargs", json.dumps({
            "url": bao_server.url, "token": bao_server.token, "mount_point": None, "kv_engine_version": version}))
        client = Connection(airlock)
        done(client.put("/v1/sys/policies/acl/wide", {"policy": 'path "+/*" { capabilities = ["create", "read", "update", "list", "delete"] }'}))
        wide = done(client.post("/v1/auth/token/create", {"policies": ["wide"]})).json["auth"]["client_token"]
        for path in ["auth/token/lookup-self", "sys/mounts", "sys/policies/acl/default", "identity/entity/id",
                     "cubbyhole/x", "inner/auth/token/lookup-self", "data/auth/token/lookup-self"]:
            for method in ["GET", "LIST", "POST", "DELETE"]:
                answer = client.send(method, f"/v1/inner/{path}", {} if method == "POST" else None, token=wide)
                assert answer.status in (400, 403, 404, 405), f"{method} {path}: {answer}"
                assert bao_server.token not in answer.text
        client.close()
        airlock.stop()


def test_strangers_cannot_use_up_the_mounts_that_are_opened_by_name(bao_server, start_airlock):
    Connection(bao_server).post("/v1/secret/data/connections/pg", {"data": {"value": "v"}})
    airlock = start_airlock("--backend-kwargs", json.dumps({
        "url": bao_server.url, "token": bao_server.token, "mount_point": None}))
    client = Connection(airlock)
    for number in range(5000):
        assert client.get(f"/v1/junk{number}/data/x", token=None).status == 403
    assert value(client.get("/v1/secret/data/connections/pg")) == "v"


def test_a_certificate_of_airlocks_own_is_refused_where_clients_log_in_to_the_vault(start_airlock):
    server = start_airlock("--authorize", "upstream", "--backend-kwargs", json.dumps({
        "url": "https://127.0.0.1:1", "auth_type": "cert", "cert": ["/c.pem", "/k.pem"]}), wait_for_ready=False)
    assert server.wait() == 2 and "no certificate of its own" in server.stderr


def test_a_revocation_that_was_noticed_is_not_undone_by_an_outage(front):
    front = front(authorize="upstream", ttl="1s", rights_recheck="1s")
    client = token(front, role(front, "airflow", reads(front)))
    for name in ["a", "b"]:
        front.upstream.write(f"connections/{name}", {"value": name})
        assert value(front.read(f"connections/{name}", token=client)) == name
    behind = front.proxy.seen("read")[-1].headers["x-vault-token"]
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": behind}))
    wait_until(lambda: front.read("connections/a", token=client).status == 403, "the revocation counts")
    with front.proxy.failing(faults.refuse):
        for _ in range(3):
            for name in ["a", "b"]:
                assert front.read(f"connections/{name}", token=client).status in (403, 503)


def test_use_counts_count_on_the_typed_surface_too(front):
    front = front(authorize="upstream")
    front.upstream.write("connections/pg", {"conn_uri": "postgres://u:p@pg/db"})
    client = token(front, role(front, "counted", reads(front), token_num_uses=2))
    path = "/api/v2/connections/pg?mount_point=airflow"
    assert [front.client.get(path, token=client).status for _ in range(4)] == [200, 200, 403, 403]


def test_a_login_that_hangs_is_nobody_elses_outage(front):
    front = front(authorize="upstream")
    client = token(front, role(front, "airflow", reads(front)))
    front.upstream.write("connections/pg", {"value": "v"})
    with front.proxy.failing(faults.late(4, only=lambda request: "slow" in request.path)):
        assert front.client.post("/v1/auth/slow/login/x", {"password": "p"}, token=None).status == 503
        assert value(front.read("connections/pg", token=client)) == "v"


def test_a_name_with_a_slash_at_its_end_is_no_secret(front):
    front = front()
    front.upstream.write("connections/pg", {"value": SECRET})
    assert value(front.read("connections/pg")) == SECRET
    limited = front.token('''path "airflow/+/*" { capabilities = ["create", "read", "update", "delete"] }
                             path "airflow/data/connections/pg" { capabilities = ["deny"] }
                             path "airflow/metadata/connections/pg" { capabilities = ["deny"] }''')
    for endpoint in ["data", "metadata", "subkeys"]:
        for method in ["GET", "DELETE"]:
            refused(front, method, f"/v1/airflow/{endpoint}/connections/pg/", limited, 400, 404, 405)
    assert value(front.upstream.client.get(f"/v1/{front.upstream.path('connections/pg')}")) == SECRET


@pytest.mark.parametrize("path", ["data/%2E/x", "data/a/../b", "data/x/", "nowhere/x", "config/x"])
def test_a_request_that_the_vault_never_sees_costs_nobody_the_cache(front, path):
    front = front()
    front.upstream.write("connections/pg", {"value": "v"})
    assert value(front.read("connections/pg")) == "v"
    writer = front.token('path "airflow/*" { capabilities = ["create", "update"] }')
    front.proxy.forget()
    assert front.client.post(f"/v1/airflow/{path}", {"data": {}}, token=writer).status in (307, 400, 404, 405)
    assert front.proxy.requests == []
    assert outcome(front.read("connections/pg")) == "HIT"


def test_a_token_without_a_right_to_write_makes_airlock_ask_nothing(front):
    front = front()
    reader = front.token('path "airflow/data/own" { capabilities = ["read"] }')
    front.read("connections/pg")
    front.proxy.forget()
    for number in range(20):
        assert front.client.post(f"/v1/airflow/data/n{number}", {"data": {}}, token=reader).status == 403
    assert front.proxy.requests == []


def test_credentials_for_one_namespace_are_not_tried_in_another(bao_server, tmp_path, start_airlock):
    kwargs = {"url": bao_server.url, "mount_point": "kv"}
    config = {"mounts": {
        "a": {"backend": "vault", "kwargs": kwargs | {"namespace": "ns1"}, "authorize": "upstream"},
        "b": {"backend": "vault", "kwargs": kwargs | {"namespace": "ns2", "token": "t"}}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    client = Connection(start_airlock("--config", str(tmp_path / "config.json")), token=None)
    body = {"role_id": "r", "secret_id": "s"}
    wrong = client.post("/v1/auth/approle/login", body, headers={"X-Vault-Namespace": "ns2"})
    assert (wrong.status, wrong.errors) == (404, ["namespace not found"])


def test_two_mounts_of_one_place_are_refused(bao_server, tmp_path, start_airlock):
    one = {"backend": "vault", "kwargs": {"url": bao_server.url, "mount_point": "kv", "token": "t"}}
    (tmp_path / "config.json").write_text(json.dumps({"mounts": {"a": one, "b": one}}))
    server = start_airlock("--config", str(tmp_path / "config.json"), wait_for_ready=False)
    assert server.wait() == 2 and "lead to the same secrets" in server.stderr
