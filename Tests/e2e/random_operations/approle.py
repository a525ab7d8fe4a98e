"""AppRole: mounts, roles and their single fields, secret ids, logins."""

from .world import Operation

MOUNTS = ["approle", "other-approle"]
ROLES = ["airflow", "ci", "Upper", "strict", "narrow"]
TTLS = ["1h", 3600, "20m", "0", 0, "", "72h", None]
FIELDS = {
    "policies": "token_policies", "token-ttl": "token_ttl", "token-max-ttl": "token_max_ttl", "token-num-uses": "token_num_uses", "period": "token_period",
    "secret-id-ttl": "secret_id_ttl", "secret-id-num-uses": "secret_id_num_uses", "secret-id-bound-cidrs": "secret_id_bound_cidrs",
    "token-bound-cidrs": "token_bound_cidrs", "bind-secret-id": "bind_secret_id", "bound-cidr-list": "bound_cidr_list",
}
VALUES = {
    "token_policies": [["reader"], "reader,writer", [], "", "default", ["Mixed"]], "token_ttl": TTLS, "token_max_ttl": ["24h", "100h", 0, "48h"],
    "token_num_uses": [0, 5, "9", 30], "token_period": [0, "1h", ""], "secret_id_ttl": ["1h", 0, "10h", "0"], "secret_id_num_uses": [0, 3, "10"],
    "secret_id_bound_cidrs": [["127.0.0.1/32"], "127.0.0.0/8", [], ""], "token_bound_cidrs": [["127.0.0.1/32"], "127.0.0.0/8", [], ""],
    "bind_secret_id": [True, True, "true"], "bound_cidr_list": ["127.0.0.0/8"], "token_explicit_max_ttl": ["5h", 0], "token_no_default_policy": [True, False],
    "token_type": ["default", "service", ""], "policies": ["reader", ["writer"]], "period": ["2h", 0],
}
BAD = {
    "token_ttl": ["bogus", -1, [1]], "token_num_uses": [-1, "x"], "token_type": ["zzz"], "secret_id_bound_cidrs": ["fly", ["1.2.3.4/99"]], "token_max_ttl": ["-5s"],
    "secret_id_ttl": ["1w"], "bind_secret_id": ["x", False], "secret_id_num_uses": ["x", -3], "token_bound_cidrs": ["junk"], "role_id": ["", 7, [1]],
    "token_policies": [7, {}, [[1]]],
}


def place(world):
    if not world.approles:
        return None, None
    mount = world.one(world.approles)
    roles = world.approles[mount]
    return mount, world.one(roles) if roles and world.often(0.85) else world.one([*ROLES, "none"])


def inside(make):
    def operation(world):
        mount, role = place(world)
        return None if mount is None else make(world, mount, role, f"/v1/auth/{mount}/role/{role}")
    return operation


def enable(world):
    mount = world.one(MOUNTS)
    if mount in world.approles and world.often(0.8):
        return None
    return Operation("POST", f"/v1/sys/auth/{mount}", {"type": "approle"}, world.anyone(0.95),
                     then=lambda answer: world.approles.setdefault(mount, {}) if answer.status == 204 else None)


def disable(world):
    mount = world.one([*MOUNTS, "none"])
    if world.often(0.8):
        return None
    return Operation("DELETE", f"/v1/sys/auth/{mount}", None, world.anyone(0.9),
                     then=lambda answer: world.approles.pop(mount, None) if answer.status == 204 else None)


@inside
def write(world, mount, role, path):
    name = world.one(ROLES)
    body = world.fields(0.2, **VALUES)
    if world.often(0.1):
        field = world.one(BAD)
        body[field] = world.one(BAD[field])
    if world.often(0.2):
        body["role_id"] = f"{name}-role-id"

    def then(answer):
        if answer.status == 204:
            world.approles.setdefault(mount, {}).setdefault(name.lower(), [])
    return Operation(world.one(["POST", "PUT"]), f"/v1/auth/{mount}/role/{name}", body, world.anyone(0.9), then=then)


@inside
def read(world, mount, role, path):
    return world.weighted({
        Operation("GET", path, None, world.anyone(0.8)): 5,
        Operation(world.one(["LIST", "SCAN"]), f"/v1/auth/{mount}/role" + world.one(["", "/", "?after=b&limit=1"]), None, world.anyone(0.8)): 2,
        Operation("GET", f"{path}/role-id", None, world.anyone(0.8)): 1,
        Operation("DELETE", path, None, world.anyone(0.8), then=lambda answer: world.approles[mount].pop(role, None)): 1,
    })


@inside
def role_id(world, mount, role, path):
    """The server's own role ids are learned here; logins need them."""
    name = f"role-id.{mount}.{role.lower()}"
    if world.often(0.2):
        return Operation("POST", f"{path}/role-id", world.one([{"role_id": f"{role}-new-id"}, {}, {"role_id": ""}, {"role_id": 7}]), world.anyone(0.9))
    return Operation("GET", f"{path}/role-id", None, "root", learn={name: "data.role_id"})


@inside
def field(world, mount, role, path):
    sub = world.one(FIELDS)
    value = world.one(BAD.get(FIELDS[sub], VALUES[FIELDS[sub]])) if world.often(0.1) else world.one(VALUES[FIELDS[sub]])
    return world.weighted({
        Operation("GET", f"{path}/{sub}", None, world.anyone(0.9)): 3,
        Operation("POST", f"{path}/{sub}", {FIELDS[sub]: value}, world.anyone(0.9)): 3,
        Operation("POST", f"{path}/{sub}", {}, world.anyone(0.9)): 1,
        Operation("DELETE", f"{path}/{sub}", None, world.anyone(0.9)): 1,
    })


@inside
def make_secret_id(world, mount, role, path):
    secret = world.name("secret-id")
    body = world.fields(
        0.2, metadata=['{"env":"dev"}', "", '{}', "junk", '["a"]', {"a": 1}], ttl=["5m", 300, "0", "", "99h"], num_uses=[0, 1, 2, "3", 50],
        cidr_list=[["127.0.0.1/32"], "", "127.0.0.0/8", "fly"], token_bound_cidrs=[["127.0.0.1/32"], ""])
    learn = {secret: "data.secret_id", secret.replace("secret-id", "secret-accessor"): "data.secret_id_accessor"}
    if world.often(0.15):
        path, body = f"{path}/custom-secret-id", body | {"secret_id": world.one(["my-custom", "other-custom", "", f"own-{secret}"])}
    else:
        path = f"{path}/secret-id"
    if world.often(0.1):
        body = None

    def then(answer):
        if answer.status == 200:
            world.approles[mount].setdefault(role.lower(), []).append(f"<<{secret}>>")
    return Operation(world.one(["POST", "PUT"]), path, body, world.anyone(0.9), learn=learn, then=then)


def known_secret(world, mount, role):
    return world.one([*world.approles[mount].get(role.lower(), [])[-4:], "unknown"])


@inside
def secret_id(world, mount, role, path):
    secret, asks = known_secret(world, mount, role), world.anyone(0.9)
    accessor = secret.replace("secret-id", "secret-accessor")
    return world.weighted({
        Operation("POST", f"{path}/secret-id/lookup", {"secret_id": secret}, asks): 4,
        Operation("POST", f"{path}/secret-id-accessor/lookup", {"secret_id_accessor": accessor}, asks): 3,
        Operation("LIST", f"{path}/secret-id", None, asks): 3,
        Operation(world.one(["POST", "PUT", "DELETE"]), f"{path}/secret-id/destroy", {"secret_id": secret}, asks): 1,
        Operation(world.one(["POST", "DELETE"]), f"{path}/secret-id-accessor/destroy", {"secret_id_accessor": accessor}, asks): 1,
        Operation("POST", f"{path}/{world.one(['secret-id/lookup', 'secret-id/destroy', 'secret-id-accessor/lookup', 'secret-id-accessor/destroy'])}", {}, asks): 1,
    })


@inside
def login(world, mount, role, path):
    token, learn = world.learned_token()
    identity = world.one([f"<<role-id.{mount}.{role.lower()}>>"] * 6 + [f"{role}-role-id", "wrong", ""])
    body = {"role_id": identity, "secret_id": known_secret(world, mount, role)}
    if world.often(0.1):
        body = world.one([{}, {"role_id": identity}, {"secret_id": "x"}, {"role_id": 7, "secret_id": 7}, {"role_id": [identity]}])
    return Operation(world.one(["POST", "PUT"]), f"/v1/auth/{mount}/login", body, world.one(["nobody", "nobody", "nonsense", "root"]), learn=learn,
                     then=world.keep_token(token))


OPERATIONS = {enable: 6, disable: 1, write: 8, read: 5, role_id: 5, field: 6, make_secret_id: 8, secret_id: 6, login: 8}
