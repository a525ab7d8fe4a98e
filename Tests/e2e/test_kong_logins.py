"""Kong's logins by Kubernetes service account and by JWT, replayed like those of test_kong.py."""

import http.server
import json
import threading

import pytest

from authority import Authority
from test_kong import NAME, connection, kong  # fixtures


class Cluster(http.server.BaseHTTPRequestHandler):
    """A Kubernetes API that knows one service account's token."""

    ACCOUNT = {"username": "system:serviceaccount:gateway:kong", "uid": "uid-1", "groups": ["system:serviceaccounts"]}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.path == "/apis/authentication.k8s.io/v1/tokenreviews" and asked["spec"]["token"] == self.server.token
        status = {"authenticated": True, "user": self.ACCOUNT, "audiences": asked["spec"].get("audiences", [])} if known else {"authenticated": False, "user": {}, "error": "unknown"}
        body = json.dumps({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": asked["spec"], "status": status}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def service_account(authority, name):
    """The token that Kubernetes mounts into a pod."""
    claims = {"kubernetes.io": {"namespace": "gateway", "serviceaccount": {"name": name, "uid": "uid-1"}}}
    return authority.jwt(iss="https://kubernetes.default.svc", sub=f"system:serviceaccount:gateway:{name}", aud=["https://kubernetes.default.svc"], **claims)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "kong-authority")


@pytest.fixture(scope="module")
def cluster(authority):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.token = service_account(authority, "kong")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_account_of_kubernetes_reads(kong, connection, cluster, authority):
    connection.post("/v1/sys/auth/kubernetes", {"type": "kubernetes"})
    configured = connection.post("/v1/auth/kubernetes/config", {
        "kubernetes_host": f"http://127.0.0.1:{cluster.server_port}", "kubernetes_ca_cert": authority.path.read_text(), "disable_local_ca_jwt": True})
    assert configured.status == 204, configured
    connection.post("/v1/auth/kubernetes/role/kong", {
        "bound_service_account_names": "kong", "bound_service_account_namespaces": "gateway", "token_policies": "kong", "token_ttl": "20m"})
    assert kong.login("kubernetes", {"role": "kong", "jwt": cluster.token}).reference(NAME) == "ACME Inc."
    stranger = kong.connection.post("/v1/auth/kubernetes/login", {"role": "kong", "jwt": service_account(authority, "other")}, token=None)
    assert stranger.status == 403


def test_a_jwt_reads(kong, connection, authority):
    connection.post("/v1/sys/auth/jwt", {"type": "jwt"})
    configured = connection.post("/v1/auth/jwt/config", {"jwt_validation_pubkeys": [authority.public_key], "bound_issuer": "https://idp.example"})
    assert configured.status == 204, configured
    connection.post("/v1/auth/jwt/role/kong", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": "kong", "token_ttl": "20m"})
    token = authority.jwt(iss="https://idp.example", sub="kong", aud="vault")
    assert kong.login("jwt", {"role": "kong", "jwt": token}).reference(NAME) == "ACME Inc."
    for wrong in [authority.jwt(iss="https://idp.example", sub="kong", aud="other"), authority.jwt(seconds=-600, iss="https://idp.example", sub="kong", aud="vault")]:
        assert kong.connection.post("/v1/auth/jwt/login", {"role": "kong", "jwt": wrong}, token=None).status == 400
