"""Response wrapping: of any answer, and what can be done with the wrapping token."""

from . import approle, kv, policies, tokens
from .world import Operation

WRAPPABLE = {kv.read: 4, kv.list_folder: 1, tokens.create: 3, approle.make_secret_id: 3, approle.login: 2, policies.read: 1, kv.read_metadata: 1, kv.write: 2}


def learned(token):
    """Where the wrapping token is, and the accessors that a list of them shows."""
    return {token: "wrap_info.token", f"accessor-of.{token}": "wrap_info.accessor", f"accessor-in.{token}": "wrap_info.wrapped_accessor"}


def wrap(world):
    token = world.name("wrapping")
    if world.often(0.3):
        operation = Operation("POST", "/v1/sys/wrapping/wrap", kv.secret(world), world.anyone())
    else:
        operation = world.weighted(WRAPPABLE)(world)
    if operation is None:
        return None
    operation.headers = operation.headers | {"X-Vault-Wrap-TTL": world.one(["300", "5m", "1h0m0s", "1h", "0", "bogus", "-5s", "", "2d"] if world.often(0.2) else ["10m"])}
    operation.learn = learned(token)

    def then(answer):
        if answer.status == 200 and answer.json.get("wrap_info"):
            world.wrapped.append(f"<<{token}>>")
    operation.then = then
    return operation


def some_wrapping(world):
    return world.one([*world.wrapped[-5:], *world.wrapped[-5:], *world.tokens[-2:], "nonsense"])


def unwrap(world):
    """What comes out may hold a new token or secret id: both servers' are learned."""
    token, learn = world.learned_token()
    secret = world.name("secret-id")
    learn |= {secret: "data.secret_id", secret.replace("secret-id", "secret-accessor"): "data.secret_id_accessor"}
    wrapping = some_wrapping(world)

    def then(answer):
        if answer.status == 200 and answer.json.get("auth"):
            world.tokens.append(token)
    if world.often(0.5):
        return Operation(world.one(["POST", "PUT"]), "/v1/sys/wrapping/unwrap", {"token": wrapping}, world.anyone(0.7), learn=learn, then=then)
    return Operation("POST", "/v1/sys/wrapping/unwrap", world.one([None, {}, "null"]), wrapping, learn=learn, then=then)


def look_up(world):
    wrapping = some_wrapping(world)
    return world.weighted({
        Operation("POST", "/v1/sys/wrapping/lookup", {"token": wrapping}, world.one(["root", "nobody", "nonsense"])): 4,
        Operation("GET", "/v1/sys/wrapping/lookup", None, wrapping): 1,
        Operation("GET", "/v1/auth/token/lookup-self", None, wrapping): 1,
        Operation("POST", "/v1/auth/token/lookup", {"token": wrapping}): 1,
        Operation("POST", "/v1/auth/token/renew", {"token": wrapping}): 1,
        Operation("POST", "/v1/auth/token/revoke", {"token": wrapping}): 1,
        Operation("POST", "/v1/sys/wrapping/wrap", {"k": "v"}): 1,
        Operation("POST", "/v1/sys/wrapping/unwrap", {}, "nobody"): 1,
    })


def rewrap(world):
    token = world.name("wrapping")
    return Operation("POST", "/v1/sys/wrapping/rewrap", {"token": some_wrapping(world)}, world.anyone(0.9), learn=learned(token),
                     then=lambda answer: world.wrapped.append(f"<<{token}>>") if answer.status == 200 else None)


OPERATIONS = {wrap: 5, unwrap: 4, look_up: 3, rewrap: 1}
