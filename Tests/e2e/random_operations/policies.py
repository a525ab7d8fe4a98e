"""Policies: HCL and JSON, both endpoints, and what the parser refuses."""

import json

from .kv import PATHS
from .world import Operation

CAPABILITIES = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo", "deny"]
NAMES = ["reader", "writer", "ops", "json", "Mixed", "narrow", "wide", "p%20q", "odd.name"]
LEGACY = ["read", "write", "sudo", "deny"]
BAD = [
    'path "a" { capabilities = ["fly"] }', 'path "a" { capabilities = ["READ"] }', 'path "a" { capabilities = "read" }', 'path "a" {',
    "path 'a' { }", 'rule "a" { }', 'path "a" { colour = "red" }', '{"path":{"a":{"capabilities":["fly"]}}}', '{"path":[]}',
    'path "a" { capabilities = [read] }', "zzz", 'path "a+/+*b" { capabilities = ["read"] }',
]
GOOD = [
    "# only a comment\n", 'path "a" { }', 'path a { capabilities = ["read",] }', 'name = "x"\npath "a" { policy = "write" }', '{"path":{}}',
    '// slashes\npath "a" { capabilities = [] }', '/* block */ path "a" { capabilities = ["deny","read"] }',
]


def pattern(world):
    """A path of a policy: of the paths the run uses, more or less blurred."""
    mount = world.one([*world.kv, "secret", "kv1", "kv2"])
    version = world.kv[mount].version if mount in world.kv else 2
    prefix = f"{mount}/{world.one(['data', 'data', 'metadata', 'delete', 'undelete', 'destroy', 'subkeys', '+'])}/" if version == 2 else f"{mount}/"
    path = prefix + world.one([p for p in PATHS if "%" not in p])
    for _ in range(world.random.randint(0, 2)):
        parts = path.split("/")
        path = world.one([
            f"{mount}/*", prefix + "*", "/".join(parts[:-1]) + "/*", path[: world.random.randint(1, len(path))] + "*",
            "/".join("+" if world.often(0.3) else part for part in parts), path + "/", path + "*", "*",
        ])
    if world.often(0.15):
        path = world.one([
            "sys/mounts", "sys/mounts/*", "sys/policies/acl/*", "sys/policy/*", "auth/token/*", "auth/token/create", "auth/approle/role/*", "sys/auth/*",
            "sys/capabilities", "auth/token/accessors/", "auth/+/role/+", "sys/internal/ui/mounts/*", "sys/*", "auth/token/roles/*", "auth/token/create/*"])
    return path


def rule(world):
    if world.often(0.08):
        return {"policy": world.one(LEGACY)}
    weights = {name: 0.08 if name in ("deny", "sudo") else 0.45 for name in CAPABILITIES}
    return {"capabilities": [name for name, chance in weights.items() if world.often(chance)]}


def text(world):
    if world.often(0.15):
        return world.one(BAD)
    if world.often(0.1):
        return world.one(GOOD)
    rules = [(pattern(world), rule(world)) for _ in range(world.random.randint(1, 5))]
    if world.often(0.3):
        return json.dumps({"path": dict(rules)})
    return "\n".join(f'path {json.dumps(path)} {{ {name} = {json.dumps(value)} }}' for path, one in rules for name, value in one.items()) + "\n"


def endpoint(world, name):
    return world.one([f"/v1/sys/policies/acl/{name}", f"/v1/sys/policy/{name}"])


def write(world):
    name = world.one(NAMES)
    body = {"policy": text(world)}
    if world.often(0.08):
        name, body = world.one([*NAMES, "root", "default"]), world.one([{}, {"policy": ""}, {"policy": None}, {"policy": 7}, {"policy": {}}, body])
        if name == "default":
            return None  # its text is another one on Airlock; see docs/compatibility.md

    def then(answer):
        if answer.status == 204 and name.lower() not in world.policies:
            world.policies.append(name.lower())
    return Operation(world.one(["PUT", "POST"]), endpoint(world, name), body, world.anyone(0.9), then=then)


def read(world):
    return Operation("GET", endpoint(world, world.one([*NAMES, *world.policies, "root", "none"])), None, world.anyone(0.8))


def names(world):
    return Operation(*world.one([
        ("LIST", "/v1/sys/policies/acl"), ("GET", "/v1/sys/policies/acl?list=true"), ("GET", "/v1/sys/policy"), ("LIST", "/v1/sys/policy"),
        ("GET", "/v1/sys/policies/acl"), ("LIST", "/v1/sys/policies/acl?after=m&limit=2")]), None, world.anyone(0.8))


def delete(world):
    return Operation("DELETE", endpoint(world, world.one([*NAMES, "root", "default", "none"])), None, world.anyone(0.8))


OPERATIONS = {write: 10, read: 4, names: 2, delete: 1}
