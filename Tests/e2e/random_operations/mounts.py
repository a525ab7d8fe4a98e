"""Secrets engines and auth methods: enable, read, list, tune, disable, and the preflight of `bao kv`."""

from .world import Mount, Operation

KV = {"kv1": 1, "kv2": 2, "deep/er": 2, "team-kv": 1, "other": 2}
KINDS = {1: [{"type": "kv"}, {"type": "kv-v1"}, {"type": "kv", "options": {"version": "1"}}, {"type": "kv", "options": None}],
         2: [{"type": "kv-v2"}, {"type": "kv", "options": {"version": "2"}}, {"type": "kv", "options": {"version": 2}}]}
TTLS = ["1h", "24h", 3600, "7200", "0", "", "768h", 0]
BAD = [{"type": "nosuchtype"}, {}, {"type": ""}, {"type": 7}, {"type": "kv", "options": "x"}, {"type": "kv", "config": {"default_lease_ttl": "bogus"}},
       {"type": "kv", "config": {"default_lease_ttl": "48h", "max_lease_ttl": "1h"}}]


def enable(world):
    path = world.one(KV)
    version = KV[path]
    body = dict(world.one(KINDS[version]))
    if world.often(0.3):
        body["description"] = world.one(["words", "", None])
    if world.often(0.2):
        body["config"] = world.one([None, {}, {"default_lease_ttl": "1h"}, {"max_lease_ttl": "72h", "default_lease_ttl": "0s"}])
    if world.often(0.1):
        path, body = world.one([*KV, "sys/x", "auth/x", "deep", "deep/er/still", "bad name", "x"]), world.one(BAD)

    def then(answer):
        if answer.status == 204:
            world.kv[path] = Mount(version)
    return Operation(world.one(["POST", "PUT"]), f"/v1/sys/mounts/{path.replace(' ', '%20')}", body, world.anyone(0.9), then=then)


def disable(world):
    path = world.one([*[name for name in world.kv if name != "secret"], "none", "sys", "cubbyhole"])
    return Operation("DELETE", f"/v1/sys/mounts/{path}", None, world.anyone(0.8),
                     then=lambda answer: world.kv.pop(path, None) if answer.status == 204 else None)


def read(world):
    path = world.one([*world.kv, *world.kv, "none", "deep"])
    return Operation("GET", world.one([f"/v1/sys/mounts/{path}", f"/v1/sys/mounts/{path}/tune"]), None, world.anyone(0.8))


def tune(world):
    path = world.one([*world.kv, "none"])
    body = world.fields(0.4, default_lease_ttl=TTLS, max_lease_ttl=TTLS, description=["tuned", "", None], options=[None, {}, {"version": "1"}])
    if body.get("options") and world.kv.get(path, Mount(2)).version == 1:
        del body["options"]
    if world.often(0.1):
        body |= world.one([{"default_lease_ttl": "bogus"}, {"default_lease_ttl": "48h", "max_lease_ttl": "1h"}, {"description": 7}, {"max_lease_ttl": -1},
                           {"default_lease_ttl": "100000h"}, {"options": "x"}])
    return Operation(world.one(["POST", "PUT"]), f"/v1/sys/mounts/{path}/tune", body, world.anyone(0.9))


def overview(world):
    return Operation("GET", world.one(["/v1/sys/mounts", "/v1/sys/auth", "/v1/sys/internal/ui/mounts"]), None, world.anyone(0.7))


def preflight(world):
    path = world.one([*world.kv, "none", "auth/approle", "sys", "auth/token/create"]) + world.one(["", "/", "/a", "/data/app/x", "/metadata/"])
    return Operation("GET", f"/v1/sys/internal/ui/mounts/{path}", None, world.anyone(0.4))


def auth(world):
    path = world.one(["none", "token", *world.approles, *world.users])
    return world.one([
        Operation("GET", f"/v1/sys/auth/{path}", None, world.anyone(0.9)),
        Operation("GET", f"/v1/sys/auth/{path}/tune", None, world.anyone(0.9)),
        Operation("GET", f"/v1/sys/mounts/auth/{path}/tune", None, world.anyone(0.9)),
        Operation("POST", f"/v1/sys/auth/{path}/tune", world.fields(0.5, default_lease_ttl=TTLS, max_lease_ttl=TTLS, description=["tuned", ""]),
                  world.anyone(0.9)),
    ])


def state(world):
    method, path = world.one([
        ("GET", "sys/health"), ("HEAD", "sys/health"), ("GET", "sys/health?standbyok=true"), ("GET", "sys/seal-status"), ("GET", "sys/leader"),
        ("GET", "sys/init"), ("POST", "sys/health"), ("GET", "sys/nosuch"), ("GET", "sys/health?activecode=299"), ("GET", "sys/health?activecode=x")])
    return Operation(method, f"/v1/{path}", None, world.one(["root", "nobody", "nonsense"]))


OPERATIONS = {enable: 8, disable: 1, read: 4, tune: 4, overview: 3, preflight: 6, auth: 3, state: 2}
