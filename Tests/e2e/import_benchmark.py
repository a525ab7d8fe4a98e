"""Airflow's own importer beside conn-import, and what conn-import takes of memory. `scripts/import-benchmark` runs it."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import hvac

import servers

COUNT = 10_000
LARGE = 100_000
ROUNDS = 3


def connections(count):
    """Of several kinds: what a URI says, what only fields say, and an extra of some size."""
    kinds = [
        lambda n: {"conn_type": "postgres", "host": f"db{n}.example.com", "login": "etl", "password": f"p@ss/w#{n}", "schema": "app", "port": 5432},
        lambda n: {"conn_type": "http", "host": f"Api{n}.Example.com", "password": f"token-{n}", "extra": json.dumps({"timeout": n, "verify": False})},
        lambda n: {"conn_type": "aws", "login": f"AKIA{n}", "password": "k" * 40, "extra": json.dumps({"region_name": "eu-central-1", "role_arn": f"arn:aws:iam::{n}:role/etl", "session_kwargs": {"profile_name": "default"}})},
        lambda n: {"conn_type": "snowflake", "host": "", "login": "u", "password": f"s{n}", "schema": "PUBLIC", "description": f"number {n}", "extra": json.dumps({"account": "xy12345", "warehouse": "WH", "database": "DB"})},
    ]
    return {f"conn_{n}": kinds[n % len(kinds)](n) for n in range(count)}


def file_of(folder, count):
    path = folder / f"connections-{count}.json"
    path.write_text(json.dumps(connections(count)))
    return path


def timed(command, environment):
    """Seconds, and the most memory it had, in MB."""
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, said[-4000:]
    return time.monotonic() - begun, usage.ru_maxrss / 1024


class Airflow:
    """Airflow 3 with a SQLite database of its own, empty."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.program = servers.TOOLS / "airflow3/bin/airflow"
        self.environment = servers.clean_environment(
            folder, AIRFLOW_HOME=folder, AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS="False",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db")
        timed([self.program, "db", "migrate"], self.environment)

    def take(self, count):
        """Seconds for one connection: of so many at once, without those that it takes to start."""
        def run(number):
            return timed([self.program, "connections", "import", file_of(self.folder, number)], self.environment)[0]

        start = run(1)
        return (run(count + 1) - start) / count


class Ours:
    def __init__(self, server):
        self.server = server
        self.client = hvac.Client(url=server.url, token=server.token)
        self.mounts = 0

    def take(self, path):
        """Into an empty mount, start of the program and reading the file included."""
        self.mounts += 1
        mount = f"round{self.mounts}"
        self.client.sys.enable_secrets_engine("kv", path=mount, options={"version": "2"})
        return timed(
            [servers.airlock_program("conn-import"), path, "--mount-point", mount],
            servers.clean_environment(self.server.folder, AIRLOCK_ADDR=self.server.url, AIRLOCK_TOKEN=self.server.token))


def main(airflow_count):
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        server = servers.start_airlock(folder / "airlock")
        try:
            ours = Ours(server)
            path = file_of(folder, COUNT)
            theirs, taken = [], []
            for number in range(ROUNDS):  # in turns, so that a noisy neighbour does not meet one of them alone
                theirs.append(Airflow(folder / f"airflow{number}").take(airflow_count))
                taken.append(ours.take(path)[0])
            large_seconds, large_memory = ours.take(file_of(folder, LARGE))
        finally:
            server.stop()
    each, seconds = statistics.median(theirs), statistics.median(taken)
    print(f"medians of {ROUNDS} rounds; Airflow imports {airflow_count} connections, which is reckoned up and in its favour,")
    print("for it takes longer for each the more there are; conn-import imports all of them\n")
    print("| | | |\n|---|---|---|")
    print(f"| `airflow connections import`, SQLite | {1000 * each:.1f} ms a connection | {each * COUNT:.0f} s for {COUNT:,} |")
    print(f"| `conn-import` into Airlock's store, each write read back | {1000 * seconds / COUNT:.3f} ms | {seconds:.2f} s |")
    print(f"| times as fast | {each * COUNT / seconds:.0f} | |")
    print(f"| `conn-import`, {LARGE:,} connections | {large_seconds:.1f} s | {large_memory:.0f} MB at most |")


if __name__ == "__main__":
    main(int(sys.argv[1]))
