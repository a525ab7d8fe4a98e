"""Each token's own cubbyhole."""

from .kv import secret
from .world import Operation

PATHS = ["a", "b", "app/x", "app/y", "never"]


def use(world):
    path, asks = world.one(PATHS), world.anyone(0.4)
    return world.weighted({
        Operation(world.one(["POST", "PUT"]), f"/v1/cubbyhole/{path}", secret(world) if world.often(0.9) else {}, asks): 4,
        Operation("GET", f"/v1/cubbyhole/{path}", None, asks): 4,
        Operation(world.one(["LIST", "LIST", "SCAN"]), "/v1/cubbyhole" + world.one(["", "/", "/app", "/never"]), None, asks): 2,
        Operation("DELETE", f"/v1/cubbyhole/{path}", None, asks): 1,
        Operation("PATCH", f"/v1/cubbyhole/{path}", {"k": "v"}, asks, {"Content-Type": "application/merge-patch+json"}): 1,
    })


OPERATIONS = {use: 1}
