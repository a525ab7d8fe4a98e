"""Token roles: what they allow, and tokens made with them."""

from .tokens import request
from .world import Operation

NAMES = ["ci", "batchy", "Orphaned", "narrow"]
LISTS = [["reader"], "reader,writer", "", [], ["reader", "writer", "ops"], ["dev-*"], "*", None]


def write(world):
    name = world.one(NAMES)
    body = world.fields(
        0.25, allowed_policies=LISTS, disallowed_policies=LISTS, allowed_policies_glob=LISTS, disallowed_policies_glob=LISTS, orphan=[True, False],
        renewable=[True, False], path_suffix=["sfx", "", "a-b"], token_period=["1h", 0, ""], period=["30m", 0], token_explicit_max_ttl=["2h", 0],
        explicit_max_ttl=["3h"], token_num_uses=[0, 5, "9"], token_no_default_policy=[True, False], token_bound_cidrs=[["127.0.0.1"], "127.0.0.0/8", []],
        token_type=["default-service", "service", "zzz"])

    def then(answer):
        if answer.status == 204:
            world.token_roles.append(name)
    return Operation(world.one(["POST", "PUT"]), f"/v1/auth/token/roles/{name}", body, world.anyone(0.9), then=then)


def read(world):
    return world.weighted({
        Operation("GET", f"/v1/auth/token/roles/{world.one([*NAMES, 'none'])}", None, world.anyone(0.9)): 6,
        Operation(world.one(["LIST", "SCAN"]), "/v1/auth/token/roles", None, world.anyone(0.9)): 2,
        Operation("DELETE", f"/v1/auth/token/roles/{world.one([*NAMES, 'none'])}", None, world.anyone(0.9)): 1,
    })


def create(world):
    token, learn = world.learned_token()
    role = world.one([*NAMES, *world.token_roles, "none"])
    return Operation("POST", f"/v1/auth/token/create/{role}", request(world), world.anyone(0.8), learn=learn, then=world.keep_token(token))


OPERATIONS = {write: 3, read: 3, create: 5}
