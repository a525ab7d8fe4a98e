"""How many instructions a hit takes. `scripts/hit-instructions` runs it."""

import pathlib
import statistics
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/e2e"))

import callgrind  # noqa: E402
from measure import Result  # noqa: E402

RECORD = REPOSITORY / "docs/benchmarks/hit-instructions.txt"
GROWTH = 10  # percent
ROUNDS = 3
COUNTS = {"debug": (40, 8), "release": (1000, 100)}  # of hits and of ordinary reads, each made once and twice over
HEADING = """\
# Instructions of one cached read of 400 bytes with token and policy, and of the same read the ordinary way, as callgrind counts
# them. `scripts/hit-instructions record BUILD` writes a line, `scripts/hit-instructions check BUILD` fails when a hit takes 10 %
# more than is written here.
"""


def count(build):
    """(for a hit, for an ordinary read)"""
    hits, ordinary = COUNTS[build]
    with tempfile.TemporaryDirectory() as folder, callgrind.airlock(pathlib.Path(folder) / "airlock") as server:
        server.hits(hits)
        server.ordinary(ordinary)
        server.dump()
        each = statistics.median(server.each(server.hits, hits) for _ in range(ROUNDS))
        usual = server.each(server.ordinary, ordinary)
    if each > usual / 2:
        sys.exit(f"error: a plain read took {each:,.0f} instructions and an ordinary one {usual:,.0f}: it was no hit")
    return round(each), round(usual)


def lines():
    """What is recorded: {build: (hit, ordinary, Swift)}."""
    if not RECORD.exists():
        return {}
    fields = [line.split(maxsplit=3) for line in RECORD.read_text().splitlines() if line and not line.startswith("#")]
    return {build: (int(hit), int(usual), swift) for build, hit, usual, swift in fields}


def swift():
    told = subprocess.run(["swift", "--version"], capture_output=True, text=True, timeout=60)
    return next((line for line in told.stdout.splitlines() if "Swift version" in line), "unknown")


def record(build, each, usual):
    known = lines() | {build: (each, usual, swift())}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(HEADING + "".join(
        f"{name:<8} {known[name][0]:>9} {known[name][1]:>9} {known[name][2]}\n" for name in COUNTS if name in known))


def check(build, each):
    if build not in lines():
        sys.exit(f"error: nothing is recorded for {build}: run scripts/hit-instructions record {build}")
    before, _, compiler = lines()[build]
    told = f"a hit takes {each:,} instructions in a {build} build; {before:,} are recorded ({100 * (each / before - 1):+.1f} %)"
    if each * 100 > before * (100 + GROWTH):
        sys.exit(
            f"error: {told}\nMake it cheaper, or record the new figure with a reason: scripts/hit-instructions record {build}\n"
            f"recorded with {compiler}\nnow with      {swift()}")
    print(told + ("; record it, so that it stays so" if each * (100 + GROWTH) < before * 100 else ""))


def recorded():
    """For the report."""
    return Result(
        "Instructions of a hit",
        tables=[(["a hit", "the same read the ordinary way"],
                 [[build, f"{hit:,}", f"{usual:,}"] for build, (hit, usual, _) in lines().items()])],
        notes=["As recorded in [hit-instructions.txt](hit-instructions.txt) by `scripts/hit-instructions`; the test run fails when a "
               "hit of the debug build takes 10 % more."])


def main(action, build):
    each, usual = count(build)
    if action == "record":
        record(build, each, usual)
        print(f"{build}: a hit takes {each:,} instructions, an ordinary read {usual:,}")
    else:
        check(build, each)


if __name__ == "__main__":
    main(*sys.argv[1:])
