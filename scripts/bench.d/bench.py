"""The benchmark: runs the rows that were asked for, one after another, and writes the report. `scripts/bench` runs it."""

import argparse
import contextlib
import datetime
import os
import pathlib
import signal
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/e2e"))

import hot_spots  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
import rows_logins  # noqa: E402
import rows_process  # noqa: E402
import rows_reads  # noqa: E402
from hit_instructions import recorded  # noqa: E402
from load import Client  # noqa: E402

ROWS = {
    "hit": rows_reads.hit, "typed": rows_reads.typed, "login": rows_logins.login, "pattern": rows_logins.pattern,
    "write": rows_logins.write, "memory": rows_process.memory, "million": rows_reads.million, "uri": rows_process.uri,
    "audit": rows_reads.audit, "instructions": lambda bench: recorded(), "profile": hot_spots.profile}


class Bench:
    """How long and how much, and where to put things."""

    def __init__(self, folder, options):
        self.folder, self.client, self.before = folder, Client(folder), options.before
        self.rounds, self.seconds = (3, 1) if options.quick else (5, 5)
        self.cached, self.many, self.uris = (10_000, 20_000, 100_000) if options.quick else (100_000, 1_000_000, 1_000_000)
        self.rounds, self.seconds = options.rounds or self.rounds, options.seconds or self.seconds
        self.made = 0

    def new(self, name):
        """A folder's name that nobody else has."""
        self.made += 1
        return self.folder / f"{self.made:02}-{name}"

    def say(self, what):
        print(f"== {what}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def programs_of(self, folder):
        """What is started within is another build."""
        usual = os.environ["AIRLOCK_BIN"]
        os.environ["AIRLOCK_BIN"] = folder
        try:
            yield
        finally:
            os.environ["AIRLOCK_BIN"] = usual


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="The rows, all by default: " + ", ".join(ROWS) + ".")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these rows")
    parser.add_argument("--quick", action="store_true", help="short rounds and fewer secrets: under three minutes")
    parser.add_argument("--before", metavar="FOLDER", help="with an earlier release build, to be measured beside this one")
    parser.add_argument("--rounds", type=int, help="instead of 5 (3 with --quick)")
    parser.add_argument("--seconds", type=int, help="of each round, instead of 5 (1 with --quick)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FOLDER",
                        help="for the report: docs/benchmarks for a whole run, else .tools/bench")
    options = parser.parse_args()
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"no row is named {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    if options.rounds is not None and not 1 <= options.rounds <= 99 or options.seconds is not None and not 1 <= options.seconds <= 600:
        parser.error("--rounds must be 1 to 99, --seconds 1 to 600")
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is stopped too
    is_whole = not (options.rows or options.quick or options.rounds or options.seconds)
    output = options.output or REPOSITORY / ("docs/benchmarks" if is_whole else ".tools/bench")
    output.mkdir(parents=True, exist_ok=True)
    (REPOSITORY / ".tools").mkdir(exist_ok=True)
    begun, results, failures = time.monotonic(), {}, []
    with tempfile.TemporaryDirectory(dir=REPOSITORY / ".tools", prefix="bench-") as folder:
        bench = Bench(pathlib.Path(folder), options)
        about = machine.describe(bench)
        for name in options.rows or ROWS:
            bench.say(f"{name} ({time.monotonic() - begun:.0f} s)")
            try:
                results[name] = ROWS[name](bench)
            except Exception as failure:  # the other rows are worth having
                failures.append(f"{name}: {type(failure).__name__}: {failure}")
                bench.say(f"failed: {failures[-1]}")
        about.append(("load average at the end", machine.load()))
    path = output / f"{datetime.date.today().isoformat()}{'' if is_whole else '-part'}.md"
    report.write(path, bench, about, results, failures, time.monotonic() - begun)
    print(path)
    for result in results.values():
        for goal in result.goals:
            print(f"{goal.what}: {report.figure(goal)} ({goal.verdict.strip('*')})")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
