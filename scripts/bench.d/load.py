"""The two load generators, wrk and scripts/bench.d/client.c, and what they measured. Both are one thread with 32 connections."""

import json
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 32
PATIENCE = 60  # seconds beyond those that were asked for
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class LoadError(Exception):
    pass


def read_wrk(printed):
    """Requests, those a second, and the 99th percentile in seconds. A round in which anything went wrong does not count."""
    if wrong := re.search(r"^\s*(Non-2xx or 3xx responses: .*|Socket errors: .*)$", printed, re.MULTILINE):
        raise LoadError(f"wrk: {wrong[1]}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", printed, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s|m)$", printed, re.MULTILINE)
    count = re.search(r"^\s+(\d+) requests in ", printed, re.MULTILINE)
    if not rate or not p99 or not count or int(count[1]) == 0:
        raise LoadError("wrk had no answer in its time")
    return {"count": int(count[1]), "rate": float(rate[1]), "p99": float(p99[1]) * UNITS[p99[2]]}


def wrk(url, seconds, script=None, arguments=(), headers=None, connections=CONNECTIONS):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", str(HERE / script)]
    done = subprocess.run(
        [*command, url, "--", *map(str, arguments)], capture_output=True, text=True, timeout=seconds + PATIENCE)
    if done.returncode != 0:
        raise LoadError(f"wrk ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return read_wrk(done.stdout)


class Client:
    """client.c, compiled once."""

    def __init__(self, folder):
        self.program = pathlib.Path(folder) / "client"
        subprocess.run(["cc", "-O2", "-o", self.program, HERE / "client.c"], check=True, timeout=120)

    def run(self, port, requests, *, seconds=3600, count=0, fresh=False, at_once=CONNECTIONS):
        """Sessions of these requests: for so many seconds, or so many of them."""
        done = subprocess.run(
            [self.program, str(port), str(at_once), str(seconds), str(count), "fresh" if fresh else "kept"],
            input=b"\0".join(requests) + b"\0", capture_output=True, timeout=seconds + PATIENCE)
        if done.returncode != 0:
            raise LoadError(done.stderr.decode().strip())
        measured = json.loads(done.stdout)
        return measured | {"rate": measured["count"] / measured["seconds"]}


def request(method, path, token=None, body=None):
    """As bytes. What is in braces in the path is the client's to fill in."""
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"X-Vault-Token: {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content
