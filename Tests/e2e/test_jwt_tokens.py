"""Which tokens prove somebody at the JWT login, and when: as on the real OpenBao (VAULT-PROTOCOL 15)."""

import json

import pytest

from issuers import part
from jwt_twins import EC, KEYS, OTHER, RSA, at, claims, hs256, login, role, signed, trust, twins  # a fixture among them
from twins import reason

UNPROVED = "error validating token: error verifying token signature: no known key successfully validated the token signature"


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


def test_only_the_algorithms_that_the_configuration_names_count(twins):
    role(twins)
    trust(twins, jwt_supported_algs="ES256")
    assert "unexpected algorithm" in reason(login(twins, RSA.sign(claims())))
    assert login(twins, EC.sign(claims())).status == 200
    trust(twins)
