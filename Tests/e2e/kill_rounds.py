"""Rounds of `kill -9` under concurrent writes. After each, a new server on the same data directory must have every
write that was acknowledged, and the database must be whole.

    scripts/kill-rounds ROUNDS [SEED]
"""

import contextlib
import http.client
import pathlib
import random
import sqlite3
import sys
import tempfile
import threading
import time

import servers
from wire import Connection

WRITERS = 4
VERSIONS_PER_KEY = 8  # a mount keeps 10: none of them is trimmed
MOST_WRITES = 400  # per writer and round, so that a fast machine does not fill the disk
LOST = (OSError, http.client.HTTPException)  # what a client sees of a server that was killed


class Writer(threading.Thread):
    """Writes versions of one key after another until the server dies. Remembers what was acknowledged, and the one
    write that was under way, which may be there or not, but never in part."""

    def __init__(self, server, round, number):
        super().__init__()
        self.connection = Connection(server, timeout=10)
        self.name_of_keys = f"round-{round}/writer-{number}"
        self.acknowledged = []
        self.under_way = None
        self.revoked = []
        self.revoking = number == 0
        self.failure = None

    def run(self):
        try:
            self.write()
        except LOST:
            pass
        except Exception as failure:  # told by the thread that waits for this one
            self.failure = failure

    def write(self):
        for n in range(MOST_WRITES):
            path = f"{self.name_of_keys}/key-{n // VERSIONS_PER_KEY}"
            version, value = 1 + n % VERSIONS_PER_KEY, f"{path} {n} " + "v" * (n * 37 % 1500)
            self.under_way = (path, version, value)
            answer = self.connection.put(
                f"/v1/secret/data/{path}", {"data": {"value": value}, "options": {"cas": version - 1}})
            assert answer.status == 200, f"{path} version {version}: {answer}"
            assert answer.data["version"] == version
            self.acknowledged.append(self.under_way)
            if self.revoking and n % 10 == 0:
                self.revoke_a_token()

    def revoke_a_token(self):
        token = self.connection.post("/v1/auth/token/create", {}).json["auth"]["client_token"]
        answer = self.connection.post("/v1/auth/token/revoke", {"token": token})
        assert answer.status == 204, answer
        self.revoked.append(token)


def verify(server, writers):
    """Every acknowledged version of these writers is there, as it was written; returns how many."""
    client = Connection(server)
    for writer in writers:
        for path, version, value in writer.acknowledged:
            answer = client.get(f"/v1/secret/data/{path}?version={version}")
            assert answer.status == 200, f"LOST: {path} version {version}: {answer}"
            assert answer.data["data"] == {"value": value}, f"CHANGED: {path} version {version}"
        if writer.under_way not in [None, *writer.acknowledged[-1:]]:
            path, version, value = writer.under_way
            answer = client.get(f"/v1/secret/data/{path}?version={version}")
            assert answer.status == 404 or answer.data["data"] == {"value": value}, f"TORN: {path} version {version}"
        for token in writer.revoked:
            assert client.get("/v1/auth/token/lookup-self", token=token).status == 403, "a revoked token came back"
    client.close()
    return sum(len(writer.acknowledged) for writer in writers)


def check_integrity(database):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def run(rounds, folder, seed, seconds=1200, say=print):
    """Returns the number of acknowledged writes that were found again."""
    chance, deadline = random.Random(seed), time.monotonic() + seconds
    server, everyone, latest = servers.start_airlock(folder), [], []
    try:
        for round in range(1, rounds + 1):
            assert time.monotonic() < deadline, f"round {round} of {rounds} not reached within {seconds} s"
            latest = [Writer(server, round, number) for number in range(WRITERS)]
            for writer in latest:
                writer.start()
            moment = time.monotonic() + chance.uniform(0.02, 0.3)
            servers.wait_until(
                lambda: time.monotonic() > moment and any(writer.acknowledged for writer in latest), "writes arrive")
            server.kill()
            for writer in latest:
                writer.join(20)
                assert not writer.is_alive(), "a writer hangs on a server that is dead"
                if writer.failure:
                    raise writer.failure
            server = servers.start_airlock(folder)
            found = verify(server, latest)
            check_integrity(server.data / "store.db")
            everyone += latest
            say(f"round {round}: killed after {found} acknowledged writes, all there, integrity ok")
        total = verify(server, everyone)
        assert server.stop() == 0
        check_integrity(server.data / "store.db")
        return total
    finally:
        if server.child.poll() is None:
            server.kill()


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    with tempfile.TemporaryDirectory(prefix="airlock-kill-") as folder:
        total = run(rounds, pathlib.Path(folder), seed)
    print(f"{rounds} rounds, {total} acknowledged writes, none lost (seed {seed})")
