"""When OpenBao does not answer, or a network or gateway answers for it: what was read before goes on being read, what was
never read is 503 at once, and nothing that was not OpenBao's own word is ever believed."""

import concurrent.futures
import threading
import time

import pytest

import fault_proxy as faults
from front import Front, at_once, done, outcome, value
from raft_openbao import RaftOpenBao
from servers import wait_until
from wire import Connection

URI = "postgres://etl:pw@{}.example.com/x"


@pytest.fixture(scope="module")
def raft(tmp_path_factory):
    """OpenBao with its data on disk. A test that killed it starts it again."""
    bao = RaftOpenBao(tmp_path_factory.mktemp("raft"))
    yield bao
    if bao.process.child.poll() is None:
        bao.stop()


@pytest.fixture
def killable(raft, tmp_path, start_airlock):
    """An Airlock in front of the OpenBao that can be killed, without a proxy."""
    made = []

    def make(**settings):
        if raft.process.child.poll() is not None:
            raft.start()
        made.append(Front(raft, tmp_path, start_airlock, behind_proxy=False, **settings))
        return made[-1].start()

    yield make
    for one in made:
        one.end()


def refused_at_once(front, name="connections/never"):
    answer = front.read(name)
    assert answer.status == 503 and len(answer.errors) == 1 and answer.errors[0], answer
    assert answer.headers["Retry-After"] == "1"
    return answer


# OpenBao killed


def test_airflow_keeps_reading_while_openbao_is_dead_also_from_an_airlock_started_then(killable, raft, tmp_path):
    front = killable(ttl="1s")
    for name in ["pg", "lake"]:
        front.upstream.write(f"connections/{name}", {"conn_uri": URI.format(name)})
    approle = front.approle()
    expected = {"pg": {"pg.example.com": 5}, "lake": {"lake.example.com": 5}}
    assert front.look_up(tmp_path, approle, 5, "pg", "lake") == expected
    raft.kill()
    wait_until(lambda: outcome(front.read("connections/pg")) == "STALE", "the ttl is over")
    assert front.look_up(tmp_path, approle, 5, "pg", "lake") == expected

    front.restart()
    answer = front.read("connections/pg")
    assert (answer.status, outcome(answer)) == (200, "STALE")
    assert answer.data["data"] == {"conn_uri": URI.format("pg")}
    login = done(Connection(front.airlock).post(
        "/v1/auth/approle/login", dict(zip(("role_id", "secret_id"), approle)), token=None))
    token = login.json["auth"]["client_token"]
    assert front.read("connections/lake", token=token).status == 200
    assert front.read("variables/x", token="no-such-token").status == 403
    assert front.look_up(tmp_path, approle, 5, "pg", "lake") == expected
    refused_at_once(front)


def test_when_openbao_returns_values_are_fresh_within_one_ttl_and_there_is_no_stampede(killable, raft):
    paths = [f"connections/c{n}" for n in range(50)]
    front = killable(ttl="20s")
    for path in [*paths, "connections/watched"]:
        front.upstream.write(path, {"value": "before"})
        assert value(front.read(path)) == "before"
    raft.kill()
    front.invalidate(mount="airflow")  # as if the ttl were over
    at_once(10, lambda n: front.read(paths[n], Connection(front.airlock)))
    assert outcome(front.read(paths[0])) == "STALE"

    raft.start()
    front.upstream.client.close()
    for path in paths:
        front.upstream.write(path, {"value": "after"})
    wait_until(lambda: outcome(front.read("connections/watched")) != "STALE", "Airlock noticed", seconds=20)
    before = {path: len(raft.audited("read", front.upstream.path(path))) for path in paths}
    answers = at_once(200, lambda n: front.read(paths[n % 50], Connection(front.airlock)))
    assert {value(answer) for answer in answers} == {"after"}
    reads = [len(raft.audited("read", front.upstream.path(path))) - before[path] for path in paths]
    assert max(reads) <= 1, reads


def test_after_max_stale_it_is_503_in_under_50_ms_with_retry_after_1(killable, raft):
    front = killable(ttl="1s", max_stale="6s")
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    raft.kill()
    killed, last = time.monotonic(), None
    while (begun := time.monotonic()) and (answer := front.read("connections/pg")).status == 200:
        assert value(answer) == "one" and begun < killed + 6
        last = answer
        time.sleep(0.02)
    assert outcome(last) == "STALE" and 1 <= int(last.headers["Age"]) < 6
    refused_at_once(front, "connections/pg")
    times = []
    for _ in range(40):  # one connection, as a client keeps it; the breaker is open
        begun = time.perf_counter()
        refused_at_once(front, "connections/pg")
        times.append(time.perf_counter() - begun)
    assert sorted(times)[37] < 0.05, f"{sorted(times)[37] * 1000:.1f} ms"


def test_an_upstream_that_hangs_costs_one_timeout_and_then_answers_are_at_once(front):
    front = front(kwargs={"timeout": 1})
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    with front.proxy.failing(faults.hang):
        front.invalidate(mount="airflow")
        begun = time.monotonic()
        assert outcome(front.read("connections/pg")) == "STALE"
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        for _ in range(20):
            assert outcome(front.read("connections/pg")) == "STALE"
            refused_at_once(front)
        assert time.monotonic() - begun < 1, "each read waited for the upstream again"
    wait_until(lambda: outcome(front.read("connections/pg")) != "STALE", "Airlock noticed")


# Every fault: with a cached value, without one, and what is left when it is over

THIEF = faults.FaultProxy(("127.0.0.1", 9))  # a server that Airlock has no business with

FAULTS = {
    "refused": faults.refuse,
    "hanging": faults.hang,
    "reset": faults.reset,
    "closed without an answer": faults.close_without_a_word,
    "truncated": faults.truncate,
    "dripping": faults.drip,
    "without an end": faults.without_end,
    "not HTTP": faults.not_http,
    "500": faults.answer(500, {"errors": ["1 error occurred:\n\t* internal error\n\n"]}),
    "502 of a gateway": faults.html(502),
    "503 sealed": faults.answer(503, {"errors": ["Vault is sealed"]}),
    "429": faults.answer(429, {"errors": ["rate limit quota exceeded"]}),
    "501 not initialised": faults.answer(501, {"errors": ["Vault is not initialized"]}),
    "200 HTML": faults.html(200),
    "404 HTML": faults.html(404),
    "403 HTML": faults.html(403),
    "half a JSON": faults.half_json,
    "200 with nothing": faults.answer(200, ""),
    "200 {}": faults.answer(200, {}),
    "200 null": faults.answer(200, "null"),
    "200 []": faults.answer(200, "[]"),
    "200 with data that is no object": faults.answer(200, {"data": {"data": "x", "metadata": {"version": 9}}}),
    "200 with null data": faults.answer(200, {"data": {"data": None, "metadata": None}}),
    "200 without metadata": faults.answer(200, {"data": {"data": {"value": "wrong"}}}),
    "200 with errors": faults.answer(200, {"errors": []}),
    "204": faults.answer(204, ""),
    "404 with a message": faults.answer(404, {"errors": ['no handler for route "kv/data/x". route entry not found.']}),
    "404 with nothing": faults.answer(404, ""),
    "404 {}": faults.answer(404, {}),
    "400": faults.answer(400, {"errors": ["something about the request"]}),
    "redirected elsewhere": faults.redirect_to(THIEF.url),
}


@pytest.fixture(scope="module")
def faulty(bao_server, tmp_path_factory):
    """One Airlock for all faults: each has to leave it as it was."""
    import servers

    folder = tmp_path_factory.mktemp("faulty")

    def start(*arguments, **options):
        return servers.start_airlock(folder, *arguments, **options)

    front = Front(bao_server, folder, start, kwargs={"timeout": 1}).start()
    yield front
    front.end()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("what", ["everything", "reads"])
def test_a_fault_is_stale_for_what_was_read_503_for_the_rest_and_leaves_nothing_behind(faulty, fault, what):
    if what == "reads":
        if fault is faults.refuse:
            pytest.skip("a door is closed for all or for none")
        fault = faults.only(lambda request: request.kind == "read", fault)
    name = f"connections/{time.monotonic_ns()}"
    faulty.upstream.write(f"{name}/known", {"value": "before"})
    faulty.upstream.write(f"{name}/unread", {"value": "unread"})
    assert value(faulty.read(f"{name}/known")) == "before"
    assert faulty.read(f"{name}/absent").status == 404

    with faulty.proxy.failing(fault):
        faulty.invalidate(mount="airflow")
        for _ in range(4):  # before the breaker opens, and after
            known = faulty.read(f"{name}/known")
            assert (value(known), outcome(known)) == ("before", "STALE")
            refused_at_once(faulty, f"{name}/unread")
            absent = faulty.read(f"{name}/absent")
            assert (absent.status, outcome(absent)) == (404, "STALE")
        assert faulty.client.get("/v1/sys/health").status == 200
        faulty.upstream.write(f"{name}/known", {"value": "after"})

    answer = wait_until(lambda: outcome(answer := faulty.read(f"{name}/known")) != "STALE" and answer, "it is over")
    assert value(answer) == "after"
    answer = faulty.read(f"{name}/unread")
    assert (value(answer), outcome(answer)) == ("unread", "MISS")
    assert faulty.read(f"{name}/absent").body == b'{"errors":[]}\n'
    assert THIEF.requests == [], "a redirect was followed elsewhere"


@pytest.mark.parametrize("fault", ["hanging", "500", "200 HTML", "half a JSON", "200 {}", "403 HTML", "redirected elsewhere"])
def test_a_fault_at_the_first_login_is_503_and_not_the_end(front, fault):
    front = front(kwargs={"timeout": 1})
    front.upstream.write("connections/pg", {"value": "one"})
    with front.proxy.failing(faults.only(lambda request: request.kind == "login", FAULTS[fault])):
        for _ in range(3):
            refused_at_once(front, "connections/pg")
    answer = wait_until(lambda: (answer := front.read("connections/pg")).status == 200 and answer, "it is over")
    assert value(answer) == "one"
    assert THIEF.requests == []


@pytest.mark.parametrize("fault", ["refused", "hanging", "reset", "truncated", "500", "503 sealed", "200 HTML"])
def test_a_write_that_may_not_have_arrived_is_an_error_and_the_cache_is_not_believed_after_it(front, fault):
    front = front(kwargs={"timeout": 1})
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    with front.proxy.failing(FAULTS[fault]):
        answer = front.client.post("/v1/airflow/data/connections/pg", {"data": {"value": "two"}})
        assert answer.status in (500, 502, 503) and answer.errors, answer
    direct = done(front.upstream.client.get("/v1/" + front.upstream.path("connections/pg"))).data["data"]["value"]
    seen = wait_until(lambda: (answer := front.read("connections/pg")).status == 200
                      and outcome(answer) != "STALE" and answer, "it is over")
    assert value(seen) == direct  # `truncated` has written it


def test_a_storm_of_faults_under_load_gives_right_values_or_503_and_nothing_else(front, long):
    """Faults come and go while clients read what was read before and what was not; every 200 holds the right value."""
    front = front(ttl="1s", negative_ttl="1s", kwargs={"timeout": 1})
    names = [f"connections/c{n}" for n in range(30)]
    for name in names:
        front.upstream.write(name, {"value": f"right {name}"})
    for name in names[:10]:
        assert front.read(name).status == 200
    ending, wrong, kinds = threading.Event(), [], set()

    def read(n):
        client = Connection(front.airlock)
        while not ending.is_set():
            for name in names[n:] + names[:n]:
                answer = front.read(name, client)
                if answer.status == 200 and answer.data["data"]["value"] == f"right {name}":
                    kinds.add(outcome(answer))
                elif answer.status == 503 and name not in names[:10]:
                    kinds.add("503")
                else:
                    wrong.append(f"{name}: {answer.status}")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read, n) for n in range(6)]
        for fault in list(FAULTS.values()) * (5 if long else 1):
            with front.proxy.failing(fault):
                time.sleep(0.25)
            time.sleep(0.05)
        ending.set()
        for reader in readers:
            reader.result(30)
    assert wrong == []
    assert {"HIT", "STALE", "503"} <= kinds
    for name in names:
        wait_until(lambda: outcome(front.read(name)) in ("HIT", "MISS"), f"{name} is fresh again")


# Airlock's own token


def test_a_revoked_upstream_token_is_an_outage_that_a_new_token_in_the_file_ends(front, tmp_path):
    front = front(start=False, ttl="1s", kwargs={"auth_type": "token", "role_id": None, "secret_id": None,
                                                 "token_path": str(tmp_path / "upstream-token")})

    def put_token():
        made = done(front.upstream.client.post("/v1/auth/token/create", {"policies": ["airlock"], "period": "1h"}))
        (tmp_path / "upstream-token").write_text(made.json["auth"]["client_token"] + "\n")
        return made.json["auth"]["client_token"]

    first = put_token()
    front.start()
    names = [f"connections/c{n}" for n in range(5)]
    for name in names:
        front.upstream.write(name, {"value": name})
        assert value(front.read(name)) == name
    entries = state_of(front)["entries"]
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": first}))
    for name in names:
        answer = wait_until(lambda: outcome(answer := front.read(name)) == "STALE" and answer, "the ttl is over")
        assert value(answer) == name
    refused_at_once(front)
    assert state_of(front)["entries"] == entries, "something was evicted"
    assert "does not accept the token" in state_of(front)["upstreams"][0]["reason"]
    assert front.metric("airlock_upstream_up") == 0
    assert "unauthenticated" in done(front.client.get("/v1/sys/metrics")).text, "no metric says why"
    put_token()
    for name in names:
        wait_until(lambda: outcome(front.read(name)) in ("HIT", "MISS"), "the new token is used")


def state_of(front):
    return done(front.client.get("/v1/sys/airlock/cache")).data["airflow/"]


def test_a_token_that_openbao_forgot_is_replaced_by_a_new_login_and_nobody_notices(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    [login] = front.proxy.seen("login")
    used = front.proxy.seen("read")[-1].headers["x-vault-token"]
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": used}))
    front.upstream.write("connections/pg", {"value": "two"})
    front.invalidate(mount="airflow")
    answer = front.read("connections/pg")
    assert (value(answer), outcome(answer)) == ("two", "MISS")
    assert front.proxy.count("login") == 2


def test_a_secret_id_is_read_from_its_file_again_at_each_login(front, tmp_path):
    file = tmp_path / "secret-id"
    front = front(start=False, kwargs={"secret_id": None, "secret_id_path": str(file)})
    file.write_text("of-another-age\n")
    front.start()
    front.upstream.write("connections/pg", {"value": "one"})
    refused_at_once(front, "connections/pg")
    file.write_text(front.upstream.secret_id + "\n")
    answer = wait_until(lambda: (answer := front.read("connections/pg")).status == 200 and answer, "the file is read again")
    assert value(answer) == "one"
