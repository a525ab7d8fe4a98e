"""What the generator knows: the names it has made up, what exists by the real server's answers, and one source of chance.

A value that a server makes (a token, an accessor, a secret id) differs between the two servers. It has a name here,
`<<token.3>>`, which stands in paths, bodies and headers, and each server's own value takes its place on the way out."""

import json
import random


class Operation:
    """One request, with names for what a server made; it can be written down as JSON and sent again."""

    def __init__(self, method, path, body=None, token="root", headers=None, learn=None, then=None):
        self.method, self.path, self.token = method, path, token
        self.body = body if body is None or isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        self.headers = headers or {}
        self.learn = learn or {}  # name: where the answer has the value
        self.then = then  # what the answer tells the world; only `choose` needs it
        self.area = ""

    def record(self):
        return {name: getattr(self, name) for name in ("method", "path", "body", "token", "headers", "learn")}

    def __str__(self):
        parts = [f"{self.method} {self.path}", *([self.body] if self.body is not None else []), f"as {self.token}"]
        return "  ".join(parts + [f"with {name}: {value}" for name, value in self.headers.items()])


class World:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.counter = 0
        self.kv = {"secret": Mount(2)}  # mount: its version and what it holds
        self.policies = []
        self.tokens = []  # names that may stand for `<<token.N>>`
        self.token_roles = []
        self.approles = {}  # auth mount: {role: [secret ids]}
        self.users = {}  # auth mount: {user: password}
        self.wrapped = []
        self.cubbyhole = []

    # Chance

    def one(self, choices):
        return self.random.choice(list(choices))

    def often(self, chance):
        return self.random.random() < chance

    def some(self, choices, most=3):
        choices = list(choices)
        return self.random.sample(choices, self.random.randint(0, min(most, len(choices))))

    def weighted(self, weights):
        names = list(weights)
        return self.random.choices(names, [weights[name] for name in names])[0]

    def fields(self, chance, **values):
        """Each field with this chance, with one of its values."""
        return {name: self.one(those) for name, those in values.items() if self.often(chance)}

    def name(self, kind):
        self.counter += 1
        return f"{kind}.{self.counter}"

    # Who asks

    def anyone(self, root=0.6):
        """Root, or one of the tokens that the run has made."""
        return "root" if not self.tokens or self.often(root) else self.one(self.tokens[-12:])

    def learned_token(self):
        """Names for a new token and its accessor, and where a login's answer has them."""
        token = self.name("token")
        number = token.split(".")[1]
        return f"<<{token}>>", {token: "auth.client_token", f"accessor.{number}": "auth.accessor"}

    def keep_token(self, token):
        return lambda answer: self.tokens.append(token) if answer.status == 200 else None


class Mount:
    """A KV mount: how many versions each path has been given."""

    def __init__(self, version):
        self.version = version
        self.versions = {}


def accessor_of(token):
    return token.replace("token.", "accessor.")
