"""Kong's logins by Kubernetes service account, by JWT and by certificate, replayed like those of test_kong.py."""

import pytest

from authority import Authority
from client_certificates import LOGIN, Client, files, tls_servers  # fixtures among them
from issuers import Cluster
from test_kong import MOUNTS, NAME, Kong, administrator, connection, kong  # fixtures among them


def service_account(authority, name):
    """The token that Kubernetes mounts into a pod."""
    claims = {"kubernetes.io": {"namespace": "gateway", "serviceaccount": {"name": name, "uid": "uid-1"}}}
    return authority.jwt(iss="https://kubernetes.default.svc", sub=f"system:serviceaccount:gateway:{name}", aud=["https://k"], **claims)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "kong-authority")


@pytest.fixture(scope="module")
def cluster(authority):
    cluster = Cluster({"username": "system:serviceaccount:gateway:kong", "uid": "uid-1"})
    yield cluster
    cluster.close()


def test_a_service_account_of_kubernetes_reads(kong, connection, cluster, authority):
    connection.post("/v1/sys/auth/kubernetes", {"type": "kubernetes"})
    configured = connection.post("/v1/auth/kubernetes/config", {
        "kubernetes_host": cluster.url, "kubernetes_ca_cert": authority.path.read_text(), "disable_local_ca_jwt": True})
    assert configured.status == 204, configured
    connection.post("/v1/auth/kubernetes/role/kong", {
        "bound_service_account_names": "kong", "bound_service_account_namespaces": "gateway", "token_policies": "kong", "token_ttl": "20m"})
    assert kong.login("kubernetes", {"role": "kong", "jwt": service_account(authority, "kong")}).reference(NAME) == "ACME Inc."
    stranger = kong.connection.post("/v1/auth/kubernetes/login", {"role": "kong", "jwt": service_account(authority, "other")}, token=None)
    assert stranger.status == 403
    cluster.verdict = {"authenticated": False, "user": {}, "error": "unknown"}
    assert kong.connection.post("/v1/auth/kubernetes/login", {"role": "kong", "jwt": service_account(authority, "kong")}, token=None).status == 403
    cluster.reset()


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


def test_a_certificate_reads(tls_servers, files):
    """`cert_auth_cert` and `cert_auth_cert_key`, with `cert_auth_role_name` and without."""
    for server in tls_servers:
        root, client = administrator(server), Client(server, files)
        made = root.post("/v1/auth/cert/certs/kong", {"certificate": files.root.pem, "allowed_common_names": "svc.*", "token_policies": "kong", "token_ttl": "20m"})
        assert made.status == 204, made
        for kv in MOUNTS:
            for body in ({"name": "kong"}, {}):
                kong = Kong(client.connection("good"), kv).login("cert", body)
                assert kong.reference(NAME) == "ACME Inc."
                assert kong.read("customer/nobody").status == 404
                kong.connection.close()
        for certificate, name in (("stranger", "kong"), ("none", "kong"), ("good", "other")):
            assert client.send("POST", LOGIN, {"name": name}, certificate).status == 400
        root.close()
