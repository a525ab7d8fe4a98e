"""What the audit log costs, in requests a second. `scripts/audit-cost` runs it."""

import json
import multiprocessing
import pathlib
import socket
import sys
import tempfile
import time

import servers
from front import done
from wire import Connection

CLIENTS = 4
BODY = json.dumps({"data": {"conn_uri": "postgresql://etl:p%40ssw0rd@db.example.com:5432/warehouse?sslmode=require"}}).encode()


def request(method, path, token, body=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: airlock\r\nX-Vault-Token: {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def drive(address, sent, seconds, counts):
    """One client with one connection: the same request over and over, as fast as it is answered."""
    with socket.create_connection(address) as raw:
        answers = raw.makefile("rb")
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            raw.sendall(sent)
            status, length = answers.readline(), 0
            assert b" 200 " in status, status
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
            count += 1
    counts.put(count)


def rate(server, method, path, body, seconds):
    """Requests a second by all clients; each writes a secret of its own."""
    counts = multiprocessing.Queue()
    clients = [
        multiprocessing.Process(target=drive, args=(
            server.host_and_port, request(method, path.format(number), server.token, body), seconds, counts))
        for number in range(CLIENTS)]
    for client in clients:
        client.start()
    total = sum(counts.get(timeout=seconds + 30) for _ in clients)
    for client in clients:
        client.join()
    return total / seconds


def measure(folder, settings, seconds):
    config = folder / "config.json"
    config.write_text(json.dumps(settings))
    server = servers.start_airlock(folder, "--config", str(config))
    try:
        root = Connection(server)
        for number in range(CLIENTS):
            done(root.put(f"/v1/secret/data/{number}", BODY))
        rate(server, "GET", "/v1/secret/data/{}", b"", 1)
        return [rate(server, "GET", "/v1/secret/data/{}", b"", seconds), rate(server, "PUT", "/v1/secret/data/{}", BODY, seconds)]
    finally:
        server.stop()


def main(seconds):
    rates = {}
    with tempfile.TemporaryDirectory() as root:
        for round in range(2):  # in turns, so that a noisy neighbour does not meet one of them alone
            for name in ["without", "with"]:
                folder = pathlib.Path(root) / f"{name}{round}"
                folder.mkdir()
                settings = {"audit": str(folder / "audit.log")} if name == "with" else {}
                rates.setdefault(name, []).append(measure(folder, settings, seconds))
    best = {name: [max(kind) for kind in zip(*measured)] for name, measured in rates.items()}
    print(f"{CLIENTS} clients, {seconds} s each, the better of two rounds, requests a second\n")
    print("| | without audit | with audit | cost |\n|---|---|---|---|")
    for index, kind in enumerate(["reads", "writes"]):
        before, after = best["without"][index], best["with"][index]
        print(f"| {kind} | {before:,.0f} | {after:,.0f} | {100 * (1 - after / before):.0f} % |")


if __name__ == "__main__":
    main(int(sys.argv[1]))
