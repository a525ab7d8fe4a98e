"""Random operations on a Vault server, one area a file: `OPERATIONS` names what an area does and how often. `choose` makes
the next one; what it makes depends on the seed and on what the real server answered before, never on Airlock."""

from . import approle, capabilities, cubbyhole, kv, malformed, mounts, policies, token_roles, tokens, userpass, wrapping

AREAS = {
    "kv": kv, "mounts": mounts, "policies": policies, "capabilities": capabilities, "tokens": tokens, "roles": token_roles,
    "approle": approle, "userpass": userpass, "cubbyhole": cubbyhole, "wrapping": wrapping, "malformed": malformed,
}
SHARES = {
    "kv": 40, "mounts": 6, "policies": 6, "capabilities": 5, "tokens": 14, "roles": 5, "approle": 14, "userpass": 6,
    "cubbyhole": 3, "wrapping": 5, "malformed": 8,
}


def choose(world, areas):
    """One operation of one of these areas. What cannot be done in this world (no token to renew) is not chosen."""
    while True:
        area = world.weighted({name: SHARES[name] for name in areas})
        makers = AREAS[area].OPERATIONS
        operation = world.weighted(makers)(world)
        if operation is not None:
            operation.area = area
            return operation
