"""How Airlock logs in at a vault, one way after the other, with a real OpenBao on the other side."""

import contextlib
import http.server
import json
import threading
import time

import pytest

import servers
from authority import Authority
from front import UPSTREAM_POLICY, Front, Upstream, done, outcome, value
from raft_openbao import RaftOpenBao
from servers import wait_until

SERVICE_ACCOUNT = {
    "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:default:airlock", "aud": ["openbao"],
    "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "airlock", "uid": "uid-123"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("logins")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder, "authority")


@pytest.fixture(scope="module")
def bao(folder, authority):
    """With a second listener, which asks for client certificates."""
    port, listener = servers.tls_listener(*authority.issue("openbao"))
    bao = RaftOpenBao(folder / "bao", listener)
    bao.tls_url = f"https://127.0.0.1:{port}"
    yield bao
    bao.stop()


@pytest.fixture
def front(bao, tmp_path, start_airlock):
    """An Airlock that logs in with `kwargs` instead of the AppRole, and has been asked nothing yet."""
    front = Front(bao, tmp_path, start_airlock)
    front.upstream.write("connections/pg", {"value": "one"})

    def make(**kwargs):
        for key in ["auth_type", "role_id", "secret_id"]:
            del front.mount["kwargs"][key]
        front.mount["kwargs"] |= kwargs
        return front.start()

    make.bao, make.upstream, make.proxy = front.upstream.client, front.upstream, front.proxy
    yield make
    front.end()


def enabled(front, method, **config):
    """Enables an auth method in OpenBao, once."""
    if f"{method}/" not in front.bao.get("/v1/sys/auth").data:
        done(front.bao.post(f"/v1/sys/auth/{method}", {"type": method}))
        if config:
            done(front.bao.post(f"/v1/auth/{method}/config", config))


def assert_reads_after_one_login(front, logins=1):
    for expected in ["MISS", "HIT"]:
        answer = front.read("connections/pg")
        assert (value(answer), outcome(answer)) == ("one", expected)
    assert front.read("connections/never").status == 404
    assert front.proxy.count("login") == logins


def test_by_token(front):
    made = done(front.bao.post("/v1/auth/token/create", {"policies": ["airlock"]})).json["auth"]["client_token"]
    assert_reads_after_one_login(front(auth_type="token", token=made), logins=0)


def test_by_token_is_what_kwargs_without_an_auth_type_mean(front):
    made = done(front.bao.post("/v1/auth/token/create", {"policies": ["airlock"]})).json["auth"]["client_token"]
    assert_reads_after_one_login(front(token=made), logins=0)


def test_by_userpass(front):
    enabled(front, "userpass")
    done(front.bao.post("/v1/auth/userpass/users/air.lock", {"password": "p w/%", "token_policies": "airlock"}))
    assert_reads_after_one_login(front(auth_type="userpass", username="air.lock", password="p w/%"))


def test_by_userpass_at_another_mount_point(front):
    if "people/" not in front.bao.get("/v1/sys/auth").data:
        done(front.bao.post("/v1/sys/auth/people", {"type": "userpass"}))
    done(front.bao.post("/v1/auth/people/users/airlock", {"password": "secret", "token_policies": "airlock"}))
    assert_reads_after_one_login(
        front(auth_type="userpass", username="airlock", password="secret", auth_mount_point="people"))


def wrapped_secret_id(front):
    answer = front.bao.send(
        "PUT", "/v1/auth/approle/role/airlock/secret-id", {}, headers={"X-Vault-Wrap-TTL": "300"})
    return done(answer).json["wrap_info"]["token"]


def test_by_approle_with_a_wrapped_secret_id_that_is_unwrapped_once(front, tmp_path):
    (tmp_path / "wrapped").write_text(wrapped_secret_id(front) + "\n")
    front = front(auth_type="approle", role_id="airlock", secret_id_path=str(tmp_path / "wrapped"), secret_id_wrapped=True)
    assert_reads_after_one_login(front)
    [used] = {request.headers["x-vault-token"] for request in front.proxy.seen("read")}
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": used}))
    front.upstream.write("connections/new", {"value": "two"})
    assert value(front.read("connections/new")) == "two", "the secret id was not kept after it was unwrapped"
    unwraps = [request for request in front.proxy.seen("other") if request.path == "sys/wrapping/unwrap"]
    assert len(unwraps) == 1


def test_a_wrapping_token_that_somebody_else_has_used_is_refused_aloud(front):
    token = wrapped_secret_id(front)
    done(front.bao.post("/v1/sys/wrapping/unwrap", {}, token=token))
    front = front(auth_type="approle", role_id="airlock", secret_id=token, secret_id_wrapped=True)
    assert front.read("connections/pg").status == 503
    assert "wrapping token" in front.airlock.stderr and token not in front.airlock.stderr


@pytest.mark.parametrize("from_file", [False, True], ids=["in the kwargs", "in a file"])
def test_by_jwt(front, authority, tmp_path, from_file):
    enabled(front, "jwt", jwt_validation_pubkeys=[authority.public_key])
    done(front.bao.post("/v1/auth/jwt/role/airlock", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["openbao"], "token_policies": ["airlock"]}))
    jwt = authority.jwt(sub="airlock", aud="openbao")
    (tmp_path / "jwt").write_text(jwt + "\n")
    how = {"jwt_token_path": str(tmp_path / "jwt")} if from_file else {"jwt_token": jwt}
    assert_reads_after_one_login(front(auth_type="jwt", jwt_role="airlock", **how))


def test_a_jwt_that_has_expired_is_read_again_from_its_file(front, authority, tmp_path):
    enabled(front, "jwt", jwt_validation_pubkeys=[authority.public_key])
    done(front.bao.post("/v1/auth/jwt/role/airlock", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["openbao"], "token_policies": ["airlock"]}))
    (tmp_path / "jwt").write_text(authority.jwt(seconds=-3600, sub="airlock", aud="openbao"))
    front = front(auth_type="jwt", jwt_role="airlock", jwt_token_path=str(tmp_path / "jwt"))
    assert front.read("connections/pg").status == 503
    (tmp_path / "jwt").write_text(authority.jwt(sub="airlock", aud="openbao"))
    wait_until(lambda: front.read("connections/pg").status == 200, "the file is read again")


class TokenReview(http.server.BaseHTTPRequestHandler):
    """The one call of Kubernetes that OpenBao makes."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {},
            "status": {"authenticated": True, "audiences": ["openbao"], "user": {
                "username": "system:serviceaccount:default:airlock", "uid": "uid-123"}}}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def token_reviews():
    """A Kubernetes that knows the one service account."""
    cluster = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TokenReview)
    threading.Thread(target=cluster.serve_forever, daemon=True).start()
    try:
        yield cluster
    finally:
        cluster.shutdown()
        cluster.server_close()


def test_by_kubernetes(front, authority, tmp_path):
    with token_reviews() as cluster:
        enabled(front, "kubernetes", kubernetes_host=f"http://127.0.0.1:{cluster.server_port}",
                kubernetes_ca_cert=authority.path.read_text(), disable_local_ca_jwt=True, token_reviewer_jwt=authority.jwt())
        done(front.bao.post("/v1/auth/kubernetes/role/airlock", {
            "bound_service_account_names": "airlock", "bound_service_account_namespaces": "default",
            "token_policies": "airlock"}))
        (tmp_path / "service-account").write_text(authority.jwt(**SERVICE_ACCOUNT))
        assert_reads_after_one_login(front(
            auth_type="kubernetes", kubernetes_role="airlock", kubernetes_jwt_path=str(tmp_path / "service-account")))


def test_by_client_certificate(front, bao, authority, tmp_path):
    enabled(front, "cert")
    done(front.bao.post("/v1/auth/cert/certs/airlock", {
        "certificate": authority.path.read_text(), "token_policies": "airlock"}))
    certificate, key = authority.issue("airlock-client")
    front = front(auth_type="cert", cert_role="airlock", url=bao.tls_url, verify=str(authority.path),
                  cert=[str(certificate), str(key)])
    for expected in ["MISS", "HIT"]:
        answer = front.read("connections/pg")
        assert (value(answer), outcome(answer)) == ("one", expected)


def test_in_a_namespace(front):
    bao = front.bao
    done(bao.post("/v1/sys/namespaces/team", {}))
    inside = {"X-Vault-Namespace": "team"}
    done(bao.post("/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, headers=inside))
    wait_until(lambda: bao.post("/v1/kv/data/connections/pg", {"data": {"value": "one"}}, headers=inside).status == 200,
               "the mount is made")
    done(bao.put("/v1/sys/policies/acl/airlock", {"policy": UPSTREAM_POLICY}, headers=inside))
    done(bao.post("/v1/sys/auth/approle", {"type": "approle"}, headers=inside))
    done(bao.put("/v1/auth/approle/role/airlock", {"role_id": "of-team", "token_policies": "airlock"}, headers=inside))
    secret_id = done(bao.put("/v1/auth/approle/role/airlock/secret-id", {}, headers=inside)).data["secret_id"]
    assert_reads_after_one_login(front(
        auth_type="approle", role_id="of-team", secret_id=secret_id, namespace="team", mount_point="kv"))


# The life of a token


@pytest.fixture
def short_lived(front):
    """A front with an AppRole whose tokens live as `fields` say."""
    def make(**fields):
        done(front.bao.put(
            "/v1/auth/approle/role/short", {"role_id": "short", "token_policies": "airlock"} | fields))
        secret_id = done(front.bao.put("/v1/auth/approle/role/short/secret-id", {})).data["secret_id"]
        return front(auth_type="approle", role_id="short", secret_id=secret_id)
    return make


def reads_for(front, seconds):
    """Every answer is the vault's own, and none is an error."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert front.read(f"connections/{time.monotonic_ns()}").status == 404
        time.sleep(0.05)


def test_a_token_is_renewed_before_it_expires(short_lived):
    front = short_lived(token_ttl="3s", token_max_ttl="1h")
    reads_for(front, 7)
    assert front.proxy.count("login") == 1
    assert [request for request in front.proxy.seen("other") if request.path == "auth/token/renew-self"]


def test_a_token_that_cannot_be_renewed_any_longer_is_replaced_before_it_expires(short_lived):
    front = short_lived(token_ttl="2s", token_max_ttl="4s")
    reads_for(front, 9)
    assert 2 <= front.proxy.count("login") <= 8


def test_a_token_for_a_few_uses_is_replaced_when_it_is_used_up(short_lived):
    front = short_lived(token_num_uses=5)
    for n in range(20):
        assert front.read(f"connections/absent-{n}").status == 404
    assert front.proxy.count("login") >= 4


def test_a_refused_login_is_not_repeated_for_each_read(front):
    front = front(auth_type="approle", role_id="airlock", secret_id="of-somebody-else")
    for n in range(30):
        assert front.read(f"connections/c{n}").status == 503
    assert front.proxy.count("login") <= 3
    assert "of-somebody-else" not in front.airlock.stderr


def test_two_mounts_of_one_vault_share_a_login(front):
    secret_id = done(front.bao.put("/v1/auth/approle/role/airlock/secret-id", {})).data["secret_id"]
    front = front(auth_type="approle", role_id="airlock", secret_id=secret_id)
    other = Upstream(front.upstream.bao)
    other.write("connections/pg", {"value": "two"})
    front.config["mounts"]["other"] = front.mount | {"kwargs": front.mount["kwargs"] | {"mount_point": other.mount}}
    front.restart()
    front.proxy.forget()
    assert value(front.read("connections/pg")) == "one"
    assert value(front.client.get("/v1/other/data/connections/pg")) == "two"
    assert front.proxy.count("login") == 1
