"""Users and passwords."""

from .world import Operation

MOUNTS = ["userpass"]
USERS = ["alice", "Bob", "carol.d", "x-y"]
PASSWORDS = ["pw1", "two words", "Ü"]


def inside(make):
    def operation(world):
        if not world.users:
            return None
        mount = world.one(world.users)
        return make(world, mount, world.one([*world.users[mount], *USERS, "none"]))
    return operation


def enable(world):
    mount = world.one(MOUNTS)
    if mount in world.users and world.often(0.9):
        return None
    return Operation("POST", f"/v1/sys/auth/{mount}", {"type": "userpass"}, world.anyone(0.95),
                     then=lambda answer: world.users.setdefault(mount, {}) if answer.status == 204 else None)


@inside
def write(world, mount, user):
    user = world.one(USERS)
    body = {"password": world.one(PASSWORDS)} | world.fields(
        0.15, token_policies=["reader", ["writer"], ""], token_ttl=["1h", 0, "bogus"], token_max_ttl=["24h", "30m"], token_num_uses=[0, 5], policies=["ops"],
        ttl=["2h"], token_bound_cidrs=["127.0.0.1/32"], token_type=["default", "zzz"], token_period=["1h", 0], token_no_default_policy=[True])
    if world.often(0.15):
        body.pop("password")

    def then(answer):
        if answer.status == 204 and "password" in body:
            world.users[mount][user.lower()] = body["password"]
    return Operation(world.one(["POST", "PUT"]), f"/v1/auth/{mount}/users/{user}", body, world.anyone(0.95), then=then)


@inside
def read(world, mount, user):
    return world.weighted({
        Operation("GET", f"/v1/auth/{mount}/users/{user}", None, world.anyone(0.9)): 5,
        Operation("LIST", f"/v1/auth/{mount}/users" + world.one(["", "/"]), None, world.anyone(0.9)): 2,
        Operation("DELETE", f"/v1/auth/{mount}/users/{user}", None, world.anyone(0.9)): 1,
    })


@inside
def change(world, mount, user):
    user = user.lower()  # OpenBao keeps a change to `Bob` beside `bob`, where no login looks: docs/compatibility.md
    if world.often(0.5):
        return Operation("POST", f"/v1/auth/{mount}/users/{user}/policies",
                         world.one([{"token_policies": "reader"}, {"policies": ["writer"]}, {}, {"token_policies": []}]), world.anyone(0.9))
    password = world.one([*PASSWORDS, ""])

    def then(answer):
        if answer.status == 204:
            world.users[mount][user.lower()] = password
    return Operation("POST", f"/v1/auth/{mount}/users/{user}/password", {"password": password}, world.anyone(0.9), then=then)


@inside
def login(world, mount, user):
    token, learn = world.learned_token()
    password = world.users[mount].get(user.lower(), "pw1")
    body = world.one([{"password": password}] * 8 + [{"password": "wrong"}, {}, {"password": ""}, {"password": 7}])
    return Operation(world.one(["POST", "PUT"]), f"/v1/auth/{mount}/login/{user}", body, world.one(["nobody", "nobody", "nonsense"]), learn=learn,
                     then=world.keep_token(token))


OPERATIONS = {enable: 3, write: 4, read: 3, change: 2, login: 4}
