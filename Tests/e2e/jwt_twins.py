"""Both servers with the JWT login, the same keys and roles, and tokens for them."""

import hashlib
import hmac
import json
import time

import jwt as pyjwt
import pytest

from conftest import chosen
from issuers import Key, part
from twins import Twins

EC, RSA, OTHER = Key("p256"), Key("rsa"), Key("p256")
KEYS = {kind: Key(kind) for kind in ("p384", "p521", "ed25519")} | {"p256": EC, "rsa": RSA}
ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "aud1,aud2"}


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


def hs256(secret, content, algorithm="HS256"):
    text = f"{part({'alg': algorithm})}.{part(content)}"
    return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def key_set(*keys, **more):
    return {"keys": [key.jwk(**more) for key in keys]}
