"""An answer from the cache: who may have it, what it says about itself, and what its reader may ask of it."""

import time

import pytest

import fault_proxy as faults
from front import READER, done, outcome, value
from servers import wait_until

NO_CACHE = {"Cache-Control": "no-cache"}


# Who may have an answer


def test_policies_count_before_the_cache(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    elsewhere = front.token('path "airflow/data/variables/*" { capabilities = ["read"] }')
    cached = front.read("connections/pg", token=elsewhere)
    unknown = front.read("connections/never", token=elsewhere)
    assert cached.status == unknown.status == 403
    assert cached.body == unknown.body
    differing = {"Date", "date", "Content-Length"}
    assert {name for name in cached.headers if name not in differing} == {
        name for name in unknown.headers if name not in differing}
    assert front.read("connections/pg", token="no-such-token").status == 403
    assert front.proxy.count("read") == 1, "OpenBao was asked for somebody who may not read"


def test_a_policy_taken_away_counts_for_the_next_read_of_a_cached_value(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    token = front.token(READER)
    assert value(front.read("connections/pg", token=token)) == "one"
    done(front.client.put("/v1/sys/policies/acl/limited", {"policy": 'path "other/*" { capabilities = ["read"] }'}))
    assert front.read("connections/pg", token=token).status == 403


def test_what_the_upstream_denies_airlock_is_403_and_drops_what_was_cached(front):
    front = front()
    front.upstream.client.post(f"/v1/{front.upstream.mount}/data/forbidden/x", {"data": {"value": "no"}})
    denied = front.read("forbidden/x")
    assert denied.status == 403 and front.read("forbidden/x").status == 403
    front.upstream.write("connections/pg", {"value": "one"})
    assert value(front.read("connections/pg")) == "one"
    assert front.metric("airlock_reads_total", outcome="STALE") == 0


# What the answer says


def test_x_cache_and_age_are_true(front):
    front = front(ttl="3s")
    front.upstream.write("connections/pg", {"value": "one"})
    before = time.monotonic()
    first = front.read("connections/pg")
    fetched = time.monotonic()
    assert (outcome(first), first.headers["Age"]) == ("MISS", "0")

    def check(answer, expected, begun):
        assert outcome(answer) == expected
        age = int(answer.headers["Age"])
        assert int(begun - fetched) <= age <= time.monotonic() - before, (age, begun - fetched)
        return age

    with front.proxy.failing(faults.refuse):  # nothing is refreshed ahead
        while time.monotonic() < fetched + 1.2:
            time.sleep(0.02)
        begun = time.monotonic()
        assert check(front.read("connections/pg"), "HIT", begun) >= 1
        wait_until(lambda: outcome(front.read("connections/pg")) == "STALE", "ttl is over")
        begun = time.monotonic()
        assert begun - fetched >= 2.9
        assert check(front.read("connections/pg"), "STALE", begun) >= 3


def test_reads_of_secrets_alone_carry_x_cache(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    assert "X-Cache" not in front.client.get("/v1/sys/health").headers
    assert outcome(front.read("connections/pg")) == "MISS"
    assert outcome(front.read("connections/never")) == "MISS"


@pytest.mark.parametrize("directives, expected, reads", [
    ("max-age=60", "HIT", 0), ("max-age=0", "MISS", 1), ("no-cache", "BYPASS", 1), ("only-if-cached", "HIT", 0),
    ("no-store, max-age=\"60\"", "HIT", 0)])
def test_a_directive_decides_whether_a_fresh_entry_is_good_enough(front, directives, expected, reads):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    front.read("connections/pg")
    wait_until(lambda: front.read("connections/pg").headers["Age"] == "1", "the entry is a second old")
    front.proxy.forget()
    answer = front.read("connections/pg", headers={"Cache-Control": directives})
    assert (value(answer), outcome(answer), front.proxy.count("read")) == ("one", expected, reads)


def test_only_if_cached_without_an_entry_is_504_and_asks_nobody(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    front.proxy.forget()
    answer = front.read("connections/pg", headers={"Cache-Control": "only-if-cached"})
    assert answer.status == 504 and len(answer.errors) == 1
    assert front.proxy.count("read") == 0


def test_max_stale_takes_a_stale_entry_without_asking_and_not_an_older_one(front):
    front = front(ttl="1s")
    front.upstream.write("connections/pg", {"value": "old"})
    front.read("connections/pg")
    front.upstream.write("connections/pg", {"value": "new"})
    stale = {"Cache-Control": "max-stale=600"}
    with front.proxy.failing(faults.refuse):  # nothing is refreshed ahead
        wait_until(lambda: outcome(front.read("connections/pg", headers=stale)) == "STALE", "ttl is over")
    front.proxy.forget()
    answer = wait_until(
        lambda: int((answer := front.read("connections/pg", headers=stale)).headers["Age"]) >= 3 and answer, "it ages")
    assert (value(answer), outcome(answer), front.proxy.count("read")) == ("old", "STALE", 0)
    narrow = {"Cache-Control": "max-stale=1"}
    answer = wait_until(
        lambda: outcome(answer := front.read("connections/pg", headers=narrow)) != "STALE" and answer, "it is asked for")
    assert value(answer) == "new"


def test_directives_of_a_principal_without_the_right_are_ignored(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    plain = front.token(READER, "plain")
    allowed = front.token(
        READER + '\npath "sys/airlock/cache-control" { capabilities = ["update"] }', "allowed")
    front.read("connections/pg")
    assert outcome(front.read("connections/pg", token=plain, headers=NO_CACHE)) == "HIT"
    assert outcome(front.read("connections/pg", token=allowed, headers=NO_CACHE)) == "BYPASS"
    only = {"Cache-Control": "only-if-cached"}
    assert front.read("connections/never", token=plain, headers=only).status == 404
    assert front.read("connections/nor-this", token=allowed, headers=only).status == 504


def test_the_administration_of_the_cache_needs_a_right(front):
    front = front()
    token = front.token(READER)
    for method, path in [
        ("GET", "sys/airlock/cache"), ("POST", "sys/airlock/cache/purge"), ("POST", "sys/airlock/cache/refresh"),
        ("POST", "sys/airlock/invalidate"),
    ]:
        answer = front.client.send(method, f"/v1/{path}", {"path": "airflow/connections/pg"}, token=token)
        assert answer.status == 403, path
        assert front.client.send(method, f"/v1/{path}", {"path": "airflow/connections/pg"}, token=None).status == 403
