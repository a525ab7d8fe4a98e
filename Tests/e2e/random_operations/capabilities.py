"""What a token may do, asked in all three ways."""

from .policies import pattern
from .world import Operation, accessor_of


def paths(world):
    return [pattern(world).replace("+", "x").replace("*", "y") for _ in range(world.random.randint(1, 6))]


def question(world):
    if world.often(0.15):
        return world.one([{}, {"paths": []}, {"paths": "a,b"}, {"path": "a"}, {"path": ["a", "b"]}, {"paths": [""]}, {"paths": None}, {"paths": ["/a//b/"]},
                          {"paths": ["a"], "path": "b"}, {"paths": 7}, {"paths": ["a", "a"]}, {"path": "secret/data/a,kv1/a"}])
    return {"paths": paths(world)} if world.often(0.8) else {"path": paths(world)[0]}


def own(world):
    return Operation(world.one(["POST", "PUT"]), "/v1/sys/capabilities-self", question(world), world.anyone(0.1))


def of_a_token(world):
    token = world.one([*world.tokens[-12:], "nonsense", ""])
    return Operation("POST", "/v1/sys/capabilities", question(world) | {"token": token}, world.anyone(0.8))


def of_an_accessor(world):
    accessor = accessor_of(world.one([*world.tokens[-12:], "nonsense", ""]))
    return Operation("POST", "/v1/sys/capabilities-accessor", question(world) | {"accessor": accessor}, world.anyone(0.8))


OPERATIONS = {own: 6, of_a_token: 4, of_an_accessor: 3}
