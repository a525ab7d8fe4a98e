"""Where the JWT login's keys come from, as on the real OpenBao (VAULT-PROTOCOL 15); then what only Airlock has, or refuses."""

import json
import os

import pytest

import servers
from authority import Authority
from issuers import Issuer, Key
from jwt_twins import EC, OTHER, ROLE, claims, hs256, key_set, login, role, trust, twins  # a fixture among them
from twins import Twins, reason
from wire import Connection


@pytest.fixture
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.close()


def test_keys_come_from_a_url_and_new_ones_are_found_when_they_are_needed(twins, issuer):
    first, second, third = Key("p256", "first"), Key("rsa", "second"), Key("p256", "third")
    issuer.answers["/keys"] = {"keys": [first.jwk(), second.jwk(), {"kty": "oct", "k": "AAAA", "kid": "secret"}]}
    twins.done("POST", "auth/jwt/config", {"jwks_url": f"{issuer.url}/keys"})
    twins.done("GET", "auth/jwt/config")
    role(twins)
    asked = issuer.asked("/keys")
    for key in (first, second):
        assert login(twins, key.sign(claims())).status == 200
        assert login(twins, key.sign(claims(), kid=None)).status == 200, "without a name each key is tried"
    assert "failed to verify id token signature" in reason(login(twins, first.sign(claims(), kid="second")))
    assert login(twins, hs256(b"\0\0\0", claims()), differs=True).status == 400
    assert issuer.asked("/keys") - asked <= 4
    issuer.answers["/keys"] = key_set(third)
    servers.wait_until(lambda: all(
        connection.post("/v1/auth/jwt/login", {"role": "r1", "jwt": third.sign(claims())}, token=None).status == 200
        for connection in twins.connections), "the new key is known")
    assert "failed to verify" in reason(login(twins, first.sign(claims())))
    issuer.answers["/keys"] = 500
    assert login(twins, third.sign(claims())).status == 200, "an outage keeps the known keys"
    assert login(twins, Key("p256", "fourth").sign(claims()), differs=True).status == 400
    assert login(twins, third.sign(claims())).status == 200
    trust(twins)


def test_a_source_of_keys_that_gives_none_is_refused(twins, issuer, tmp_path):
    for answer in ([], "x", 404, b"junk", 307):
        issuer.answers["/keys"] = answer
        # Airlock says what is wrong with it.
        refused = twins.send("POST", "auth/jwt/config", {"jwks_url": f"{issuer.url}/keys"}, differs=True)
        assert refused.status == 400 and "error checking jwks URL" in reason(refused)
    for url in ("file:///etc/passwd", "junk", "http://127.0.0.1:9/keys"):
        assert twins.send("POST", "auth/jwt/config", {"jwks_url": url}, differs=True).status == 400
    assert reason(twins.send("POST", "auth/jwt/config", {"jwks_url": "https://127.0.0.1:9/x", "jwks_ca_pem": "junk"})) == "error checking jwks_ca_pem"
    assert twins.send("POST", "auth/jwt/config", {"jwks_url": "http://127.0.0.1:9/x", "skip_jwks_validation": True}, differs=True).status == 200
    trust(twins)


def test_an_issuer_is_found_by_its_discovery_document_over_tls(twins, tmp_path):
    authority, stranger = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger")
    issuer, key = Issuer(authority.server()), Key("p256", "k")
    try:
        config = {"oidc_discovery_url": issuer.url, "oidc_discovery_ca_pem": authority.path.read_text()}
        issuer.answers |= {
            "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}, "/keys": key_set(key)}
        for wrong in (config | {"oidc_discovery_ca_pem": stranger.path.read_text()}, config | {"oidc_discovery_url": issuer.url + "/"}):
            refused = twins.send("POST", "auth/jwt/config", wrong, differs=True)
            assert refused.status == 400 and "error checking oidc discovery URL" in reason(refused)
        twins.done("POST", "auth/jwt/config", config)
        twins.done("GET", "auth/jwt/config")
        role(twins)
        assert login(twins, key.sign(claims())).status == 200
        assert login(twins, OTHER.sign(claims(), kid="k")).status == 400
        twins.done("POST", "auth/jwt/config", {"jwks_url": f"{issuer.url}/keys", "jwks_ca_pem": authority.path.read_text()})
        assert login(twins, key.sign(claims())).status == 200
    finally:
        issuer.close()
        trust(twins)


# What only Airlock has, or refuses

@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """An Airlock with a folder of key files."""
    folder = tmp_path_factory.mktemp("alone")
    keys = folder / "keys"
    keys.mkdir()
    (folder / "config.json").write_text(json.dumps({"jwks_dir": str(keys)}))
    twins = Twins(["airlock"], folder, "--config", str(folder / "config.json"))
    twins.keys, twins.outside = keys, folder / "outside.json"
    twins.outside.write_text(json.dumps(key_set(EC)))
    twins.done("POST", "sys/auth/jwt", {"type": "jwt"})
    yield twins
    twins.stop()


@pytest.mark.usefixtures("airlock_only")
def test_keys_come_from_a_file_and_a_new_file_counts_at_once(alone):
    first, second = Key("p256", "first"), Key("rsa", "second")
    (alone.keys / "cluster.json").write_text(json.dumps(key_set(first)))
    alone.done("POST", "auth/jwt/config", {"jwks_file": "cluster.json"})
    assert alone.done("GET", "auth/jwt/config").data["jwks_file"] == "cluster.json"
    role(alone)
    assert login(alone, first.sign(claims())).status == 200
    (alone.keys / "cluster.json").write_text(json.dumps(key_set(second)))
    assert login(alone, second.sign(claims())).status == 200
    assert login(alone, first.sign(claims())).status == 400
    (alone.keys / "cluster.json").unlink()
    assert login(alone, second.sign(claims())).status == 400


@pytest.mark.usefixtures("airlock_only")
@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "sub/keys.json", ".", "..", ".hidden", "none.json", "junk.json", "pipe"])
def test_no_file_outside_the_operators_folder_is_read(alone, name):
    (alone.keys / "junk.json").write_text("root:x:0:0:CANARY")
    if not (alone.keys / "pipe").exists():
        os.mkfifo(alone.keys / "pipe")
    answer = alone.send("POST", "auth/jwt/config", {"jwks_file": name})
    assert answer.status == 400 and "jwks_file" in reason(answer) and "CANARY" not in answer.text


@pytest.mark.usefixtures("airlock_only")
def test_a_server_without_a_folder_reads_no_file(airlock):
    connection = Connection(airlock)
    connection.post("/v1/sys/auth/jwt", {"type": "jwt"})
    answer = connection.post("/v1/auth/jwt/config", {"jwks_file": "keys.json"})
    assert answer.status == 400 and "jwks_dir" in answer.text


@pytest.mark.usefixtures("airlock_only")
@pytest.mark.parametrize("body", [
    {"oidc_client_id": "a", "oidc_client_secret": "b", "oidc_discovery_url": "https://x"}, {"jwks_pairs": [{"jwks_url": "https://x"}]},
    {"provider_config": {"provider": "azure"}}, {"override_allowed_server_names": "x", "jwks_url": "https://x"},
    {"jwks_url": "http://example.org/keys"}, {"jwks_url": "http://169.254.169.254/latest"}, {"jwks_url": "http://localhost.example.org/keys"},
    {"jwks_url": "http://user:pass@127.0.0.1/keys"}, {"jwks_url": "unix:///run/x.sock"}, {"oidc_discovery_url": "http://example.org"}], ids=str)
def test_what_is_not_kept_is_refused(alone, body):
    assert alone.send("POST", "auth/jwt/config", body).status == 400


@pytest.mark.usefixtures("airlock_only")
@pytest.mark.parametrize("more", [
    {"role_type": "oidc", "allowed_redirect_uris": "http://x"}, {"token_policies_template_claims": True}, {"verbose_oidc_logging": True},
    {"token_type": "batch"}, {"bound_claims_type": "glob", "bound_claims": {"a": 1}}], ids=str)
def test_a_role_that_would_promise_more_is_refused(alone, more):
    assert alone.send("POST", "auth/jwt/role/more", ROLE | more).status == 400


@pytest.mark.usefixtures("airlock_only")
def test_an_issuer_over_tls_cannot_turn_airlock_to_a_plain_address(alone, tmp_path):
    authority, plain = Authority(tmp_path, "authority"), Issuer()
    issuer = Issuer(authority.server())
    try:
        issuer.answers["/.well-known/openid-configuration"] = {"issuer": issuer.url, "jwks_uri": f"{plain.url}/keys"}
        plain.answers["/keys"] = key_set(EC)
        answer = alone.send("POST", "auth/jwt/config", {
            "oidc_discovery_url": issuer.url, "oidc_discovery_ca_pem": authority.path.read_text()})
        assert answer.status == 400 and plain.requests == []
    finally:
        issuer.close()
        plain.close()


@pytest.mark.usefixtures("airlock_only")
def test_a_key_is_used_for_what_its_set_says_only(alone, issuer):
    key = Key("rsa", "k")
    role(alone)
    for jwk, works in (({"alg": "RS256"}, True), ({"alg": "PS256"}, False), ({"use": "enc"}, False), ({"key_ops": ["encrypt"]}, False)):
        issuer.answers["/keys"] = key_set(key, **jwk)
        alone.done("POST", "auth/jwt/config", {"jwks_url": f"{issuer.url}/keys"})
        assert login(alone, key.sign(claims())).status == (200 if works else 400), jwk


@pytest.mark.usefixtures("airlock_only")
def test_strangers_cannot_make_airlock_ask_an_issuer_over_and_over(alone, issuer):
    key = Key("p256", "k")
    issuer.answers["/keys"] = key_set(key)
    alone.done("POST", "auth/jwt/config", {"jwks_url": f"{issuer.url}/keys"})
    role(alone)
    asked = issuer.asked("/keys")
    for number in range(50):
        assert login(alone, OTHER.sign(claims(), kid=f"no-{number}")).status == 400
    assert issuer.asked("/keys") - asked <= 2
    assert login(alone, key.sign(claims())).status == 200


@pytest.mark.usefixtures("airlock_only")
def test_no_token_is_repeated_in_an_answer_or_in_the_log(alone):
    alone.done("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [EC.pem], "bound_issuer": "https://iss"})
    role(alone)
    for token in (OTHER.sign(claims(canary="CANARY")), EC.sign(claims(sub=5 * "CANARY", iss="CANARY")), "CANARY", "CANARY.CANARY.CANARY"):
        answer = login(alone, token)
        assert answer.status == 400 and "CANARY" not in answer.text and token not in answer.text
    assert "CANARY" not in alone.servers[0].stderr + alone.servers[0].stdout
