"""What the read-through cache leaves on the disk: nothing that can be read, and nothing that can be altered unnoticed."""

import contextlib
import sqlite3

import pytest

import fault_proxy as faults
from front import done, outcome, value
from servers import wait_until
from test_canary import CANARY, find
from wire import Connection

PATHS = ["connections/pg", "connections/lake"]
BOOKKEEPING = ["id", "negative", "expired", "fetched", "used", "size"]  # decide no answer (schema.sql)
BOUND = ["term", "sealed"]
NAMES = ["mount", "path", "version"]  # under which an entry is looked for


@contextlib.contextmanager
def entries(front):
    """The stopped Airlock's cache, all of it in the one file."""
    connection = sqlite3.connect(front.airlock.data / "cache.db")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield connection
        connection.commit()
    finally:
        connection.close()


def flipped(content):
    if isinstance(content, bytes):
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
    if isinstance(content, str):
        return content[:-1] + chr(ord(content[-1]) ^ 1) if content else "1"
    return content ^ 1


@pytest.fixture
def cached(front):
    """Two values in the cache of an Airlock that is stopped."""
    front = front()
    for path in PATHS:
        front.upstream.write(path, {"value": f"of {path}"})
        assert value(front.read(path)) == f"of {path}"
    front.proxy.forget()
    front.stop()
    with entries(front) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (len(PATHS),)
    return front


def test_cached_values_outlive_a_restart_with_their_age(cached):
    with cached.proxy.failing(faults.refuse):
        cached.start()
        answers = [cached.read(path) for path in PATHS]
    assert [value(answer) for answer in answers] == [f"of {path}" for path in PATHS]
    assert {outcome(answer) for answer in answers} == {"HIT"}
    assert cached.metric("airlock_cache_rejected_total") == 0


def test_every_column_of_an_entry_is_altered_by_one_of_these_tests(cached):
    with entries(cached) as connection:
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(entry)")]
    assert sorted(columns) == sorted([*BOOKKEEPING, *BOUND, *NAMES, "identity"])


def flip(cached, column):
    with entries(cached) as connection:
        for number, content in connection.execute(f"SELECT id, {column} FROM entry ORDER BY id DESC").fetchall():
            connection.execute(f"UPDATE entry SET {column} = ? WHERE id = ?", [flipped(content), number])
            if column == "id":
                break  # the other one has that number


@pytest.mark.parametrize("column", BOUND)
def test_one_flipped_byte_in_a_column_that_decides_an_answer_is_rejected_refetched_and_counted(cached, column):
    flip(cached, column)
    cached.start()
    answers = [cached.read(path) for path in PATHS]
    assert [(value(answer), outcome(answer)) for answer in answers] == [(f"of {path}", "MISS") for path in PATHS]
    assert cached.proxy.count("read") == len(PATHS)
    assert cached.metric("airlock_cache_rejected_total", mount="airflow/") == len(PATHS)


@pytest.mark.parametrize("column", NAMES)
def test_an_entry_under_another_name_is_no_answer_there_either(cached, column):
    flip(cached, column)
    cached.start()
    if column == "path":
        answer = cached.read(flipped(PATHS[0]))
        assert (answer.status, outcome(answer)) == (404, "MISS")
        assert cached.metric("airlock_cache_rejected_total") == 1
    if column == "version":
        with cached.proxy.failing(faults.refuse):
            assert cached.read(PATHS[0] + "?version=1").status == 503
        assert cached.metric("airlock_cache_rejected_total") == 1
    for path in PATHS:
        answer = wait_until(lambda: (answer := cached.read(path)).status == 200 and answer, "the upstream is asked again")
        assert (value(answer), outcome(answer)) == (f"of {path}", "MISS")


@pytest.mark.parametrize("column", BOOKKEEPING)
def test_one_flipped_byte_in_a_bookkeeping_column_changes_no_answer(cached, column):
    flip(cached, column)
    cached.start()
    answers = [cached.read(path) for path in PATHS]
    assert [(value(answer), outcome(answer)) for answer in answers] == [(f"of {path}", "HIT") for path in PATHS]


def test_the_name_of_the_upstream_in_the_file_is_not_believed(cached):
    """The seal is bound to the vault of the configuration; the column only tells an invalidation what to open."""
    flip(cached, "identity")
    cached.start()
    assert [value(cached.read(path)) for path in PATHS] == [f"of {path}" for path in PATHS]
    cached.invalidate(mount="airflow")
    assert cached.metric("airlock_cache_rejected_total", mount="airflow/") == len(PATHS)
    assert [outcome(cached.read(path)) for path in PATHS] == ["MISS", "MISS"]


def test_a_time_set_forward_in_the_file_makes_nothing_fresher(cached):
    with entries(cached) as connection:
        connection.execute("UPDATE entry SET fetched = fetched + 1000000000 * 3600, used = used + 1000000000 * 3600")
    cached.mount["ttl"] = "1s"
    with cached.proxy.failing(faults.refuse):
        cached.start()
        answer = wait_until(lambda: outcome(answer := cached.read(PATHS[0])) == "STALE" and answer, "the ttl is over", 5)
        assert 1 <= int(answer.headers["Age"]) < 60


def test_an_altered_entry_is_no_answer_in_an_outage_either(cached):
    flip(cached, "sealed")
    with cached.proxy.failing(faults.refuse):
        cached.start()
        assert [cached.read(path).status for path in PATHS] == [503, 503]


def test_two_swapped_rows_are_rejected_refetched_and_counted(cached):
    with entries(cached) as connection:
        one, two = connection.execute("SELECT id, term, sealed, size, fetched, used FROM entry").fetchall()
        for number, content in [(one[0], two[1:]), (two[0], one[1:])]:
            connection.execute(
                "UPDATE entry SET term = ?, sealed = ?, size = ?, fetched = ?, used = ? WHERE id = ?", [*content, number])
    cached.start()
    answers = [cached.read(path) for path in PATHS]
    assert [(value(answer), outcome(answer)) for answer in answers] == [(f"of {path}", "MISS") for path in PATHS]
    assert cached.metric("airlock_cache_rejected_total", mount="airflow/") == 2


def test_an_older_answer_put_back_has_its_own_age(cached):
    """A row of yesterday opens, for it was right once; it cannot pass for fresher than it was."""
    with entries(cached) as connection:
        rows = connection.execute("SELECT id, sealed, size FROM entry").fetchall()
    cached.mount["ttl"] = "2s"
    cached.start()
    wait_until(lambda: int(cached.read(PATHS[0]).headers["Age"]) >= 1, "time passes")
    assert value(cached.read(PATHS[0], headers={"Cache-Control": "no-cache"})) == f"of {PATHS[0]}"
    cached.stop()
    with entries(cached) as connection:
        for number, sealed, size in rows:
            connection.execute("UPDATE entry SET sealed = ?, size = ? WHERE path = ?", [sealed, size, PATHS[number - 1]])
    with cached.proxy.failing(faults.refuse):
        cached.start()
        answer = wait_until(lambda: outcome(answer := cached.read(PATHS[0])) == "STALE" and answer, "the ttl is over", 5)
        assert int(answer.headers["Age"]) >= 2


@pytest.mark.parametrize("change", ["url", "mount_point", "namespace"])
def test_what_was_fetched_from_another_upstream_is_not_served(cached, change):
    other = faults.FaultProxy(cached.upstream.bao.host_and_port)
    kwargs = cached.mount["kwargs"]
    if change == "url":
        kwargs["url"] = other.url
    elif change == "mount_point":
        kwargs["mount_point"] = "secret"
    else:
        kwargs["namespace"] = "elsewhere"
    try:
        cached.start()
        answers = [cached.read(path) for path in PATHS]
        assert "HIT" not in {outcome(answer) for answer in answers}
        if change == "url":
            assert [value(answer) for answer in answers] == [f"of {path}" for path in PATHS]
            assert other.count("read") == len(PATHS)
            with other.failing(faults.refuse):
                cached.invalidate(mount="airflow")
                assert {outcome(cached.read(path)) for path in PATHS} == {"STALE"}
        else:
            assert {answer.status for answer in answers} <= {404, 503}, answers
    finally:
        other.close()


def test_a_cache_that_is_no_database_is_made_anew(cached):
    (cached.airlock.data / "cache.db").write_bytes(b"no database at all" * 1000)
    for file in cached.airlock.data.glob("cache.db-*"):
        file.unlink()
    cached.start()
    answer = cached.read(PATHS[0])
    assert (value(answer), outcome(answer)) == (f"of {PATHS[0]}", "MISS")
    assert outcome(cached.read(PATHS[0])) == "HIT"


def test_a_cache_that_is_lost_costs_a_read_each_and_the_file_is_private(cached):
    for file in cached.airlock.data.glob("cache.db*"):
        file.unlink()
    cached.start()
    assert [outcome(cached.read(path)) for path in PATHS] == ["MISS", "MISS"]
    assert {oct(file.stat().st_mode & 0o777) for file in cached.airlock.data.glob("cache.db*")} == {"0o600"}


def test_an_airlock_that_was_killed_still_has_what_it_had_answered(front, tmp_path):
    front = front()
    for n in range(20):
        front.upstream.write(f"connections/c{n}", {"value": str(n)})
        assert value(front.read(f"connections/c{n}")) == str(n)
    front.airlock.kill()
    with front.proxy.failing(faults.refuse):
        front.start()
        assert [value(front.read(f"connections/c{n}")) for n in range(20)] == [str(n) for n in range(20)]


def test_what_was_sealed_with_an_earlier_data_key_still_opens(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "before"})
    assert value(front.read("connections/pg")) == "before"
    done(front.client.post("/v1/sys/rotate", {}))
    front.upstream.write("connections/lake", {"value": "after"})
    assert value(front.read("connections/lake")) == "after"
    with front.proxy.failing(faults.refuse):
        front.restart()
        assert [value(front.read(f"connections/{name}")) for name in ["pg", "lake"]] == ["before", "after"]
    assert front.metric("airlock_cache_rejected_total") == 0


def test_the_limit_of_entries_is_kept_by_dropping_what_was_not_used_for_longest(front):
    front = front(cache_entries=10)
    for n in range(30):
        front.upstream.write(f"connections/c{n}", {"value": str(n)})
        assert value(front.read(f"connections/c{n}")) == str(n)
        assert value(front.read("connections/c0")) == "0"
    with front.proxy.failing(faults.refuse):
        kept = {n for n in range(30) if front.read(f"connections/c{n}").status == 200}
    assert len(kept) == 10 and {0, 29} <= kept
    assert front.metric("airlock_cache_evicted_total", mount="airflow/") >= 20


def test_a_secret_of_two_megabytes_is_cached_and_one_above_the_limit_is_read_each_time(front):
    front = front(cache_bytes=3_000_000)
    for name, size in [("large", 2_000_000), ("larger", 4_000_000)]:
        front.upstream.write(f"connections/{name}", {"value": "x" * size})
        answers = [front.read(f"connections/{name}") for _ in range(2)]
        assert [len(value(answer)) for answer in answers] == [size, size]
        assert [outcome(answer) for answer in answers] == ["MISS", "HIT" if name == "large" else "MISS"]


# The canary


def test_nothing_secret_of_an_upstream_is_in_a_log_an_error_or_a_file(front, tmp_path):
    front = front(start=False, kwargs={"timeout": 1}).start(LOG_LEVEL="trace")
    client, upstream = front.client, front.upstream
    role_id, airflow_secret_id = front.approle()
    told = []
    for name in ["pg", "by-field"]:
        upstream.write(f"connections/{name}", {"value": CANARY, "extra": {"token": CANARY}})
        told.append(front.read(f"connections/{name}"))
    front.write("connections/through", {"value": CANARY})
    told.append(front.read("connections/through"))
    assert all(CANARY in answer.text for answer in told)
    login = done(Connection(front.airlock).post(
        "/v1/auth/approle/login", {"role_id": role_id, "secret_id": airflow_secret_id}, token=None))
    secrets = {
        "a fetched value": CANARY, "Airlock's secret id": upstream.secret_id, "Airflow's secret id": airflow_secret_id,
        "Airlock's upstream token": front.proxy.seen("read")[-1].headers["x-vault-token"],
        "a client's token": login.json["auth"]["client_token"], "the root token": front.airlock.token}
    assert secrets["Airlock's upstream token"].startswith("s.")

    silent = []
    echo = [faults.answer(500, {"errors": [CANARY]}), faults.answer(200, f'{{"data": "{CANARY}'),
            faults.answer(404, {"errors": [CANARY]}), faults.answer(403, {"errors": [CANARY]}), faults.half_json,
            faults.redirect_to(f"http://127.0.0.1:1/{CANARY}"), faults.truncate, faults.refuse]
    for fault in echo:
        with front.proxy.failing(fault):
            front.invalidate(mount="airflow")
            for _ in range(2):
                front.read("connections/pg")
                silent.append(front.read(f"connections/never-{CANARY[:3]}"))
            # Who writes gets the vault's own words, which may repeat what was sent.
            client.post("/v1/airflow/data/connections/x", {"data": {"value": CANARY}})
            client.post("/v1/airflow/data/connections/x", f'{{"data": {{"value": "{CANARY}"')
    silent += [
        client.get("/v1/sys/metrics"), client.get("/v1/sys/airlock/cache"), client.get("/v1/sys/mounts"),
        client.get("/v1/sys/mounts/airflow/tune"), client.get("/api/v2/explain/connections/pg?mount_point=airflow"),
        client.get("/v1/sys/internal/ui/mounts/airflow")]
    files = {path.name: path.read_bytes() for path in front.airlock.data.iterdir()}
    front.restart(LOG_LEVEL="trace")
    front.read("connections/pg")
    front.stop()
    files |= {f"{path.name}, stopped": path.read_bytes() for path in front.airlock.data.iterdir()}
    files |= {path.name: path.read_bytes() for path in tmp_path.glob("airlock.*.std*")}
    files |= {f"answer {n}": answer.body for n, answer in enumerate(silent)}
    assert {"cache.db", "store.db"} <= files.keys() and len(files["cache.db, stopped"]) > 4096
    assert any(name.endswith("stderr") and content for name, content in files.items())
    token = {"the root token": secrets.pop("the root token")}
    assert find(secrets, files) == []
    assert find(token, {name: content for name, content in files.items() if name != "root-token"}) == []
