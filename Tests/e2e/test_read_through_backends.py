"""Several vaults behind one Airlock, an order of backends behind one mount, and mistakes in what the configuration says of them."""

import json

import pytest

import fault_proxy as faults
from front import Upstream, done, outcome, value
from servers import start_openbao
from wire import Connection


@pytest.fixture(scope="module")
def second_bao(tmp_path_factory):
    bao = start_openbao(tmp_path_factory.mktemp("second"))
    yield bao
    bao.stop()


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
