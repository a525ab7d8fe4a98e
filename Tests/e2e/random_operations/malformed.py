"""Requests of the other areas with one thing wrong: the body, a field's type, the path, the query, the method, the token."""

import json

from . import approle, capabilities, kv, mounts, policies, tokens

BASES = {kv: 6, mounts: 1, policies: 2, capabilities: 1, tokens: 3, approle: 3}
WRONG_TYPES = ["text", 7, -1, 1.5, True, None, [], [1], ["a"], {}, {"a": 1}, "", "7"]


def base(world):
    for _ in range(20):
        operation = world.weighted(world.weighted(BASES).OPERATIONS)(world)
        if operation is not None:
            return operation
    return None


def body(world, operation):
    text = operation.body or "{}"
    cut = world.random.randint(0, len(text))
    operation.body = world.one([
        text[:cut], text[:cut] + world.one("{}[]:,\"x0\\ \t") + text[cut:], text + world.one(["x", "}", "\n", ","]), "[]", '"text"', "7", "null", "", "true", "[{}]",
        "\x00", "{'a':1}", '{"a":1,}', '{"a":01}', '{"a":1e400}', '{"a":NaN}', '{"a":"\\ud800"}', '{"a":"\\x"}', "{}" + " " * 50, '{"data":{"k":"v"},"data":{"k":"w"}}',
        '{"data":{"k":"\\ud83d\\ude00"}}', "\ufeff{}", '{"data":{"k":1,"k":2}}',
    ])


def field(world, operation):
    try:
        fields = json.loads(operation.body or "{}")
    except ValueError:
        return
    if not isinstance(fields, dict) or not fields:
        return
    name = world.one(fields)
    change = world.one(["type", "type", "type", "drop", "case", "extra"])
    if change == "type":
        fields[name] = world.one(WRONG_TYPES)
    elif change == "drop":
        del fields[name]
    elif change == "case":
        fields[name.upper()] = fields.pop(name)
    else:
        fields["unheard-of"] = 1
    operation.body = json.dumps(fields)


def path(world, operation):
    where, _, query = operation.path.partition("?")
    parts = where.split("/")
    at = world.random.randint(2, len(parts) - 1)
    odd = world.one(["", ".", "..", "%2e%2e", "%2E", "%00", "x%0Ay", "x%0Dy", "a%2Fb", "%41", "%C3%A9", "%FF", "a%3Fb", "a%23b", "a;b", "a b".replace(" ", "%20"), "~", "a*b", "a+b", "%25", "a:b", "a\\b"])
    operation.path = world.one([
        where + "/", "/".join(parts[:at] + [odd] + parts[at:]), "/".join(parts[:at] + [odd] + parts[at + 1:]), "/".join(parts[:-1]), where.upper(),
        "/".join(parts[:at]) + "//" + "/".join(parts[at:]), where + "/extra", "/" + where, where.replace("/v1/", "/v2/"),
    ]) + ("?" + query if query else "")


def query(world, operation):
    odd = world.one(["list=bogus", "list=true", "list=false", "list", "list=", "version=1&version=2", "unheard=of", "scan=true", "version=%31", "a=b&a=c", "&&", "=", "version", "after=a",
                     "limit=1", "depth=1", "list=1&scan=1", "list=t", "list=True", "list=TRUE"])
    operation.path += ("&" if "?" in operation.path else "?") + odd


def method(world, operation):
    operation.method = world.one(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LIST", "SCAN", "FOO", "OPTIONS"])


def token(world, operation):
    operation.token = world.one(["nobody", "nonsense", "", "s.000000000000000000000000", " root ", "hvs.x"])
    if operation.token == "nobody" and world.often(0.5):
        operation.headers = operation.headers | {"Authorization": world.one(["Bearer nonsense", "bearer <<root>>", "Bearer <<root>>", "Basic cm9vdDpyb290", "Bearer", "<<root>>"])}


def content_type(world, operation):
    operation.headers = operation.headers | {"Content-Type": world.one(["", "text/plain", "application/json", "application/json; charset=utf-8", "APPLICATION/MERGE-PATCH+JSON", "application/merge-patch+json"])}


CHANGES = {body: 5, field: 6, path: 5, query: 3, method: 3, token: 2, content_type: 1}


def malformed(world):
    operation = base(world)
    if operation is not None:
        world.weighted(CHANGES)(world, operation)
    return operation


OPERATIONS = {malformed: 1}
