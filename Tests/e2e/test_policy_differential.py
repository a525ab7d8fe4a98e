"""Generated policies, written to the real OpenBao and to Airlock: both must say the same of what a token may do, and do it.
A case is made from its number alone, so that one that fails can be asked again."""

import json
import random
import re
from urllib.parse import quote

import pytest

from wire import Connection

NAMES = ["g1", "g2", "g3"]
CAPABILITIES = ["create", "read", "update", "delete", "list", "patch", "scan", "sudo", "deny"]
# Few and alike, so that rules meet; `+b` and `b+` hold a plus that is no wildcard, `x*` a star that may not be one.
SEGMENTS = ["a", "a", "b", "b", "ab", "c", "+", "+", "+", "+b", "b+", "x*", ""]
MOUNT = "a"


@pytest.fixture(scope="module")
def pair(bao_server, airlock):
    """A connection to each, with a mount of version 1 and a token that has the generated policies."""
    both = [Connection(bao_server), Connection(airlock)]
    for connection in both:
        assert connection.post(f"/v1/sys/mounts/{MOUNT}", {"type": "kv"}).status == 204
        made = connection.post("/v1/auth/token/create", {"policies": NAMES, "no_default_policy": True})
        connection.client = made.json["auth"]["client_token"]
    return both


def path(random):
    return "/".join(random.choice(SEGMENTS) for _ in range(random.randint(1, 4)))


def rule_path(random, asked):
    """A path like those that are asked for, or one of them made wider at some place."""
    text = random.choice(asked) if random.random() < 0.6 else path(random)
    parts = text.split("/")
    for place in range(len(parts)):
        if random.random() < 0.2:
            parts[place] = "+"
    text = "/".join(parts)
    if random.random() < 0.4:
        text = text[: random.randint(0, len(text))] + "*"
    return random.choice(["", "", "", "", "/"]) + text


def body(random):
    if random.random() < 0.15:
        return f'policy = "{random.choice(["read", "write", "sudo", "deny"])}"'
    if random.random() < 0.05:
        return ""
    # Deny is rarer than the rest, or it would be the answer to everything.
    weighted = CAPABILITIES[:-1] * 3 + CAPABILITIES[-1:]
    names = sorted({random.choice(weighted) for _ in range(random.randint(0, 4))})
    return f"capabilities = {json.dumps(names)}"


def case(number):
    """Policies by their names, and the paths to ask for."""
    generator = random.Random(number)
    asked = [path(generator) for _ in range(12)]
    policies = {}
    for name in NAMES[: generator.randint(1, 3)]:
        rules = []
        for _ in range(generator.randint(1, 5)):
            text = rule_path(generator, asked)
            if "+*" not in text:  # refused by both
                rules.append(f'path "{text}" {{ {body(generator)} }}')
        policies[name] = "\n".join(rules) or "# nothing"
    variants = [text + ending for text in asked for ending in ("", "/")] + ["/" + asked[0], "//" + asked[1]]
    return policies, [text for text in variants if text]


def write(connection, policies):
    for name in NAMES:
        if name in policies:
            answer = connection.put(f"/v1/sys/policies/acl/{name}", {"policy": policies[name]})
        else:
            answer = connection.delete(f"/v1/sys/policies/acl/{name}")
        assert answer.status == 204, f"{answer}\n{policies}"


def requests(paths):
    """What can be asked of a mount, of paths that need no cleaning."""
    for text in paths:
        clean = quote(text.strip("/"))
        if "//" in text or not clean.startswith(MOUNT + "/"):
            continue
        yield "GET", f"/v1/{clean}"
        yield "LIST", f"/v1/{clean}"
        yield "SCAN", f"/v1/{clean}"
        yield "GET", f"/v1/{clean}/?list=true"
        yield "GET", f"/v1/{clean}/"
        yield "POST", f"/v1/{clean}"
        yield "POST", f"/v1/{clean}"
        yield "DELETE", f"/v1/{clean}"
    for method in ("GET", "LIST", "SCAN"):
        yield method, f"/v1/{MOUNT}"


def test_both_say_the_same_of_any_policy(pair, long):
    for number in range(5000 if long else 400):
        policies, paths = case(number)
        told = []
        for connection in pair:
            write(connection, policies)
            answer = connection.post("/v1/sys/capabilities", {"token": connection.client, "paths": paths})
            assert answer.status == 200, answer
            told.append(answer.data)
        assert told[1] == told[0], f"case {number}\n{show(policies)}"


def test_both_do_the_same_under_any_policy(pair, long):
    for number in range(1_000_000, 1_000_000 + (1000 if long else 80)):
        policies, paths = case(number)
        for connection in pair:
            write(connection, policies)
        for method, target in requests(paths):
            got = [
                connection.send(method, target, {"k": "v"} if method == "POST" else None, token=connection.client)
                for connection in pair
            ]
            assert got[1].status == got[0].status, f"case {number}: {method} {target}: {got}\n{show(policies)}"


def show(policies):
    return "\n".join(f"--- {name}\n{text}" for name, text in policies.items())


@pytest.mark.parametrize("text", [
    'path "a" { capabilities = ["read"] capabilities = ["list"] }',
    'path "a" { capabilities = ["read"] policy = "write" }',
    'path "a" { capabilities = ["read"] policy = "deny" }',
    'path "a" { capabilities = ["read"] }\npath "a" {}',
    'path "a" { capabilities = ["read"] comment = "why" }',
    'path "a" { policy = "admin" }',
    'path "a" { capabilities = ["Read"] }',
    'path "a" { Capabilities = ["read"] }',
    'path "a" { capabilities = "read" }',
    'path "a" { capabilities = [1] }',
    'path "a" { capabilities = ["read" "list"] }',
    "path 'a' { capabilities = [\"read\"] }",
    'path "a" { capabilities = ["read"]',
    'path "a" { capabilities = ["read"] } }',
    'path "a/+*" { capabilities = ["read"] }',
    'path "+*" { capabilities = ["read"] }',
    'path "" { capabilities = ["read"] }',
    'path "a" { color = "red" }',
    'paths "a" {}',
    'name = "x"',
    'name = ["x"]',
    '{"path":{"a":{"capabilities":["read"]}}}',
    '{"path":{"a":{"policy":"read"}}}',
    '{"path":{"a":{"capabilities":"read"}}}',
    '{"path":[]}',
    '{"path":{}}',
    '{"path":[{}]}',
    "path = []",
    '{"rules":{}}',
    "[]",
    "not a policy",
])
def test_both_take_or_refuse_the_same_text(pair, text):
    got = []
    for connection in pair:
        answer = connection.put("/v1/sys/policies/acl/g1", {"policy": text})
        told = answer.status
        if told == 204:
            paths = ["a", "b", "a/b", "+", "x"]
            told = connection.post("/v1/sys/capabilities", {"token": connection.client, "paths": paths}).data
        got.append(told)
    assert got[1] == got[0]


@pytest.mark.parametrize("text", ['path { capabilities = ["read"] }', 'path "a" "b" { capabilities = ["read"] }'])
def test_a_block_that_openbao_takes_for_another_path_is_refused(pair, text):
    assert [connection.put("/v1/sys/policies/acl/g1", {"policy": text}).status for connection in pair] == [204, 400]


@pytest.mark.parametrize("member", [
    "allowed_parameters = { \"a\" = [] }", "denied_parameters = { \"a\" = [] }", 'required_parameters = ["a"]',
    'min_wrapping_ttl = "1m"', 'max_wrapping_ttl = "1m"', 'mfa_methods = ["x"]', "pagination_limit = 3",
    'expiration = "2099-01-01T00:00:00Z"', 'list_scan_response_keys_filter_path = "x"',
    'control_group = { ttl = "1h" }',
])
def test_what_airlock_does_not_enforce_it_refuses_and_what_was_there_stays(pair, member):
    """OpenBao has these. A rule that were kept and not followed would be a hole."""
    rule = 'path "%s" { capabilities = ["read", "list"] %s }'
    airlock = pair[1]
    write(airlock, {"g1": rule % ("before", "")})
    answer = airlock.put("/v1/sys/policies/acl/g1", {"policy": rule % ("a", member)})
    assert answer.status == 400
    assert re.search(r'"%s" is not enforced by Airlock' % member.split()[0], answer.errors[0])
    told = airlock.post("/v1/sys/capabilities", {"token": airlock.client, "paths": ["before", "a"]}).data
    assert told == {"before": ["list", "read"], "a": ["deny"]}


@pytest.mark.parametrize("member", [{"ttl": "1h"}, {"expiration": "2099-01-01T00:00:00Z"}, {"cas": 1}, {"cas_required": True}])
def test_a_condition_on_a_policy_is_refused_and_not_dropped(pair, member):
    answer = pair[1].put("/v1/sys/policies/acl/g1", {"policy": 'path "a" {}'} | member)
    assert answer.status == 400
    assert next(iter(member)) in answer.errors[0]
