"""Where a hit's time goes: by `perf` where that works, else by callgrind."""

import concurrent.futures
import contextlib
import re
import shutil
import subprocess

import callgrind
from contenders import SECRET, airlock
from load import wrk
from measure import Result

MOST = 25
HITS = 2000
OURS = re.compile(r"^\$s\d+Airlock")
LINE = re.compile(r"^\s*([\d.]+)%\s+(?:\[.\] )?(.+?)\s*$")
CALLGRIND_LINE = re.compile(r"^\s*[\d,]+ \(\s*([\d.]+)%\)\s+\S*?:(.+?)(?: \[(.*)\])?$")


def demangled(names):
    try:
        done = subprocess.run(
            ["swift", "demangle", "--simplified", "--compact"], input="\n".join(names), capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return names
    told = done.stdout.splitlines()
    return told if done.returncode == 0 and len(told) == len(names) else names


def shown(lines):
    """Shares and names as the rows of a table, the largest first."""
    lines = sorted(lines, key=lambda line: -line[0])[:MOST]
    names = demangled([name for _, name in lines])
    return [[f"`{name.replace('|', '/')[:140]}`", f"{share:.1f} %"] for (share, _), name in zip(lines, names)]


def perf_report(data, *arguments):
    done = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "-g", "none", "-q", "--percent-limit", "0.4", *arguments],
        capture_output=True, text=True, timeout=300)
    return [(float(found[1]), found[2]) for found in map(LINE.match, done.stdout.splitlines()) if found]


def of_airlock(lines):
    """Without witnesses (TW), which only call what is listed too."""
    return [(share, name) for share, name in lines if OURS.match(name) and not name.endswith("TW")]


def by_perf(bench):
    """Tables by library and by function, or None where perf cannot sample."""
    if not shutil.which("perf"):
        return None
    seconds = max(2, bench.seconds)
    with airlock(bench.new("profiled")) as vault:
        vault.write("pg", SECRET)
        token, data = vault.token(), bench.folder / f"perf-{vault.pid}"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            load = pool.submit(wrk, vault.url + vault.path("pg"), seconds + 1, headers={"X-Vault-Token": token})
            done = subprocess.run(
                ["perf", "record", "-q", "-g", "-F", "997", "-p", str(vault.pid), "-o", data, "--", "sleep", str(seconds)],
                capture_output=True, text=True, timeout=seconds + 60)
            load.result()
        if done.returncode != 0:
            return None
        libraries = perf_report(data, "--no-children", "-F", "overhead,dso")
        functions = perf_report(data, "--no-children", "-F", "overhead,sym")
        inclusive = perf_report(data, "--children", "-F", "overhead_children,sym")
    if not functions:
        return None
    return [
        (["of the time, by library"], shown(libraries)), (["of the time, by function alone"], shown(functions)),
        (["of the time, by Airlock's own functions and what they call"], shown(of_airlock(inclusive)))]


def by_callgrind(bench):
    with callgrind.airlock(bench.new("callgrind")) as server:
        server.hits(100)
        server.dump()
        server.hits(HITS)
        counted = server.dump()

    def annotated(*options):
        done = subprocess.run(
            ["callgrind_annotate", "--threshold=100", *options, counted], capture_output=True, text=True, timeout=300)
        return [(float(one[1]), one[2]) for one in map(CALLGRIND_LINE.match, done.stdout.splitlines()) if one]

    return [
        # What has not returned at the dump is given the instructions of all that it called.
        (["of the instructions, by function alone"], shown([line for line in annotated() if line[0] < 50])),
        (["of the instructions, by Airlock's own functions and what they call"], shown(of_airlock(annotated("--inclusive=yes"))))]


def profile(bench):
    builds = {"": None} | ({"the earlier build: ": bench.before} if bench.before else {})
    tables, notes = [], []
    for label, folder in builds.items():
        with bench.programs_of(folder) if folder else contextlib.nullcontext():
            found = by_perf(bench)
            way = "`perf` samples of the process under `wrk -t1 -c32`, the kernel's part included" if found else \
                "callgrind's count of instructions, without the kernel's, as `perf` does not work here"
            tables += [([label + heading[0]], rows) for heading, rows in found or by_callgrind(bench)]
        notes.append(f"{label or 'This build: '}{way}.")
    return Result("Where a hit's time goes", tables=tables, notes=notes)
