"""Airlock under callgrind, which counts the instructions of what it is asked."""

import contextlib
import pathlib
import re
import subprocess

import servers
from contenders import SECRET, Airlock, stopped

HERE = pathlib.Path(__file__).parent


class Counted(Airlock):
    """`hits(n)` and `ordinary(n)` make reads of one secret, one at a time over one connection; `dump` ends a count."""

    def prepare(self, folder):
        self.folder, self.dumps = folder, 0
        self.write("pg", SECRET)
        self.token_of_reader = self.token()

    def read(self, count, headers=()):
        for _ in range(count):
            answer = self.client.get(self.path("pg"), token=self.token_of_reader, headers=headers)
            assert answer.status == 200, answer.status

    def hits(self, count):
        self.read(count)

    def ordinary(self, count):
        """A header that nobody knows leaves the answer to the ordinary way."""
        self.read(count, {"X-Ordinary": "yes"})

    def dump(self):
        """The file with what was counted since the last one."""
        self.dumps += 1
        told = subprocess.run(["callgrind_control", "-d", str(self.pid)], capture_output=True, text=True, timeout=120)
        assert "OK." in told.stdout, f"callgrind_control: {told.stdout[-300:]} {told.stderr[-300:]}"
        return self.folder / f"profile.{self.dumps}"

    def instructions(self):
        return int(re.search(r"^totals: (\d+)$", self.dump().read_text(errors="replace"), re.MULTILINE)[1])

    def each(self, make, count):
        """Instructions for one: what twice as many take more. What the server does besides cancels out."""
        make(count)
        once = self.instructions()
        make(2 * count)
        return (self.instructions() - once) / count


@contextlib.contextmanager
def airlock(folder, *options):
    folder.mkdir(parents=True, exist_ok=True)
    program, shim = folder / "airlock", folder / "sigsuspend.so"
    # Valgrind 3.19 cannot read the debug information of Swift's compiler, and needs none of it to count.
    subprocess.run(["strip", "--strip-debug", "-o", program, servers.airlock_program()], check=True, timeout=120)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, HERE / "sigsuspend.c"], check=True, timeout=120)
    command = [
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/profile", *options, str(program),
        "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data")]
    # The same hashes in each run, so that the same requests take the same instructions.
    with stopped(servers.Process(
            "airlock", folder, command, AIRLOCK_ROOT_TOKEN=servers.ROOT_TOKEN, LD_PRELOAD=shim,
            SWIFT_DETERMINISTIC_HASHING="1")) as server:
        servers.wait_until(
            lambda: servers.READY.search(server.stdout), f"airlock is ready under valgrind\n{server.stderr[-2000:]}", 180, server.child)
        server.url, server.token = servers.READY.search(server.stdout)[1], servers.ROOT_TOKEN
        counted = Counted(server)
        counted.prepare(folder)
        yield counted
