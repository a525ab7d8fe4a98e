"""The Kubernetes login: the real OpenBao and Airlock ask the same cluster, a server of the tests' own, and answer alike
(VAULT-PROTOCOL 16)."""

import json
import time

import pytest

from authority import Authority
from conftest import chosen
from issuers import Cluster, Issuer, Key, part
from twins import Twins, reason
from wire import Connection

EC, RSA, ED, OTHER = Key("p256"), Key("rsa"), Key("ed25519"), Key("p256")
ROLE = {"bound_service_account_names": "app,web*", "bound_service_account_namespaces": ["default", "ns-*"], "token_policies": "p1", "token_ttl": "20m"}
USER = {"username": "system:serviceaccount:default:app", "uid": "uid-1"}


def claims(namespace="default", name="app", uid="uid-1", **more):
    now = int(time.time())
    said = {
        "iss": "https://k", "aud": ["https://k"], "exp": now + 600, "iat": now, "nbf": now, "sub": f"system:serviceaccount:{namespace}:{name}",
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}, "pod": {"name": "p", "uid": "u"}}}
    return {name: value for name, value in (said | more).items() if value is not None}


def older(**more):
    """Those of a token that a Secret holds."""
    old = "kubernetes.io/serviceaccount/"
    return {"iss": "kubernetes/serviceaccount", old + "namespace": "default", old + "secret.name": "sec",
            old + "service-account.name": "app", old + "service-account.uid": "uid-1"} | more


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("cluster"), "cluster")


@pytest.fixture(scope="module")
def running(authority):
    cluster = Cluster(USER, authority.server())
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(running):
    running.reset()
    return running


@pytest.fixture(scope="module")
def twins(request, tmp_path_factory, running, authority):
    twins = Twins(chosen(request.config), tmp_path_factory.mktemp("kubernetes"))
    twins.done("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    twins.config = {"kubernetes_host": running.url, "kubernetes_ca_cert": authority.path.read_text()}
    trust(twins)
    twins.done("POST", "auth/kubernetes/role/r", ROLE)
    yield twins
    twins.stop()


def trust(twins, **more):
    twins.done("POST", "auth/kubernetes/config", twins.config | more)


def login(twins, token, role="r", **more):
    return twins.send("POST", "auth/kubernetes/login", {"role": role, "jwt": token}, token=None, **more)


def test_the_configuration_is_checked_and_read_back_as_on_the_real_server(twins):
    twins.done("POST", "sys/auth/other", {"type": "kubernetes"})
    config = "auth/other/config"
    assert twins.send("GET", config).status == 404
    assert "invalid role name" in reason(twins.send("POST", "auth/other/login", {"role": "r", "jwt": "x"}, token=None))
    assert reason(twins.send("POST", config, {})) == "no host provided"
    for wrong in ({"disable_local_ca_jwt": True, "kubernetes_ca_cert": ""}, {"kubernetes_ca_cert": ""}, {"pem_keys": ["junk"]}):
        assert twins.send("POST", config, twins.config | wrong).status == 400
    for right in ({"pem_keys": [EC.pem, RSA.pem], "token_reviewer_jwt": "rev", "issuer": "https://k", "disable_iss_validation": False, "extra": 1}, {}):
        twins.done("POST", config, twins.config | right)
        assert "rev" not in twins.done("GET", config).data.values()
    assert twins.send("DELETE", config).status == 405
    twins.done("DELETE", "sys/auth/other")


@pytest.mark.parametrize("body", [
    {}, {"bound_service_account_names": "a"}, {"bound_service_account_names": "a,*", "bound_service_account_namespaces": "x"},
    {"bound_service_account_names": "a", "bound_service_account_namespaces": "x,*"}, ROLE | {"alias_name_source": "zzz"},
    ROLE | {"bound_service_account_names": ""},
    ROLE | {"token_ttl": "2h", "token_max_ttl": "1h"}, ROLE | {"token_period": "99999h"}], ids=str)
def test_a_role_that_says_something_wrong_is_refused_as_by_the_real_server(twins, body):
    assert twins.send("POST", "auth/kubernetes/role/wrong", body).status == 400
    assert twins.send("GET", "auth/kubernetes/role/wrong").status == 404


@pytest.mark.parametrize("bodies", [
    [ROLE, {"token_ttl": "10m"}, {"audience": "https://k", "alias_name_source": "serviceaccount_name", "extra": 1}],
    [ROLE | {"bound_service_account_names": "*", "bound_service_account_namespaces": "*", "token_max_ttl": "99999h"}],
    [{name: value for name, value in ROLE.items() if name != "token_policies"} | {"policies": "a", "token_bound_cidrs": "127.0.0.1/32", "alias_name_source": ""}]], ids=lambda bodies: str(bodies)[:60])
def test_a_role_reads_back_as_on_the_real_server(twins, bodies):
    for body in bodies:
        twins.done("POST", "auth/kubernetes/role/Kept", body)
        twins.done("GET", "auth/kubernetes/role/kept")
    assert twins.done("LIST", "auth/kubernetes/role").data["keys"] == ["kept", "r"]
    assert twins.done("LIST", "auth/kubernetes/role?after=kept&limit=1&foo=1").data["keys"] == ["r"]
    twins.done("DELETE", "auth/kubernetes/role/kept")


def test_a_login_gives_the_token_that_the_real_server_gives(twins, cluster):
    token = EC.sign(claims())
    answer = login(twins, token)
    assert answer.json["auth"]["metadata"]["service_account_name"] == "app"
    assert cluster.asked == [(f"Bearer {token}", {"token": token, "audiences": ["https://k"]})] * len(twins.servers)
    login(twins, token, role="R")
    for connection in twins.connections:
        known = connection.post("/v1/auth/kubernetes/login", {"role": "R", "jwt": token}, token=None).json["auth"]["client_token"]
        assert connection.get("/v1/auth/token/lookup-self", token=known).data["display_name"] == "kubernetes-default-app"
        assert connection.post("/v1/auth/token/renew-self", {}, token=known).json["auth"]["lease_duration"] == 1200


def test_the_reviewers_token_is_sent_instead_of_the_clients_when_there_is_one(twins, cluster):
    trust(twins, token_reviewer_jwt="reviewer", kubernetes_host=cluster.url + "/")
    assert login(twins, EC.sign(claims())).status == 200
    assert {bearer for bearer, _ in cluster.asked} == {"Bearer reviewer"}
    trust(twins)


def test_what_a_login_says_too_much_is_named_in_a_warning(twins, cluster):
    body = {"role": "r", "jwt": EC.sign(claims()), "password": "x"}
    warned = twins.done("POST", "auth/kubernetes/login", body, token=None).json["warnings"]
    assert warned == ["Endpoint ignored these unrecognized parameters: [password]"]


def test_whoever_does_not_say_enough_is_told_so(twins, cluster):
    for body, why in (({}, "missing role"), ({"role": "r"}, "missing jwt"), ({"jwt": "x"}, "missing role"), ({"role": "zz", "jwt": "x"}, 'invalid role name "zz"')):
        assert reason(twins.send("POST", "auth/kubernetes/login", body, token=None)) == why
    assert twins.send("GET", "auth/kubernetes/login", token=None).status == 405


REFUSED_REVIEWS = {
    "not authenticated": {"authenticated": False}, "an error": {"error": "CANARY"}, "no audiences": {"audiences": []},
    "other audiences": {"audiences": ["other"]}, "another name": {"user": USER | {"username": "system:serviceaccount:default:web"}},
    "another namespace": {"user": USER | {"username": "system:serviceaccount:ns-1:app"}}, "another uid": {"user": USER | {"uid": "other"}},
    "a person": {"user": USER | {"username": "joe"}}, "a node": {"user": USER | {"username": "system:node:a:b"}}, "nobody": {"user": {}},
}


@pytest.mark.parametrize("review", REFUSED_REVIEWS)
def test_what_the_cluster_does_not_confirm_is_refused(twins, cluster, review):
    cluster.verdict |= REFUSED_REVIEWS[review]
    assert reason(login(twins, EC.sign(claims()))) == "permission denied"
    assert len(cluster.asked) == len(twins.servers)


@pytest.mark.parametrize("status, raw", [(401, None), (403, None), (500, None), (307, b"/"), (201, b"junk"), (201, {"kind": "Status", "status": "Failure"}), (201, [])], ids=str)
def test_an_answer_that_is_no_review_lets_nobody_in(twins, cluster, status, raw):
    cluster.status, cluster.raw = status, raw
    assert reason(login(twins, EC.sign(claims()))) == "permission denied"


def test_a_cluster_that_is_not_there_lets_nobody_in(twins, cluster):
    trust(twins, kubernetes_host="https://127.0.0.1:9")
    assert reason(login(twins, EC.sign(claims()))) == "permission denied"
    trust(twins)


def test_a_cluster_that_another_authority_vouches_for_is_not_asked(twins, cluster, tmp_path):
    login(twins, EC.sign(claims()))
    cluster.reset()
    trust(twins, kubernetes_ca_cert=Authority(tmp_path, "stranger").path.read_text())
    answer = twins.connections[-1].post("/v1/auth/kubernetes/login", {"role": "r", "jwt": EC.sign(claims())}, token=None)
    if twins.servers[-1].name == "airlock":  # OpenBao goes on with the connection that it has
        assert reason(answer) == "permission denied" and cluster.asked == []
    trust(twins)


@pytest.mark.parametrize("why, said", [
    ("service account name not authorized", {"name": "zz"}), ("namespace not authorized", {"namespace": "zz"}),
    ("service account name not authorized", {"name": "zz", "namespace": "zz"}), ("permission denied", {"uid": ""}),
    ("service account name not authorized", {"kubernetes.io": {"namespace": "default"}}), ("service account name not authorized", {"kubernetes.io": None}),
    ("token is expired", {"exp": 5}), ("token not yet valid", {"nbf": 4e9}), ("issued in the future", {"iat": 4e9}), ("200", {"exp": None, "iat": None, "nbf": None}),
    ("200", {"aud": None}), ("permission denied", {"aud": ["other"]})], ids=str)
def test_a_token_is_for_the_accounts_that_the_role_names(twins, cluster, why, said):
    assert why in reason(login(twins, EC.sign(claims(**said))))


def test_accounts_are_named_by_patterns_and_by_older_tokens_too(twins, cluster):
    cluster.verdict["user"]["username"] = "system:serviceaccount:ns-1:webserver"
    assert login(twins, EC.sign(claims(name="webserver", namespace="ns-1"))).status == 200
    cluster.reset()
    answer = login(twins, EC.sign(older()))
    assert answer.json["auth"]["metadata"]["service_account_secret_name"] == "sec"


def test_the_role_names_the_audience_and_the_alias(twins, cluster):
    twins.done("POST", "auth/kubernetes/role/aud", ROLE | {"audience": "https://k", "alias_name_source": "serviceaccount_name"})
    assert login(twins, EC.sign(claims()), role="aud").status == 200
    for audience in (["zz"], None):
        assert "invalid audience" in reason(login(twins, EC.sign(claims(aud=audience)), role="aud"))
    twins.done("POST", "auth/kubernetes/role/aud", {"token_bound_cidrs": "10.0.0.0/8"})
    assert reason(login(twins, EC.sign(claims()), role="aud")) == "permission denied"
    twins.done("DELETE", "auth/kubernetes/role/aud")


UNVERIFIED = {
    "junk": (lambda: "junk", "permission denied"), "three words": (lambda: "a.b.c", "permission denied"),
    "EdDSA": (lambda: ED.sign(claims()), "unexpected algorithm"), "PS256": (lambda: RSA.sign(claims(), "PS256"), "unexpected algorithm"),
    "RS256": (lambda: RSA.sign(claims()), "200"), "none": (lambda: f"{part({'alg': 'none'})}.{part(claims())}.", "permission denied"),
    "HS256": (lambda: f"{part({'alg': 'HS256'})}.{part(claims())}.AAAA", "permission denied"),
    "a made-up signature": (lambda: f"{part({'alg': 'ES256'})}.{part(claims())}.AAAA", "200"),
}


@pytest.mark.parametrize("token", UNVERIFIED)
def test_without_keys_the_cluster_alone_judges_a_signature(twins, cluster, token):
    made, why = UNVERIFIED[token]
    assert why in reason(login(twins, made()))


def test_keys_are_checked_before_the_cluster_is_asked_and_never_instead(twins, cluster):
    trust(twins, pem_keys=[EC.pem])
    assert login(twins, EC.sign(claims())).status == 200
    cluster.reset()
    assert reason(login(twins, OTHER.sign(claims()))) == "permission denied"
    assert "expired" in reason(login(twins, EC.sign(claims(exp=5))))
    assert cluster.asked == []
    cluster.verdict["authenticated"] = False
    assert reason(login(twins, EC.sign(claims()))) == "permission denied"
    cluster.status = 500
    assert reason(login(twins, EC.sign(claims()))) == "permission denied"
    trust(twins)


def test_the_issuer_is_checked_when_that_is_wanted(twins, cluster):
    trust(twins, disable_iss_validation=False, issuer="https://k")
    assert login(twins, EC.sign(claims())).status == 200
    assert "invalid issuer" in reason(login(twins, EC.sign(claims(iss="https://other"))))
    trust(twins)


# What only Airlock has, or refuses

@pytest.fixture
def offline(airlock):
    connection = Connection(airlock)
    connection.post("/v1/sys/auth/offline", {"type": "kubernetes"})
    connection.post("/v1/auth/offline/role/r", ROLE | {"audience": "https://k"})
    yield connection
    connection.delete("/v1/sys/auth/offline")


def send(connection, token):
    return connection.post("/v1/auth/offline/login", {"role": "r", "jwt": token}, token=None)


@pytest.mark.parametrize("source", ["pem_keys", "jwks_url"])
def test_without_reviews_the_clusters_keys_decide(offline, source):
    with_keys = Issuer()
    with_keys.answers["/openid/v1/jwks"] = {"keys": [EC.jwk()]}
    try:
        keys = {"pem_keys": [EC.pem]} if source == "pem_keys" else {"jwks_url": f"{with_keys.url}/openid/v1/jwks"}
        answer = offline.post("/v1/auth/offline/config", {"disable_token_review": True} | keys)
        assert answer.status == 204, answer
        assert offline.get("/v1/auth/offline/config").data["disable_token_review"] is True
        assert send(offline, EC.sign(claims())).status == 200
        assert send(offline, OTHER.sign(claims())).errors == ["permission denied"]
        assert send(offline, f"{part({'alg': 'ES256'})}.{part(claims())}.AAAA").errors == ["permission denied"]
        for said, why in (({"aud": ["other"]}, "audience"), ({"exp": None}, "exp"), ({"exp": 5}, "expired"), ({"name": "zz"}, "name not authorized")):
            refused = send(offline, EC.sign(claims(**said)))
            assert refused.status == 403 and why in refused.text
        offline.post("/v1/auth/offline/role/r", {"audience": ""})
        assert "must name its audience" in send(offline, EC.sign(claims())).text
    finally:
        with_keys.close()


IMPOSSIBLE = {
    "no reviews and no keys": {"disable_token_review": True},
    "no reviews and two sources of keys": {"disable_token_review": True, "pem_keys": [EC.pem], "jwks_url": "https://x"},
    "no reviews and a reviewer": {"disable_token_review": True, "pem_keys": [EC.pem], "token_reviewer_jwt": "x"},
    "reviews and keys from a URL": {"kubernetes_host": "https://x", "jwks_url": "https://x"},
    "a cluster in the clear": {"kubernetes_host": "http://example.org", "kubernetes_ca_cert": "x"},
    "a cluster that is no URL": {"kubernetes_host": "example.org", "kubernetes_ca_cert": "x"},
    "an authority that is none": {"kubernetes_host": "https://x", "kubernetes_ca_cert": "junk"},
}


@pytest.mark.usefixtures("airlock_only")
@pytest.mark.parametrize("body", IMPOSSIBLE)
def test_a_configuration_that_cannot_be_kept_is_refused(offline, body):
    assert offline.post("/v1/auth/offline/config", IMPOSSIBLE[body]).status == 400
    assert offline.get("/v1/auth/offline/config").status == 404


def test_a_selector_of_namespaces_is_refused(offline):
    assert offline.post("/v1/auth/offline/role/s", ROLE | {"bound_service_account_namespace_selector": '{"matchLabels":{"a":"b"}}'}).status == 400


@pytest.mark.usefixtures("airlock_only")
def test_no_token_is_repeated_in_an_answer_or_in_the_log(twins, cluster):
    trust(twins, token_reviewer_jwt="CANARY-reviewer")
    cluster.verdict["error"] = "CANARY-verdict"
    for token in (EC.sign(claims(canary="CANARY")), "CANARY"):
        answer = login(twins, token)
        assert answer.status == 403 and "CANARY" not in answer.text
    airlock = twins.servers[-1]
    assert "CANARY" not in airlock.stderr + airlock.stdout and "the cluster does not accept the token" in airlock.stderr
    trust(twins)


def test_hvac_configures_and_logs_in(vault_server, cluster, authority):
    import hvac

    client = hvac.Client(url=vault_server.url, token=vault_server.token)
    client.sys.enable_auth_method("kubernetes", path="pods")
    client.auth.kubernetes.configure(
        kubernetes_host=cluster.url, kubernetes_ca_cert=authority.path.read_text(), token_reviewer_jwt="rev", mount_point="pods")
    assert client.auth.kubernetes.read_config(mount_point="pods")["kubernetes_host"] == cluster.url
    client.auth.kubernetes.create_role("r", ["app"], ["default"], ttl="10m", policies=["default"], mount_point="pods")
    assert client.auth.kubernetes.list_roles(mount_point="pods")["keys"] == ["r"]
    assert client.auth.kubernetes.read_role("r", mount_point="pods")["token_ttl"] == 600
    guest = hvac.Client(url=vault_server.url)
    assert guest.auth.kubernetes.login("r", EC.sign(claims()), mount_point="pods")["auth"]["lease_duration"] == 600
    assert guest.is_authenticated()
    with pytest.raises(hvac.exceptions.Forbidden):
        guest.auth.kubernetes.login("r", EC.sign(claims(name="zz")), mount_point="pods")
    client.auth.kubernetes.delete_role("r", mount_point="pods")
    client.sys.disable_auth_method("pods")
