"""Rows of the table about the program itself: memory, start, and the library that parses URIs."""

import http.client
import json
import pathlib
import statistics
import subprocess
import time

import servers
from contenders import Vault, airlock, front, openbao
from measure import Goal, Result, in_turns

HERE = pathlib.Path(__file__).parent


def both(vault):
    return vault.memory(), vault.memory_of_its_own()


def medians(rounds):
    return tuple(statistics.median(values) for values in zip(*rounds))


def memory(bench):
    count = bench.cached
    idle = []
    for _ in range(bench.rounds):
        with airlock(bench.new("idle")) as vault:
            idle.append(both(vault))
    idle, idle_front = medians(idle), []
    with openbao(bench.new("openbao")) as bao:
        empty_bao = both(bao)
        for _ in range(bench.rounds):
            with front(bench.new("idle"), bao) as vault:
                idle_front.append(both(vault))
        idle_front = medians(idle_front)
        folder = bench.new("front")
        with front(folder, bao) as cached:
            bench.say(f"writing {count:,} secrets to OpenBao and reading each through Airlock")
            upstream = cached.behind.upstream
            Vault(upstream.bao, f"{upstream.mount}/data/").fill(bench.client, count)
            token = cached.token()
            for _ in range(2):  # from OpenBao, then from the cache
                cached.read_each(bench.client, count, token)
            full = both(cached)
        starts = [start(folder, cached, token, count) for _ in range(bench.rounds)]
        full_bao = both(bao)
    with airlock(bench.new("own")) as own:
        own.fill(bench.client, count)
        token = own.token()
        for _ in range(2):
            own.read_each(bench.client, count, token)
        full_own = both(own)

    ready, first = medians(starts)
    found = {
        "Airlock, idle, nothing stored": idle,
        "Airlock in front of OpenBao, idle, nothing cached": idle_front,
        f"Airlock in front of OpenBao, {count:,} cached": full,
        f"Airlock, {count:,} in its own store, each read twice": full_own,
        "OpenBao in development mode, idle, nothing stored": empty_bao,
        f"OpenBao in development mode, {count:,} stored (in memory)": full_bao}
    start_rows = [[f"Airlock in front of OpenBao, {count:,} cached", f"{1000 * ready:.0f} ms", f"{1000 * first:.0f} ms"]]
    is_full = count >= 100_000  # what is asked is asked of so many
    return Result(
        "Memory and start",
        [Goal("Airlock, idle: resident memory", idle[0], "MB", 30, 20, is_most=True),
         Goal("Airlock in front of OpenBao, idle: resident memory", idle_front[0], "MB", is_most=True),
         Goal(f"Airlock, {count:,} cached secrets of 400 bytes: resident memory", full[0], "MB",
              *((150, 100) if is_full else ()), is_most=True),
         Goal(f"Airlock, start to ready with {count:,} cached secrets", 1000 * ready, "ms",
              *((150, 50) if is_full else ()), is_most=True),
         Goal("the same, to the first cached answer", 1000 * first, "ms", is_most=True)],
        [(["resident", "of that, not of files"], [[who, *(f"{value:.1f} MB" for value in pair)] for who, pair in found.items()]),
         (["`ready` is printed", "a cached secret is answered"], start_rows)],
        ["A start is from `exec` on, with the files in the system's cache, and ends when the line `airlock ready` is there. Each "
         "secret was read twice before the memory was looked at, the second time as a `HIT`."])


def start(folder, vault, token, count):
    """Seconds from exec to the ready line, and to the first hit. What was cached is there before anything is asked for."""
    command = [servers.airlock_program(), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data"),
               "--config", str(folder / "config.json")]
    environment = servers.clean_environment(folder, AIRLOCK_ROOT_TOKEN=servers.ROOT_TOKEN)
    begun = time.monotonic()
    with open(folder / "starts.stderr", "ab") as errors, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as child:
        try:
            found = servers.READY.search(child.stdout.readline())
            ready = time.monotonic() - begun
            assert found, f"airlock did not start, see {folder}/starts.stderr"
            client = http.client.HTTPConnection(found[1].removeprefix("http://"), timeout=30)
            client.request("GET", vault.path(f"s{count // 2}"), headers={"X-Vault-Token": token})
            answer = client.getresponse()
            answer.read()
            first = time.monotonic() - begun
            assert (answer.status, answer.headers["X-Cache"]) == (200, "HIT"), f"{answer.status}, {answer.headers['X-Cache']}"
            client.close()
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
    return ready, first


URIS = [
    "postgresql://etl:p%40ssw0rd@db{}.example.com:5432/warehouse?sslmode=require",
    "mysql://reader:secret{}@mysql.example.com:3306/app?charset=utf8mb4",
    "http://api{}.example.com/?timeout=30&verify=false",
    "https://:token-{}@https%3A%2F%2Fapi.example.com/v1",
    "aws://AKIA{}:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk@/?region_name=eu-central-1&role_arn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fetl",
    "google-cloud-platform://?extra__google_cloud_platform__project=p{}&num_retries=5",
    "snowflake://u:s{}@/PUBLIC?account=xy12345&warehouse=WH&database=DB",
    "ssh://deploy@host{}.example.com:22?__extra__=%7B%22key_file%22%3A%22%2Fkeys%2Fid%22%7D",
]


def uri(bench):
    count = bench.uris
    lines = bench.new("uri").with_suffix(".jsonl")
    lines.write_text("".join(json.dumps(URIS[n % len(URIS)].format(n)) + "\n" for n in range(count)))

    def ours():
        done = subprocess.run(
            [pathlib.Path(servers.airlock_program()).parent / "benchmark-uris", lines], capture_output=True, text=True, check=True, timeout=600)
        return {"each": float(done.stdout)}

    def theirs():
        done = subprocess.run(
            [servers.TOOLS / "airflow3/bin/python", HERE / "parse_uris.py", lines], capture_output=True, text=True, timeout=600,
            env=servers.clean_environment(bench.folder, AIRFLOW_HOME=bench.folder / "airflow"))
        assert done.returncode == 0, done.stderr[-2000:]
        return {"each": json.loads(done.stdout.splitlines()[-1])}

    contenders = {"Airlock, `ConnectionURI.parse`": ours, "Airflow's Task SDK, `Connection(uri=)`": theirs}
    rounds = in_turns(bench.rounds, contenders)
    us, them = contenders
    return Result(
        "Parsing connection URIs",
        [Goal("Airlock's library: URIs parsed a second", rounds.ratio(them, us, "each"), "x Airflow's Task SDK", 10, 50)],
        [rounds.table(["a URI"], each=lambda seconds: f"{1e6 * seconds:.2f} µs")],
        [f"{count:,} URIs of {len(URIS)} kinds, read before the clock starts: both figures are of the call alone. Airflow's masking of "
         "secrets is switched off, which is in its favour."])
