"""The life of tokens: create with every field, look up, renew, revoke; by root and by tokens that may less."""

from .world import Operation, accessor_of

TTLS = ["1h", 3600, "90m", "2d", "7200", "", "0", 0, "1h30m", "99999h", None]
BAD_TTLS = ["bogus", "-1s", -1, "1w", [1], {}, True, "1.5.5h"]


def request(world):
    bad = world.often(0.08)
    body = world.fields(
        0.25, ttl=BAD_TTLS if bad else TTLS, explicit_max_ttl=["2h", "100h", 0, "", "30m"], num_uses=[0, 0, 5, "8", 20] if not bad else [-1, "x", 1.5],
        meta=[{"team": "data"}, {}, None, {"a": "1", "b": "2"}] if not bad else ["x", [1], {"a": {"b": 1}}],
        display_name=["ci", "", "two words", "Ümlaut", "x/y"], renewable=[True, False, "false"], no_default_policy=[True, False])
    if world.often(0.8):
        body["policies"] = world.some([*world.policies, "default", "ghost", "Mixed", " reader "]) or ["reader"]
    if world.often(0.08):
        body["period"] = world.one(["10m", "1h", 0, "", "bogus"])
    if world.often(0.05):
        body["no_parent"] = world.one([True, False])
    if world.often(0.05):
        body["type"] = world.one(["service", "", "default-service", "zzz", 7])
    if world.often(0.04):
        body["policies"] = world.one([["root"], [], "reader", "reader,writer", None, [""], [7]])
    if world.often(0.03):
        body["extra"] = "ignored"
    return body


def create(world):
    token, learn = world.learned_token()
    path = world.one(["/v1/auth/token/create"] * 4 + ["/v1/auth/token/create-orphan"])
    return Operation(world.one(["POST", "PUT"]), path, request(world), world.anyone(0.75), learn=learn, then=world.keep_token(token))


def some_token(world):
    return world.one([*world.tokens[-20:], "nonsense", ""])


def look_up(world):
    token, asks = some_token(world), world.anyone(0.8)
    return world.weighted({
        Operation("GET", "/v1/auth/token/lookup-self", None, world.anyone(0.1)): 5,
        Operation("POST", "/v1/auth/token/lookup-self", {}, world.anyone(0.3)): 1,
        Operation(world.one(["POST", "PUT"]), "/v1/auth/token/lookup", {"token": token}, asks): 5,
        Operation("POST", "/v1/auth/token/lookup", world.one([{}, None, {"token": None}, {"token": 7}, {"token": [1]}]), asks): 2,
        Operation("GET", f"/v1/auth/token/lookup?token={token}", None, asks): 1,
        Operation("POST", "/v1/auth/token/lookup-accessor", {"accessor": accessor_of(token)}, asks): 4,
        Operation("POST", "/v1/auth/token/lookup-accessor", world.one([{}, {"accessor": 7}]), asks): 1,
        Operation(world.one(["LIST", "GET"]), "/v1/auth/token/accessors" + world.one(["", "/", "?list=true"]), None, asks): 1,
    })


INCREMENTS = [0, "", "90s", "30m", 3600, "99999h", None, "1h30m"]


def renew(world):
    token, asks = some_token(world), world.anyone(0.8)
    body = world.fields(0.7, increment=INCREMENTS if world.often(0.9) else ["bogus", -5, [1], "1w"])
    return world.weighted({
        Operation(world.one(["POST", "PUT"]), "/v1/auth/token/renew-self", body, world.anyone(0.1)): 4,
        Operation("PUT", "/v1/auth/token/renew", body | {"token": token}, asks): 4,
        Operation("POST", "/v1/auth/token/renew", body, asks): 1,
        Operation("POST", "/v1/auth/token/renew-accessor", body | {"accessor": accessor_of(token)}, asks): 3,
        Operation("POST", "/v1/auth/token/renew-accessor", body, asks): 1,
    })


def revoke(world):
    token, asks = some_token(world), world.anyone(0.8)
    return world.weighted({
        Operation(world.one(["POST", "PUT"]), "/v1/auth/token/revoke-self", world.one([{}, None]), world.one(world.tokens or ["nonsense"])): 2,
        Operation("POST", "/v1/auth/token/revoke", {"token": token}, asks): 3,
        Operation("POST", "/v1/auth/token/revoke-accessor", {"accessor": accessor_of(token)}, asks): 3,
        Operation("POST", "/v1/auth/token/revoke-orphan", {"token": token}, asks): 2,
        Operation("POST", "/v1/auth/token/" + world.one(["revoke", "revoke-accessor", "revoke-orphan"]), {}, asks): 1,
    })


OPERATIONS = {create: 8, look_up: 8, renew: 5, revoke: 2}
