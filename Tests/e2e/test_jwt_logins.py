"""The JWT login: the real OpenBao and Airlock get the same keys, roles and tokens, and answer alike (VAULT-PROTOCOL 15)."""

import hashlib
import hmac
import json
import os
import time

import jwt as pyjwt
import pytest

import servers
from authority import Authority
from conftest import chosen
from issuers import Issuer, Key, part
from twins import Twins
from wire import Connection

EC, RSA, OTHER = Key("p256"), Key("rsa"), Key("p256")
KEYS = {kind: Key(kind) for kind in ("p384", "p521", "ed25519")} | {"p256": EC, "rsa": RSA}
ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "aud1,aud2"}
UNPROVED = "error validating token: error verifying token signature: no known key successfully validated the token signature"


def claims(**more):
    now = int(time.time())
    said = {
        "iss": "https://iss", "sub": "user", "aud": "aud1", "iat": now, "exp": now + 600, "grp": "a", "email": "e@x",
        "n": 1, "t": True, "l": ["a", "b"], "o": {"p": "q", "l": [{"z": "zz"}], "a/b": "slash"}, "groups": ["g1"]}
    said = {name: value() if callable(value) else value for name, value in (said | more).items()}
    return {name: value for name, value in said.items() if value is not None}


class FromNow:
    """A time that is made when its token is, not when the test is collected."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self):
        return int(time.time()) + self.seconds

    def __repr__(self):
        return f"now{self.seconds:+}"


def at(**seconds):
    """Times relative to now; a null removes the claim."""
    return {name: value and FromNow(value) for name, value in seconds.items()}


def signed(content, key=EC):
    """Any bytes as the payload."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return pyjwt.api_jws.encode(content, key.private, key.algorithm)


@pytest.fixture(scope="module")
def twins(request, tmp_path_factory):
    twins = Twins(chosen(request.config), tmp_path_factory.mktemp("jwt"))
    twins.done("POST", "sys/auth/jwt", {"type": "jwt"})
    trust(twins)
    yield twins
    twins.stop()


def trust(twins, **more):
    config = {"jwt_validation_pubkeys": [key.pem for key in KEYS.values()], "bound_issuer": "https://iss", "default_role": "R1"}
    twins.done("POST", "auth/jwt/config", config | more)


def role(twins, **more):
    twins.done("DELETE", "auth/jwt/role/r1")
    twins.done("POST", "auth/jwt/role/r1", ROLE | more)


def login(twins, token, role="r1", **more):
    return twins.send("POST", "auth/jwt/login", {"role": role, "jwt": token}, token=None, **more)


def reason(answer):
    return answer.json["errors"][0] if answer.status != 200 else "200"


def test_the_configuration_is_checked_and_read_back_as_on_the_real_server(twins):
    config = "auth/jwt/config"
    twins.done("POST", "sys/auth/jwt2", {"type": "jwt"})
    twins.done("GET", "sys/auth/jwt2")
    assert twins.send("GET", "auth/jwt2/config").status == 404
    assert reason(twins.send("POST", "auth/jwt2/login", {"role": "x", "jwt": "y"}, token=None)) == "could not load configuration"
    for wrong in (
            {"jwt_validation_pubkeys": ["x"]}, {"jwt_validation_pubkeys": [EC.pem], "jwt_supported_algs": "HS256"},
            {"jwt_validation_pubkeys": [EC.pem], "jwt_supported_algs": "none"}):
        assert twins.send("POST", config, wrong).status == 400
    # Airlock names jwks_file too.
    for wrong in ({}, {"jwt_validation_pubkeys": [EC.pem], "jwks_url": "http://127.0.0.1:9/x"}):
        assert "exactly one of" in reason(twins.send("POST", config, wrong, differs=True))
    assert twins.send("DELETE", config).status == 405
    for right in (
            {"jwt_validation_pubkeys": EC.pem, "bound_issuer": "https://iss", "default_role": "R1", "extra": 1},
            {"jwt_validation_pubkeys": [EC.pem, RSA.pem], "jwt_supported_algs": "ES256,RS256", "namespace_in_state": False},
            {"jwt_validation_pubkeys": [EC.pem]}):
        twins.done("POST", config, right)
        twins.done("GET", config)
    trust(twins)


@pytest.mark.parametrize("body", [
    {}, {"role_type": "zzz"}, {"role_type": "jwt"}, {"role_type": "jwt", "user_claim": "sub"},
    {"user_claim": "sub", "bound_subject": "x"}, ROLE | {"bound_claims_type": "zzz"}, ROLE | {"bound_claims": "junk"},
    ROLE | {"claim_mappings": {"a": "role"}}, ROLE | {"claim_mappings": {"a": "b", "c": "b"}}, ROLE | {"oauth2_metadata": "zzz"},
    ROLE | {"callback_mode": "zzz"}, ROLE | {"token_ttl": "2h", "token_max_ttl": "1h"}, ROLE | {"token_period": "99999h"},
    ROLE | {"token_type": "zzz"},
], ids=str)
def test_a_role_that_says_something_wrong_is_refused_as_by_the_real_server(twins, body):
    assert twins.send("POST", "auth/jwt/role/wrong", body).status == 400
    assert twins.send("GET", "auth/jwt/role/wrong").status == 404


@pytest.mark.parametrize("bodies", [
    [ROLE], [ROLE | {"expiration_leeway": "-1", "not_before_leeway": "5m", "clock_skew_leeway": -7}],
    [ROLE | {"bound_claims": {"grp": ["a", "b"], "n": 1, "o": {"x": 1}}, "claim_mappings": {"email": "mail"}, "token_policies": ["p1"],
             "token_ttl": "1h", "extra": 1, "allowed_redirect_uris": "http://x", "oidc_scopes": "a,b", "oauth2_metadata": "id_token",
             "callback_mode": "direct", "poll_interval": 5, "max_age": "5m", "groups_claim": "g", "bound_subject": "s"}, ROLE],
    [ROLE | {"bound_audiences": "", "bound_subject": "x", "claim_mappings": "a=b"}, {"role_type": "jwt", "bound_subject": "y"}],
    [ROLE | {"bound_claims": {"a": "b*"}, "bound_claims_type": "glob"}, ROLE], [ROLE | {"token_max_ttl": "99999h"}],
    [ROLE | {"policies": "p1", "token_no_default_policy": True, "token_num_uses": 3, "token_bound_cidrs": "127.0.0.1/32"}],
], ids=lambda bodies: str(bodies)[:80])
def test_a_role_reads_back_as_on_the_real_server(twins, bodies):
    for body in bodies:
        twins.done("POST", "auth/jwt/role/Kept", body)
        twins.done("GET", "auth/jwt/role/kept")
    assert "kept" in twins.done("LIST", "auth/jwt/role").data["keys"]
    twins.done("DELETE", "auth/jwt/role/kept")
    assert twins.send("GET", "auth/jwt/role/kept").status == 404


def test_a_login_gives_the_token_that_the_real_server_gives(twins):
    role(twins, token_policies="p1", token_ttl="1h", claim_mappings={"email": "mail", "/o/a~1b": "nested"}, groups_claim="groups")
    answer = login(twins, EC.sign(claims()))
    assert answer.json["auth"]["metadata"] == {"mail": "e@x", "nested": "slash", "role": "r1"}
    assert login(twins, EC.sign(claims()), role="R1").status == 200
    assert login(twins, EC.sign(claims()), role="").status == 200
    for connection in twins.connections:
        token = connection.post("/v1/auth/jwt/login", {"jwt": EC.sign(claims())}, token=None).json["auth"]["client_token"]
        seen = connection.get("/v1/auth/token/lookup-self", token=token).data
        assert (seen["display_name"], seen["path"], seen["policies"]) == ("jwt-user", "auth/jwt/login", ["default", "p1"])
        assert connection.post("/v1/auth/token/renew-self", {}, token=token).json["auth"]["lease_duration"] == 3600


def test_what_a_login_says_too_much_is_named_in_a_warning(twins):
    role(twins)
    body = {"role": "r1", "jwt": EC.sign(claims()), "password": "x", "after": 1}
    warned = twins.done("POST", "auth/jwt/login", body, token=None).json["warnings"]
    assert warned == ["Endpoint ignored these unrecognized parameters: [after password]"]


def test_roles_are_listed_in_pages_and_what_a_list_does_not_know_is_named(twins):
    for name in "abc":
        twins.done("POST", f"auth/jwt/role/{name}", ROLE | {"bound_audiences": [" x ", "y"]})
    assert twins.done("GET", "auth/jwt/role/a").data["bound_audiences"] == ["x", "y"]
    assert twins.done("LIST", "auth/jwt/role?after=a&limit=1&foo=1").data["keys"] == ["b"]
    assert twins.send("LIST", "auth/jwt/role?limit=x").status == 400
    for name in "abc":
        twins.done("DELETE", f"auth/jwt/role/{name}")


def test_whoever_does_not_say_enough_is_told_so(twins):
    role(twins)
    for body, why in (({"role": "r1"}, "missing token"), ({}, "missing token"), ({"role": "zz"}, 'role "zz" could not be found')):
        assert reason(twins.send("POST", "auth/jwt/login", body, token=None)) == why
    assert twins.send("GET", "auth/jwt/login", token=None).status == 405


@pytest.mark.parametrize("kind, algorithm", [
    ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("rsa", "RS256"), ("rsa", "RS384"),
    ("rsa", "RS512"), ("rsa", "PS256"), ("rsa", "PS384"), ("rsa", "PS512")])
def test_each_algorithm_of_a_public_key_proves_who_has_come(twins, kind, algorithm):
    role(twins)
    token = KEYS[kind].sign(claims(), algorithm, typ="at+jwt", kid="unknown")
    assert login(twins, token).status == 200
    head, body, signature = token.split(".")
    broken = ("B" if signature[20] == "A" else "A").join([signature[:20], signature[21:]])
    assert reason(login(twins, f"{head}.{body}.{broken}")) == UNPROVED
    assert reason(login(twins, f"{head}.{part(claims(sub='root'))}.{signature}")) == UNPROVED


def hs256(secret, content, algorithm="HS256"):
    text = f"{part({'alg': algorithm})}.{part(content)}"
    return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def renamed(algorithm):
    """A good token whose header names another algorithm."""
    return ".".join([part({"alg": algorithm}), *EC.sign(claims()).split(".")[1:]])


FORGED = {
    "a public key as the secret": lambda: hs256(RSA.pem.encode(), claims()),
    "none": lambda: f"{part({'alg': 'none'})}.{part(claims())}.",
    "none in capitals": lambda: f"{part({'alg': 'NONE'})}.{part(claims())}.",
    "none with a signature": lambda: renamed("none"),
    "another curve": lambda: renamed("ES384"), "another kind of key": lambda: renamed("RS256"),
    "no algorithm": lambda: f"{part({})}.{part(claims())}.AAAA", "no signature": lambda: f"{part({'alg': 'ES256'})}.{part(claims())}.",
    "zeros as a signature": lambda: f"{part({'alg': 'ES256'})}.{part(claims())}.{part(bytes(64))}",
    "another's key": lambda: OTHER.sign(claims()), "a key of its own in the header": lambda: OTHER.sign(claims(), jwk=OTHER.jwk()),
    "a demand that nobody understands": lambda: EC.sign(claims(), crit=["exp2"], exp2=1),
    "claims that are a list": lambda: signed(b"[1]"), "claims that are a text": lambda: signed(b'"x"'),
    "claims cut off": lambda: signed(b'{"a":'),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_token_proves_nobody(twins, forged):
    role(twins)
    assert reason(login(twins, FORGED[forged]())) == UNPROVED


def test_a_token_that_says_something_twice_proves_nobody(twins):
    role(twins)
    twice = json.dumps(claims())[:-1].encode() + b',"sub":"root"}'
    answer = twins.connections[-1].post("/v1/auth/jwt/login", {"jwt": signed(twice)}, token=None)
    if twins.servers[-1].name == "airlock":  # OpenBao takes the last
        assert reason(answer) == UNPROVED


@pytest.mark.parametrize("token, why", [
    ("x", "three parts"), ("a.b", "three parts"), ("a.b.c.d", "three parts"), ("a.b.c", "illegal base64 data"),
    (f"{part({'alg': 'ES256'})}.{part({})}.*", "illegal base64 data"),
    (f"{part(b'junk')}.{part({})}.AAAA", ""), ("é.b.c", "illegal base64 data")])
def test_what_is_no_token_is_told_apart(twins, token, why):
    role(twins)
    # OpenBao adds the position, or the character in the way.
    answer = login(twins, token, differs="three" not in why)
    assert answer.status == 400 and why in reason(answer)


def test_blanks_and_padding_around_a_token_do_not_matter(twins):
    role(twins)
    token = EC.sign(claims())
    for text in (token + "==", " " + token, token + "\n"):
        assert login(twins, text).status == 200


TIMES = [
    ("200", {}), ("200", at(exp=-50)), ("exp", at(exp=-70)), ("200", at(nbf=50)), ("nbf", at(nbf=70)), ("nbf", at(iat=70)),
    ("iat", at(iat=70, nbf=-10)), ("200", at(iat=50)), ("200", at(iat=-100, exp=None)), ("exp", at(iat=-220, exp=None)),
    ("no issued at", at(iat=None, exp=None)), ("200", at(nbf=-100, iat=None, exp=None)), ("nbf", at(iat=None, exp=600)),
    ("200", at(iat=None, exp=200)), ("nbf", at(iat=None, exp=225)), ("no issued at", {"iat": 0, "exp": 0}), ("exp", {"exp": -5}),
    ("200", at(exp=600.5)), ("NumericDate", {"exp": "x"}), ("NumericDate", {"nbf": [1]}),
]


@pytest.mark.parametrize("why, said", TIMES, ids=str)
def test_the_times_of_a_token_count_as_on_the_real_server(twins, why, said):
    role(twins)
    assert why in reason(login(twins, signed(claims(**said))))


@pytest.mark.parametrize("settings, why, said", [
    ({"clock_skew_leeway": -1}, "exp", at(exp=-5)), ({"clock_skew_leeway": 10}, "200", at(exp=-5)), ({"clock_skew_leeway": 10}, "exp", at(exp=-20)),
    ({"expiration_leeway": 1000}, "exp", at(exp=-100)), ({"expiration_leeway": 1000}, "200", at(iat=-300, exp=None)),
    ({"expiration_leeway": -1}, "exp", at(iat=-70, exp=None)), ({"not_before_leeway": 1000}, "200", at(iat=None, exp=500)),
    ({"not_before_leeway": -1}, "nbf", at(iat=None, exp=100))], ids=str)
def test_leeways_widen_and_narrow_the_times(twins, settings, why, said):
    role(twins, **settings)
    assert why in reason(login(twins, EC.sign(claims(**said))))


@pytest.mark.parametrize("why, said", [
    ("issuer", {"iss": "x"}), ("issuer", {"iss": None}), ("issuer", {"iss": "x", "aud": "x", "exp": 1}), ("audience", {"aud": "x", "exp": 1}),
    ("audience", {"aud": None}), ("audience", {"aud": []}), ("200", {"aud": ["x", "aud2"]}), ("Audience", {"aud": 7}), ("Audience", {"aud": [7]}),
    ("Claims.iss", {"iss": 7}), ("Claims.sub", {"sub": 7}), ("Claims.sub", {"sub": {"a": 1}}), ('claim "sub" not found in token', {"sub": None}),
    ("missing name in alias", {"sub": ""})], ids=str)
def test_issuer_audience_and_subject_count_as_on_the_real_server(twins, why, said):
    role(twins)
    assert why in reason(login(twins, signed(claims(**said))))


@pytest.mark.parametrize("settings, why", [
    ({"bound_audiences": "", "bound_subject": "user"}, "no audiences bound"), ({"bound_subject": "x"}, "invalid subject"),
    ({"bound_claims": {"n": 1}}, "200"), ({"bound_claims": {"n": 2}}, "does not match"), ({"bound_claims": {"n": "1"}}, "does not match"),
    ({"bound_claims": {"t": True}}, "200"), ({"bound_claims": {"t": False}}, "does not match"), ({"bound_claims": {"t": "true"}}, "does not match"),
    ({"bound_claims": {"l": "b"}}, "200"), ({"bound_claims": {"l": ["x", "b"]}}, "200"), ({"bound_claims": {"l": ["x", "y"]}}, "does not match"),
    ({"bound_claims": {"l": [["a", "b"]]}}, "does not match"), ({"bound_claims": {"/o/p": "q"}}, "200"), ({"bound_claims": {"/o/l/0/z": "zz"}}, "200"),
    ({"bound_claims": {"/o/l/1/z": "zz"}}, "is missing"), ({"bound_claims": {"/o/x": "q"}}, "is missing"), ({"bound_claims": {"zz": "q"}}, "is missing"),
    ({"bound_claims": {"aud": "aud1"}}, "200"), ({"bound_claims": {"sub": None}}, "bound claim is not"), ({"bound_claims": {"grp": []}}, "does not match"),
    ({"groups_claim": "groups"}, "200"), ({"groups_claim": "grp"}, "200"), ({"groups_claim": "gg"}, '"gg" claim not found'), ({"groups_claim": "o"}, "string list"),
    ({"groups_claim": "/o/p"}, "200"), ({"user_claim": "/o/p", "user_claim_json_pointer": True}, "200"), ({"user_claim": "/o/p"}, "not found"),
    ({"user_claim": "n"}, "could not be converted"), ({"claim_mappings": {"o": "x"}}, "error converting"), ({"claim_mappings": {"t": "x"}}, "error converting"),
    ({"claim_mappings": {"aud": "x"}}, "error converting"), ({"claim_mappings": {"zz": "x"}}, "200"), ({"token_bound_cidrs": "10.0.0.0/8"}, "permission denied"),
    ({"token_bound_cidrs": "127.0.0.0/8"}, "200"), ({"token_policies": "root"}, "cannot create root tokens"),
    ({"token_policies": "a,b", "token_no_default_policy": True, "token_num_uses": 3, "token_period": "10m", "token_explicit_max_ttl": "2h"}, "200"),
], ids=str)
def test_a_role_binds_claims_as_on_the_real_server(twins, settings, why):
    role(twins, **settings)
    # OpenBao repeats the value that is of the wrong kind.
    answer = login(twins, EC.sign(claims()), differs=why == "bound claim is not")
    assert why in reason(answer)


@pytest.mark.parametrize("settings, said", [
    ({"bound_claims": {"n": 1}}, {"n": 1.9}), ({"groups_claim": "groups"}, {"groups": [1]}), ({"bound_claims": {"l": 1}}, {"l": [1, 2]}),
    ({"bound_claims": {"grp": "a"}}, {"grp": {"a": 1}}), ({"claim_mappings": {"email": "mail"}}, {"email": 5})], ids=str)
def test_a_claim_of_the_wrong_kind_or_with_decimals_matches_nothing(twins, settings, said):
    role(twins, **settings)
    answer = twins.connections[-1].post("/v1/auth/jwt/login", {"jwt": EC.sign(claims(**said))}, token=None)
    if twins.servers[-1].name == "airlock":  # OpenBao takes 1.9 for 1
        assert answer.status == 400


GLOBS = {"a*": "200", "*c": "200", "*b*": "200", "abc": "200", "*": "200", "a*c": "200", "**c": "200", "*ab*c*": "200", "a?c": "", "": "",
         "A*": "", "b*": "", "a[b]c": "", "*cb*": "", "abc*c": "", "ab": ""}


@pytest.mark.parametrize("pattern", GLOBS)
def test_patterns_match_as_on_the_real_server(twins, pattern):
    role(twins, bound_claims={"sub": ["-", pattern]}, bound_claims_type="glob")
    answer = login(twins, EC.sign(claims(sub="abc")))
    assert answer.status == (200 if GLOBS[pattern] else 400)


def test_only_the_algorithms_that_the_configuration_names_count(twins):
    role(twins)
    trust(twins, jwt_supported_algs="ES256")
    assert "unexpected algorithm" in reason(login(twins, RSA.sign(claims())))
    assert login(twins, EC.sign(claims())).status == 200
    trust(twins)


def test_a_token_of_a_removed_role_or_mount_is_no_longer_renewed_or_good(twins):
    for connection in twins.connections:
        connection.post("/v1/sys/auth/short", {"type": "jwt"})
        connection.post("/v1/auth/short/config", {"jwt_validation_pubkeys": [EC.pem]})
        connection.post("/v1/auth/short/role/r1", ROLE)
        token = connection.post("/v1/auth/short/login", {"role": "r1", "jwt": EC.sign(claims())}, token=None).json["auth"]["client_token"]
        connection.delete("/v1/auth/short/role/r1")
        assert connection.post("/v1/auth/token/renew-self", {}, token=token).status == 500
        connection.delete("/v1/sys/auth/short")
        assert connection.get("/v1/auth/token/lookup-self", token=token).status == 403


def test_creating_a_role_and_changing_one_need_their_own_right(twins):
    twins.done("PUT", "sys/policies/acl/maker", {"policy": 'path "auth/jwt/role/*" { capabilities = ["create"] }'})
    for connection in twins.connections:
        maker = connection.post("/v1/auth/token/create", {"policies": ["maker"]}).json["auth"]["client_token"]
        assert connection.post("/v1/auth/jwt/role/made", ROLE, token=maker).status == 204
        assert connection.post("/v1/auth/jwt/role/made", ROLE, token=maker).status == 403
        assert connection.post("/v1/auth/jwt/config", {"jwt_validation_pubkeys": [OTHER.pem]}, token=maker).status == 403
        connection.delete("/v1/auth/jwt/role/made")


# Keys from elsewhere

@pytest.fixture
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.close()


def key_set(*keys, **more):
    return {"keys": [key.jwk(**more) for key in keys]}


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


def test_hvac_configures_and_logs_in(vault_server):
    import hvac

    client = hvac.Client(url=vault_server.url, token=vault_server.token)
    client.sys.enable_auth_method("jwt", path="tokens")
    client.auth.jwt.configure(jwt_validation_pubkeys=[EC.pem], bound_issuer="https://iss", path="tokens")
    assert client.auth.jwt.read_config(path="tokens")["data"]["bound_issuer"] == "https://iss"
    client.auth.jwt.create_role(
        "r1", role_type="jwt", user_claim="sub", bound_audiences=["aud1"], allowed_redirect_uris=[], token_policies=["default"],
        token_ttl=600, path="tokens")
    assert client.auth.jwt.list_roles(path="tokens")["data"]["keys"] == ["r1"]
    assert client.auth.jwt.read_role("r1", path="tokens")["data"]["token_ttl"] == 600
    guest = hvac.Client(url=vault_server.url)
    assert guest.auth.jwt.jwt_login("r1", EC.sign(claims()), path="tokens")["auth"]["lease_duration"] == 600
    assert guest.is_authenticated()
    with pytest.raises(hvac.exceptions.InvalidRequest):
        guest.auth.jwt.jwt_login("r1", OTHER.sign(claims()), path="tokens")
    client.auth.jwt.delete_role("r1", path="tokens")
    client.sys.disable_auth_method("tokens")
