"""Random operations, sent in the same order to the real OpenBao and to Airlock. `scripts/differential` runs this file.

The same seed makes the same operations as long as the real server answers alike. Each difference that differences.py does not name is
printed with the operations that led to it and both answers; `--shrink` looks for the fewest operations that still show it."""

import argparse
import pathlib
import re
import sys
import tempfile

import differences
import servers
from random_operations import AREAS, choose
from random_operations.world import World
from wire import Answer, Connection

NAME = re.compile(r"<<([^<>]+)>>")
VALUE = re.compile(r"\b(?:s\.[A-Za-z0-9]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9]{24})\b")


class Side:
    """One of the two servers, and its own values for what servers make."""

    def __init__(self, start, folder):
        self.server = start(folder)
        self.connection = Connection(self.server)
        self.values = {"root": self.server.token}
        self.names = {}
        self.learn({"accessor.root": "data.accessor"}, self.connection.get("/v1/auth/token/lookup-self"))

    def send(self, operation):
        filled = self.filled
        token = {"root": self.server.token, "nobody": None}.get(operation.token, filled(operation.token))
        headers = {name: filled(value) for name, value in operation.headers.items()}
        try:
            answer = self.connection.send(operation.method, filled(operation.path), filled(operation.body), token=token, headers=headers)
        except OSError as failure:
            self.connection.close()
            if self.server.child.poll() is not None:
                raise AssertionError(f"{self.server.name} died:\n{self.server.stderr[-2000:]}") from failure
            return Answer(0, {"Location": None}, repr(failure).encode())
        self.learn(operation.learn, answer)
        return answer

    def filled(self, text):
        return NAME.sub(lambda match: self.values.get(match[1], match[1]), text) if text else text

    def learn(self, wanted, answer):
        for name, path in wanted.items():
            try:
                value = answer.json
                for member in path.split("."):
                    value = value[member]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(value, str) and value:
                self.values[name] = value
                self.names.setdefault(value, f"<<{name}>>")

    def hidden(self, answer):
        """The answer with names in the place of this server's own values."""
        text = VALUE.sub(lambda match: self.names.get(match[0], match[0]), answer.text)
        return Answer(answer.status, answer.headers, text.encode())

    def stop(self):
        self.connection.close()
        self.server.stop()


class Pair:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.openbao = Side(servers.start_openbao, folder / "openbao")
        try:
            self.airlock = Side(servers.start_airlock, folder / "airlock")
        except BaseException:
            self.openbao.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.openbao.stop()
        self.airlock.stop()
        self.folder.cleanup()

    def send(self, history):
        """Sends the last of these operations: what the real server answered, what differs, or `None`, and whether the states may."""
        expected, got = self.openbao.send(history[-1]), self.airlock.send(history[-1])
        hidden = self.openbao.hidden(expected), self.airlock.hidden(got)
        where = differences.difference(history, *hidden)
        one_refused = (expected.status < 400) != (got.status < 400)
        strayed = any(known.strays for known in differences.covering(history, *hidden))
        strayed = strayed or history[-1].method not in READS and bool(where or one_refused)
        return expected, Found(history, *hidden, where) if where else None, strayed


class Found:
    """A request whose two answers differ, and the requests before it since both servers were fresh."""

    def __init__(self, history, expected, got, where):
        self.operation, self.history = history[-1], history[:-1]
        self.expected, self.got, self.where = expected, got, where
        # The same kind of request differing in the same place is reported once.
        path = "/".join(re.sub(r"<<[^>]+>>", "<>", self.operation.path.partition("?")[0]).split("/")[:4])
        self.kind = (self.operation.area, self.operation.method, path, expected.status, got.status, re.sub(r"\d+", "#", where)[:80])

    def that_matter(self, most=12):
        """Of the requests before it those that changed something with a name that it names too, the last ones."""
        words = named(self.operation)
        return [one for one in self.history if one.method not in READS and words & named(one)][-most:]

    def __str__(self):
        lines = [f"  {one}" for one in self.history] if len(self.history) <= 12 else ["  ...", *(f"  {one}" for one in self.that_matter())]
        return "\n".join([*(line[:400] for line in lines), f"> {self.operation}"[:1000], f"  differs: {self.where[:300]!r}",
                          f"  openbao: {self.expected!r}"[:900], f"  airlock: {self.got!r}"[:900]])


READS = ("GET", "HEAD", "LIST", "SCAN")
COMMON = {"", "v1", "sys", "auth", "data", "metadata", "token", "mounts", "policies", "policy", "acl", "role", "create", "users", "login", "tune"}


def named(operation):
    where = operation.path.partition("?")[0]
    return (set(where.split("/")) | set(NAME.findall(f"{where} {operation.body} {operation.token}"))) - COMMON


def run(seed, count, areas):
    """What differed in so many operations. After a request that left the two servers in different states both start afresh."""
    found, done, part = {}, 0, 0
    while done < count:
        world, history = World(f"{seed}.{part}"), []
        with Pair() as pair:
            while done < count:
                operation = choose(world, areas)
                history.append(operation)
                done += 1
                answer, differs, strayed = pair.send(history)
                if differs:
                    found.setdefault(differs.kind, differs)
                if strayed:
                    break
                if operation.then and not differs:
                    operation.then(answer)
        part += 1
    return list(found.values())


def replay(operations):
    """Whether the last of these operations, and none before it, differs on two fresh servers."""
    with Pair() as pair:
        for number in range(1, len(operations) + 1):
            _, differs, strayed = pair.send(operations[:number])
            if strayed:
                break
        return differs if number == len(operations) else None


def shrunk(found):
    """The same difference with as few operations before it as halving and trying finds."""
    history, size = found.history, len(found.history)
    while size:
        at = 0
        while at < len(history):
            fewer = history[:at] + history[at + size:]
            shown = replay([*fewer, found.operation])
            if shown and shown.kind == found.kind:
                history, found = fewer, shown
            else:
                at += size
        size //= 2
    return found


def report(seeds, operations, areas, shrink=False, show=print):
    """Runs the seeds and shows what differed. Returns how many kinds of it there are."""
    kinds = set()
    for seed in seeds:
        found = run(seed, operations, areas)
        show(f"seed {seed}: {operations} operations, {len(found)} differences")
        for one in found:
            if one.kind not in kinds:
                show(f"{shrunk(one) if shrink else one}\n")
        kinds |= {one.kind for one in found}
    return len(kinds)


def main():
    parser = argparse.ArgumentParser(prog="scripts/differential", description="Random operations on the real OpenBao and on Airlock, answers compared.")
    parser.add_argument("--seeds", type=int, default=20, help="how many runs, each from fresh servers (20)")
    parser.add_argument("--first-seed", type=int, default=1, help="start here; a run repeats by its seed (1)")
    parser.add_argument("--operations", type=int, default=1000, help="in each run (1000)")
    parser.add_argument("--areas", default=",".join(AREAS), help="only these, comma-separated: %(default)s")
    parser.add_argument("--shrink", action="store_true", help="look for the fewest operations that show each difference (slow)")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # half a surrogate pair among what was sent is shown, not fatal
    areas = options.areas.split(",")
    if unknown := set(areas) - set(AREAS):
        parser.error(f"no such area: {', '.join(sorted(unknown))}")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    kinds = report(seeds, options.operations, areas, options.shrink)
    print(f"{options.seeds} seeds, {options.seeds * options.operations} operations, {kinds} undocumented differences")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
