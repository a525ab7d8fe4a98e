"""The read-through cache between clients and a real OpenBao: how often OpenBao is asked, how old an answer can be, who may
have one, and what the answer says about itself. docs/caching.md promises it; here it is shown."""

import concurrent.futures
import itertools
import threading
import time

import pytest

import fault_proxy as faults
from front import READER, Front, at_once, done, outcome, value
from raft_openbao import RaftOpenBao
from servers import wait_until
from wire import Connection

ABSENT = b'{"errors":[]}\n'
NO_CACHE = {"Cache-Control": "no-cache"}


# How often OpenBao is asked


def test_300_lookups_by_fresh_airflow_clients_are_one_login_and_one_read_upstream(tmp_path, start_airlock):
    bao = RaftOpenBao(tmp_path / "bao")  # for its own log of what it was asked
    try:
        front = Front(bao, tmp_path, start_airlock, behind_proxy=False).start()
        front.upstream.write("connections/pg", {"conn_uri": "postgres://etl:p%40ss@db.example.com:5432/x"})
        approle = front.approle()
        before = len(bao.audited("update", "auth/approle/login"))
        assert front.look_up(tmp_path, approle, 300, "pg") == {"pg": {"db.example.com": 300}}
        assert len(bao.audited("update", "auth/approle/login")) - before == 1
        assert bao.audited("read", front.upstream.path("connections/pg")) == [
            ("read", front.upstream.path("connections/pg"))]
        assert front.metric("airlock_logins_total", result="ok") >= 300, "the clients were not fresh"
        front.stop()
    finally:
        bao.stop()


def test_200_concurrent_misses_on_one_path_are_one_read_upstream(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    front.read("connections/other")  # Airlock has logged in
    front.proxy.forget()
    with front.proxy.failing(faults.late(1.5)):
        answers = at_once(200, lambda n: front.read("connections/pg", Connection(front.airlock)))
    assert {value(answer) for answer in answers} == {"one"}
    assert front.proxy.count("read") == 1
    assert front.metric("airlock_reads_coalesced_total") > 0


def test_concurrent_first_reads_of_many_paths_share_one_login(front):
    front = front()
    for n in range(20):
        front.upstream.write(f"connections/c{n}", {"value": str(n)})
    with front.proxy.failing(faults.late(0.5)):
        answers = at_once(20, lambda n: front.read(f"connections/c{n}", Connection(front.airlock)))
    assert [value(answer) for answer in answers] == [str(n) for n in range(20)]
    assert front.proxy.count("login") == 1 and front.proxy.count("read") == 20


def test_a_read_goes_on_for_the_others_when_the_client_that_began_it_goes_away(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    front.read("connections/other")
    front.proxy.forget()
    asked = threading.Event()
    with front.proxy.failing(faults.held(holding=asked)):
        first = Connection(front.airlock)
        first.http.putrequest("GET", "/v1/airflow/data/connections/pg")
        first.http.putheader("X-Vault-Token", front.airlock.token)
        first.http.endheaders()
        assert asked.wait(10)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            second = pool.submit(front.read, "connections/pg", Connection(front.airlock))
            first.close()
            front.proxy.released.set()
            assert value(second.result(20)) == "one"
    assert front.proxy.count("read") == 1


# How old an answer can be


def test_a_write_behind_airlocks_back_is_seen_within_ttl(front):
    front = front(ttl="1s")
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    front.upstream.write("connections/pg", {"value": "new"})
    written = time.monotonic()
    while True:
        begun = time.monotonic()
        seen = value(front.read("connections/pg"))
        if begun > written + 1:
            break
        assert seen in ("old", "new")
    assert seen == "new", "a read begun more than ttl after the write was answered with what was there before it"


def test_no_cache_shows_a_write_behind_airlocks_back_at_once_and_to_everybody(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    front.upstream.write("connections/pg", {"value": "new"})
    assert (value(front.read("connections/pg")), outcome(front.read("connections/pg"))) == ("old", "HIT")
    asked = front.read("connections/pg", headers=NO_CACHE)
    assert (value(asked), outcome(asked), asked.headers["Age"]) == ("new", "BYPASS", "0")
    after = front.read("connections/pg")
    assert (value(after), outcome(after)) == ("new", "HIT")


@pytest.mark.parametrize("scope", [
    {"path": "airflow/connections/pg"}, {"prefix": "airflow/connections/"}, {"mount": "airflow"}],
    ids=["by path", "by prefix", "by mount"])
def test_an_invalidation_shows_a_write_behind_airlocks_back_at_once(front, scope):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    front.upstream.write("connectionsaside/x", {"value": "aside"})
    assert value(front.read("connections/pg")) == "old"
    assert value(front.read("connectionsaside/x")) == "aside"
    front.upstream.write("connections/pg", {"value": "new"})
    front.invalidate(**scope)
    after = front.read("connections/pg")
    assert (value(after), outcome(after)) == ("new", "MISS")
    aside = outcome(front.read("connectionsaside/x"))
    assert aside == ("MISS" if "mount" in scope else "HIT")


def test_what_is_invalidated_is_still_served_stale_when_the_upstream_is_down(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    with front.proxy.failing(faults.refuse):
        front.invalidate(path="airflow/connections/pg")
        after = front.read("connections/pg")
        assert (value(after), outcome(after)) == ("old", "STALE")


def test_only_a_purge_deletes(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    with front.proxy.failing(faults.refuse):
        done(front.client.post("/v1/sys/airlock/cache/purge", {"path": "airflow/connections/pg"}))
        assert front.read("connections/pg").status == 503


def test_a_refresh_fetches_now(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    front.upstream.write("connections/pg", {"value": "new"})
    done(front.client.post("/v1/sys/airlock/cache/refresh", {"path": "airflow/connections/pg"}))
    after = front.read("connections/pg")
    assert (value(after), outcome(after)) == ("new", "HIT")


def test_what_is_in_use_is_refreshed_before_its_ttl_is_over(front):
    """Nobody who reads often waits for OpenBao again: each answer is a hit, though ttl passes twice."""
    front = front(ttl="4s")  # the refresh may come 160 ms before its end
    front.upstream.write("connections/pg", {"value": "one"})
    assert outcome(front.read("connections/pg")) == "MISS"
    deadline, outcomes = time.monotonic() + 9, set()
    while time.monotonic() < deadline:
        outcomes.add(outcome(front.read("connections/pg")))
        time.sleep(0.02)
    assert outcomes == {"HIT"}
    assert 3 <= front.proxy.count("read") <= 6


def test_under_rotation_no_reader_sees_an_older_version_after_a_newer_or_after_a_write_was_answered(front, long):
    front = front(ttl="1s")
    token = front.token(READER + '\npath "sys/airlock/cache-control" { capabilities = ["update"] }')
    front.write("connections/pg", {"value": "0"})
    answered, ending, seen, failures = [0], threading.Event(), [], []

    def read(headers):
        client, newest = Connection(front.airlock, token=token), 0
        while not ending.is_set():
            least = max(newest, answered[0])
            got = int(value(front.read("connections/pg", client, headers=headers)))
            if got < least:
                failures.append(f"{got} after {least}")
                return
            newest = got
            seen.append(got)

    readers = [threading.Thread(target=read, args=[NO_CACHE if n < 2 else {}]) for n in range(8)]
    for reader in readers:
        reader.start()
    deadline, version = time.monotonic() + (60 if long else 6), itertools.count(1)
    while time.monotonic() < deadline and not failures:
        front.upstream.write("connections/pg", {"value": str(next(version))})
        time.sleep(0.05)
        number = next(version)
        front.write("connections/pg", {"value": str(number)})
        answered[0] = number
        time.sleep(0.05)
    ending.set()
    for reader in readers:
        reader.join(20)
    assert failures == []
    assert len(set(seen)) > 5 and any(number % 2 for number in seen), "too little was rotated to show anything"


@pytest.mark.parametrize("change", ["a write through Airlock", "a delete through Airlock", "an invalidation", "a purge"])
def test_the_answer_of_a_fetch_begun_before_a_change_is_never_kept_after_it(front, change):
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    front.read("connections/other")
    asked = threading.Event()
    slow = faults.held(only=lambda request: request.kind == "read" and not asked.is_set(), holding=asked)
    with front.proxy.failing(slow), concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(front.read, "connections/pg", Connection(front.airlock))
        assert asked.wait(10)
        if change == "a write through Airlock":
            front.write("connections/pg", {"value": "new"})
        elif change == "a delete through Airlock":
            done(front.client.delete("/v1/airflow/data/connections/pg"))
        else:
            front.upstream.write("connections/pg", {"value": "new"})
            path = {"path": "airflow/connections/pg"}
            done(front.client.post(
                "/v1/sys/airlock/cache/purge" if change == "a purge" else "/v1/sys/airlock/invalidate", path))
        meanwhile = front.read("connections/pg")
        front.proxy.released.set()
        reader.result(20)  # who began before the change may get what was there before it
    for answer in [meanwhile, front.read("connections/pg"), front.read("connections/pg")]:
        if change == "a delete through Airlock":
            assert (answer.status, answer.data["data"]) == (404, None)
        else:
            assert value(answer) == "new"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("change", ["made", "changed", "deleted"])
def test_a_slow_answer_never_replaces_the_answer_to_a_later_question(front, version, change):
    front = front(version=version)
    if change != "made":
        front.upstream.write("connections/pg", {"value": "old"})
    front.read("connections/other")
    asked = threading.Event()
    slow = faults.held(only=lambda request: request.kind == "read" and not asked.is_set(), holding=asked)
    with front.proxy.failing(slow), concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(front.read, "connections/pg", Connection(front.airlock))
        assert asked.wait(10)
        if change == "deleted":
            front.upstream.delete("connections/pg")
        else:
            front.upstream.write("connections/pg", {"value": "new"})
        later = front.read("connections/pg", headers=NO_CACHE)
        front.proxy.released.set()
        reader.result(20)
    for answer in [later, front.read("connections/pg")]:
        if change == "deleted":
            assert answer.status == 404, "what was deleted is back"
        else:
            assert answer.status == 200 and value(answer) == "new"


def test_a_lagging_replica_never_takes_a_reader_back(front):
    """What an older replica answers is no answer while a newer version is known."""
    front = front()
    front.upstream.write("connections/pg", {"value": "old"})
    lagging = Connection(front.upstream.bao).get("/v1/" + front.upstream.path("connections/pg")).text
    front.upstream.write("connections/pg", {"value": "new"})
    assert value(front.read("connections/pg")) == "new"
    with front.proxy.failing(faults.only(lambda request: request.kind == "read", faults.answer(200, lagging))):
        front.invalidate(path="airflow/connections/pg")
        for headers in [{}, NO_CACHE]:
            answer = front.read("connections/pg", headers=headers)
            assert (value(answer), outcome(answer)) == ("new", "STALE")
    after = front.read("connections/pg")
    assert (value(after), outcome(after)) == ("new", "MISS")


def test_a_key_that_was_deleted_whole_and_made_again_is_seen_though_its_versions_start_again(front):
    front = front()
    for text in ["a", "b", "c"]:
        front.upstream.write("connections/pg", {"value": text})
    assert value(front.read("connections/pg")) == "c"
    done(front.upstream.client.delete(f"/v1/{front.upstream.mount}/metadata/connections/pg"))
    front.upstream.write("connections/pg", {"value": "again"})
    assert value(front.read("connections/pg", headers=NO_CACHE)) == "again"
    assert value(front.read("connections/pg")) == "again"


# What is not there


def test_absent_is_remembered_for_negative_ttl_and_answered_exactly_as_vault_does(front):
    front = front(negative_ttl="1s")
    first = front.read("connections/pg")
    assert (first.status, first.body, outcome(first)) == (404, ABSENT, "MISS")
    second = front.read("connections/pg")
    assert (second.status, second.body, outcome(second)) == (404, ABSENT, "NEGATIVE")
    assert front.proxy.count("read") == 1
    front.upstream.write("connections/pg", {"value": "here now"})
    written = time.monotonic()
    while True:
        begun = time.monotonic()
        found = front.read("connections/pg")
        if found.status == 200 or begun > written + 1:
            break
    assert value(found) == "here now", "a read begun more than negative_ttl after the write was answered with nothing"


def test_a_write_through_airlock_ends_a_negative_answer_before_it_is_answered_itself(front):
    front = front()
    assert front.read("connections/pg").status == 404
    assert outcome(front.read("connections/pg")) == "NEGATIVE"
    front.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"


def test_an_expired_negative_answer_serves_an_outage_too(front):
    front = front(negative_ttl="1s")
    assert front.read("connections/pg").status == 404
    with front.proxy.failing(faults.refuse):
        answer = wait_until(
            lambda: outcome(answer := front.read("connections/pg")) != "NEGATIVE" and answer, "negative_ttl is over")
        assert (answer.status, answer.body, outcome(answer)) == (404, ABSENT, "STALE")


def test_a_deleted_version_keeps_its_404_with_metadata_fresh_and_stale(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    front.upstream.delete("connections/pg")
    direct = front.upstream.client.get("/v1/" + front.upstream.path("connections/pg"))
    answers = [front.read("connections/pg"), front.read("connections/pg")]
    with front.proxy.failing(faults.refuse):
        front.invalidate(mount="airflow")
        answers.append(front.read("connections/pg"))
    assert [outcome(answer) for answer in answers] == ["MISS", "HIT", "STALE"]
    for answer in answers:
        assert answer.status == direct.status == 404
        assert answer.data == direct.data and answer.data["data"] is None
