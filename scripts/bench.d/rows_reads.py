"""Rows of the table that read: hits, the typed surface, a million secrets, and what the audit log costs."""

import contextlib

from contenders import CONNECTION, SECRET, airlock, bao_proxy, front, nginx, openbao
from front import done
from load import request, wrk
from measure import Goal, Result, in_turns, loads, per_second


def bearer(token):
    return {"X-Vault-Token": token}


def reading(bench, vault, name, token):
    """A round of reads of one secret."""
    return lambda: vault.under(lambda: wrk(vault.url + vault.path(name), bench.seconds, headers=bearer(token)))


def hit(bench):
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        bao = enter(openbao(bench.new("openbao")))
        embedded = enter(airlock(bench.new("airlock")))
        cached = enter(front(bench.new("front"), bao))
        proxy = enter(bao_proxy(bench.new("proxy"), bao))
        for vault in [bao, embedded]:
            vault.write("pg", SECRET)
        cached.behind.upstream.write("pg", SECRET)

        token = embedded.token()
        body = done(embedded.client.get(embedded.path("pg"), token=token)).body.rstrip(b"\n")
        token_of_cached, token_of_bao = cached.token(), bao.token()
        for _ in range(3):
            answer = done(cached.client.get(cached.path("pg"), token=token_of_cached))
        assert answer.headers["X-Cache"] == "HIT"
        contenders = {
            "nginx, `return 200`": reading(bench, enter(nginx(bench.new("nginx"), body)), "pg", token),
            "Airlock, its own store": reading(bench, embedded, "pg", token),
            "Airlock in front of OpenBao, cached": reading(bench, cached, "pg", token_of_cached),
            "OpenBao": reading(bench, bao, "pg", token_of_bao),
            "`bao proxy`, cache on": reading(bench, proxy, "pg", token_of_bao),
        }
        if bench.before:
            with bench.programs_of(bench.before):
                earlier = enter(airlock(bench.new("earlier")))
            earlier.write("pg", SECRET)
            contenders["Airlock, the earlier build, its own store"] = reading(bench, earlier, "pg", earlier.token())
        rounds = in_turns(bench.rounds, contenders)

    nginx_, own, cached_, peer, *_ = contenders
    goals = []
    for ours in [own, cached_]:
        goals += [
            Goal(f"{ours}: reads a second", rounds.ratio(ours, nginx_, "rate"), "x nginx", 0.5, 0.8),
            Goal(f"{ours}: reads a second", rounds.ratio(ours, peer, "rate"), "x OpenBao", 10),
            Goal(f"{ours}: p99", rounds.ratio(ours, nginx_, "p99"), "x nginx's p99", 3, is_most=True),
            Goal(f"{ours}: p99", rounds.ratio(ours, peer, "p99"), "x OpenBao's p99", 0.05, is_most=True)]
    return Result(
        "Cached KV version 2 read", goals, [loads(rounds, "read")],
        [f"One secret of 400 bytes, answered in {len(body) + 1} bytes of body, to a token whose policy allows it. nginx answers "
         "with the same body and fewer headers. OpenBao runs in development mode, in memory."])


def typed(bench):
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        bao = enter(openbao(bench.new("openbao")))
        embedded = enter(airlock(bench.new("airlock")))
        cached = enter(front(bench.new("front"), bao))
        embedded.write("connections/pg", CONNECTION)
        cached.behind.upstream.write("connections/pg", CONNECTION)

        def round(vault, token):
            path = "/api/v2/connections/pg"
            headers = {"Authorization": f"Bearer {token}"}
            return lambda: vault.under(lambda: wrk(vault.url + path, bench.seconds, headers=headers))

        token = embedded.token()
        answer = done(embedded.client.get(
            "/api/v2/connections/pg", token=None, headers={"Authorization": f"Bearer {token}"}))
        contenders = {
            "nginx, `return 200`": round(enter(nginx(bench.new("nginx"), answer.body.rstrip(b"\n"))), token),
            "Airlock, its own store": round(embedded, token),
            "Airlock in front of OpenBao, cached": round(cached, cached.token()),
        }
        rounds = in_turns(bench.rounds, contenders)
    nginx_, *ours = contenders
    return Result(
        "Typed `GET /api/v2/connections/{id}`",
        [Goal(f"{one}: typed reads a second", rounds.ratio(one, nginx_, "rate"), "x nginx", 0.25, 0.5) for one in ours],
        [loads(rounds, "read")],
        [f"One connection, answered in {len(answer.body)} bytes of body."])


def million(bench):
    few, many = 1000, bench.many
    # What is in memory by default is some 160,000 secrets of this size.
    memory_bytes = 1 << 30
    with airlock(bench.new("few")) as small, airlock(bench.new("many"), memory_bytes=memory_bytes) as large:
        tokens = {}
        for vault, count in [(small, few), (large, many)]:
            bench.say(f"writing {count:,} secrets and reading each")
            vault.fill(bench.client, count)
            tokens[vault] = vault.token()
            vault.read_each(bench.client, count, tokens[vault])
        with nginx(bench.new("nginx"), b"{}") as bare:

            def round(vault, count, token):
                return lambda: vault.under(lambda: wrk(
                    vault.url, bench.seconds, "random_reads.lua", [vault.path("s"), count], bearer(token)))

            contenders = {
                f"Airlock with {few:,} secrets": round(small, few, tokens[small]),
                f"Airlock with {many:,} secrets": round(large, many, tokens[large]),
                "nginx, the most that the generator can make": round(bare, many, tokens[large]),
            }
            rounds = in_turns(bench.rounds, contenders)
        memory = large.memory()
    names = list(contenders)
    return Result(
        "Many secrets",
        [Goal(f"Airlock's own store: read rate with {many:,} secrets", rounds.ratio(names[1], names[0], "rate"),
              f"x that with {few:,}", *((0.8, 0.95) if many >= 1_000_000 else ()))],
        [loads(rounds, "read")],
        [f"Each read is of a secret picked at random among all; each had been read once, and is held in memory, of which Airlock with "
         f"{many:,} may take more than by default: `memory_bytes` is {memory_bytes:,}. Resident with {many:,} secrets of 400 "
         f"bytes, after the rounds: {memory:.0f} MB."])


def audit(bench):
    folder = bench.new("with")
    folder.mkdir()
    with airlock(bench.new("without")) as off, airlock(folder, audit=str(folder / "audit.log")) as on:
        contenders = {}
        for name, vault in [("audit off, the default", off), ("audit on, to a file", on)]:
            vault.write("pg", SECRET)
            contenders[name] = both(bench, vault, vault.token())
        rounds = in_turns(bench.rounds, contenders)
    off_, on_ = contenders
    return Result(
        "What the audit log costs",
        [Goal(f"Airlock's own store, audit on: {what} a second", rounds.ratio(on_, off_, figure), "x audit off")
         for figure, what in [("reads", "reads"), ("writes", "writes")]],
        [rounds.table(["reads a second", "writes a second"], reads=per_second, writes=per_second)],
        ["The log is off by default. While it is on, no read is answered ahead of it."])


def both(bench, vault, token):
    """Rounds of reads and of writes. What is written is written again in each round, as new versions."""
    body = request("PUT", "/", body={"data": SECRET}).split(b"\r\n\r\n")[1].decode()
    read = reading(bench, vault, "pg", token)
    return lambda: {
        "reads": read()["rate"],
        "writes": wrk(vault.url, bench.seconds, "writes.lua", [vault.path("w"), body], bearer(token))["rate"]}
