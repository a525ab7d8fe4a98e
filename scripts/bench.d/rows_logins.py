"""Rows of the table that change something: logins, Airflow's pattern of one login a read, and durable writes."""

import json

from contenders import SECRET, airlock, nginx, openbao, raft_openbao
from load import request, wrk
from measure import Goal, Result, in_turns, loads

LOGIN = "/v1/auth/approle/login"


def login(bench):
    with openbao(bench.new("openbao")) as bao, raft_openbao(bench.new("raft")) as raft, airlock(bench.new("airlock")) as ours:
        contenders = {
            name: round_of_logins(bench, vault, json.dumps(vault.approle()))
            for name, vault in [("Airlock, its own store", ours), ("OpenBao, raft storage", raft), ("OpenBao, in memory", bao)]}
        rounds = in_turns(bench.rounds, contenders)
    us, on_disk, in_memory = contenders
    return Result(
        "AppRole login",
        [Goal("Airlock: correct logins a second", rounds.ratio(us, on_disk, "rate"), "x OpenBao with raft storage", 10),
         Goal("Airlock: correct logins a second", rounds.ratio(us, in_memory, "rate"), "x OpenBao in memory", 10)],
        [loads(rounds, "login")],
        ["Role id and secret id, a token for an hour, connections kept alive. Airlock and OpenBao with raft storage write each token to the "
         "same disk, Airlock up to a quarter of a second after its answer; OpenBao in development mode forgets it when it ends."])


def round_of_logins(bench, vault, body):
    return lambda: vault.under(lambda: wrk(vault.url + LOGIN, bench.seconds, "login.lua", [body]))


def pattern(bench):
    with openbao(bench.new("openbao")) as bao, airlock(bench.new("airlock")) as ours:
        body = b'{"auth":{"client_token":"' + b"x" * 26 + b'"},"data":"' + b"x" * 500 + b'"}'
        with nginx(bench.new("nginx"), body) as bare:
            contenders = {}
            for name, vault in [("Airlock, its own store", ours), ("OpenBao", bao)]:
                vault.write("pg", SECRET)
                contenders[name] = round_of_sessions(bench, vault, vault.approle())
            contenders["nginx, the most that the generator can make"] = round_of_sessions(bench, bare, {"role_id": "r"})
            rounds = in_turns(bench.rounds, contenders)
    names = list(contenders)
    return Result(
        "Airflow's pattern: connect, log in, read once, close",
        [Goal("Airlock: sessions a second", rounds.ratio(names[0], names[1], "rate"), "x OpenBao", 5)],
        [loads(rounds, "session")],
        ["Airflow makes its backend anew for each lookup. 32 sessions at a time by scripts/bench.d/client.c, each with a "
         "connection of its own, an AppRole login and one read with the token it got."])


def round_of_sessions(bench, vault, body):
    requests = [request("POST", LOGIN, body=body), request("GET", vault.path("pg"), "{token}")]
    return lambda: vault.under(lambda: bench.client.run(vault.port, requests, seconds=bench.seconds, fresh=True))


def write(bench):
    body = json.dumps({"data": SECRET})
    number = iter(range(1_000_000))
    with raft_openbao(bench.new("openbao")) as bao, airlock(bench.new("airlock")) as ours:

        def round(vault, token):
            def write():
                path = vault.path(f"round{next(number)}/w")
                return vault.under(
                    lambda: wrk(vault.url, bench.seconds, "writes.lua", [path, body], {"X-Vault-Token": token}))
            return write

        contenders = {
            name: round(vault, vault.token())
            for name, vault in [("Airlock, its own store", ours), ("OpenBao, raft storage", bao)]}
        rounds = in_turns(bench.rounds, contenders)
    return Result(
        "KV version 2 write, acknowledged once it is on the disk",
        [Goal("Airlock: writes a second", rounds.ratio(*contenders, "rate"), "x OpenBao with raft storage", 2, 5)],
        [loads(rounds, "write")],
        ["32 writers, each write of a new secret of 400 bytes, both on the same disk. Airlock's store is SQLite with "
         "`synchronous=FULL` (writers at once share a commit), OpenBao's raft storage syncs its log."])
