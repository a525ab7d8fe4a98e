"""What an operator sees of Airlock in front of a real OpenBao: explanations, the state of the cache, metrics, and what an
invalidation does. A canary is every secret: none of it may occur in anything that is shown or logged."""

import hashlib
import hmac
import json
import re
import subprocess
import time

import pytest

import fault_proxy as faults
import servers
from front import READER, done, outcome
from servers import wait_until
from wire import Connection

CANARY = "CanarySingsInTheShaft"
SECRET = {"conn_uri": f"postgres://{CANARY}:{CANARY}@db.example.com:5432/{CANARY}"}
KEY = "of-the-webhook-0123456789abcdef0123456789"
UNDEFINED = "Airflow would say the conn_id isn't defined, because "


@pytest.fixture
def seen():
    """Everything that was shown."""
    return []


@pytest.fixture
def front(front, tmp_path, seen):
    """Airlock in front of OpenBao with a webhook, talkative; what it said and wrote to its log is searched at the end."""
    (tmp_path / "webhook-key").write_text(KEY + "\n")

    def make(**settings):
        made = front(start=False, **settings)
        made.config |= {"webhook_secret_file": str(tmp_path / "webhook-key")}
        return made.start(LOG_LEVEL="trace")

    yield make
    logs = [path.read_text(errors="replace") for path in tmp_path.glob("airlock.*.std*")]
    assert seen and any(logs)
    for text in seen + logs:
        assert CANARY not in text and KEY not in text


@pytest.fixture
def command(seen, tmp_path):
    def run(front, *arguments, token=None):
        environment = servers.clean_environment(
            tmp_path, AIRLOCK_ADDR=front.airlock.url, AIRLOCK_TOKEN=token or front.airlock.token)
        ended = subprocess.run(
            [servers.airlock_program(), *arguments], env=environment, capture_output=True, text=True, timeout=30)
        seen.append(ended.stdout + ended.stderr)
        return ended
    return run


@pytest.fixture
def explain(seen):
    def ask(front, connection="pg", **query):
        query = "&".join(f"{name}={text}" for name, text in ({"mount_point": "airflow"} | query).items())
        answer = done(front.client.get(f"/api/v2/explain/connections/{connection}?{query}"))
        seen.append(answer.text)
        return answer.json
    return ask


def the_one(explanation):
    [attempt] = explanation["tried"]
    return attempt["policy"]["verdict"], attempt["cache"]["state"], attempt["backend"]["answer"]


# Explain


def test_an_explanation_follows_a_connection_through_its_life(front, explain):
    front = front()
    front.upstream.write("connections/pg", SECRET)
    before = explain(front)
    assert the_one(before) == ("allowed", "none", "found") and before["found"] is True
    assert before["mount"] == {
        "path": "airflow/", "backend": "vault", "upstream": front.proxy.url, "kv_version": 2, "authorize": "local"}
    assert outcome(front.read("connections/pg")) == "MISS", "an explanation has stored something"
    assert the_one(explain(front)) == ("allowed", "fresh", "found")
    front.invalidate(mount="airflow")
    expired = explain(front)["tried"][0]["cache"]
    assert (expired["state"], expired["expired"]) == ("stale", True)

    with front.proxy.failing(faults.refuse):
        stale, cold = explain(front), explain(front, "cold")
        assert the_one(stale) == ("allowed", "stale", "unreachable") and stale["found"] is True
        assert stale["verdict"].startswith("Airflow would get this connection, from the cache, because the vault at")
        assert the_one(cold) == ("allowed", "none", "unreachable") and cold["found"] is False
        assert cold["verdict"].startswith(
            f"{UNDEFINED}the vault at {front.proxy.url} does not answer and nothing is cached: ")

    wait_until(lambda: explain(front)["tried"][0]["backend"]["answer"] == "found", "the vault is asked again")
    front.upstream.delete("connections/pg")
    assert explain(front)["verdict"] == f"{UNDEFINED}the latest version of airflow/data/connections/pg is deleted."
    assert explain(front, "never")["verdict"] == f"{UNDEFINED}there is nothing at airflow/data/connections/never."
    assert front.read("connections/never").status == 404
    assert the_one(explain(front, "never")) == ("allowed", "negative", "absent")


def test_an_explanation_tells_whose_right_is_missing(front, explain):
    front = front()
    front.upstream.write("connections/pg", SECRET)
    limited = front.token('path "airflow/data/other" { capabilities = ["read"] }')
    accessor = done(front.client.post("/v1/auth/token/lookup", {"token": limited})).data["accessor"]
    explanation = explain(front, accessor=accessor)
    assert the_one(explanation)[0] == "denied" and explanation["principal"]["policies"] == ["limited"]
    assert explanation["verdict"] == (
        f"{UNDEFINED}the policy limited does not allow read on airflow/data/connections/pg.")
    reader = front.token(READER + '\npath "sys/airlock/explain" { capabilities = ["read"] }', "reader")
    answer = front.client.get("/api/v2/explain/connections/pg?mount_point=airflow", token=reader)
    assert done(answer).json["found"] is True
    assert front.client.get(
        "/api/v2/explain/connections/pg?mount_point=airflow", token=front.token(READER, "plain")).status == 403


def test_an_explanation_shows_what_airflow_refuses_and_not_the_text(front, explain):
    front = front()
    front.upstream.write("connections/pg", {"conn_uri": f"s3://AK:{CANARY}/x@bucket"})
    explanation = explain(front)
    assert explanation["parsed"]["result"] == "refused" and explanation["found"] is False
    assert explanation["verdict"].startswith(f"{UNDEFINED}Airflow refuses what is stored at airflow/data/connections/pg:")
    assert [finding["code"] for finding in explanation["findings"]] == ["delimiter-in-userinfo"]


def test_where_the_vault_decides_its_own_tokens_are_explained_and_nothing_is_asked_for_the_others(front, explain):
    front = front(authorize="upstream")
    front.upstream.write("connections/pg", SECRET)
    own = explain(front)
    assert the_one(own)[::2] == ("denied", "not asked") and "the vault decides who reads airflow/" in own["verdict"]
    login = done(front.client.post(
        "/v1/auth/approle/login", {"role_id": "airlock", "secret_id": front.upstream.secret_id}, token=None))
    token, accessor = login.json["auth"]["client_token"], login.json["auth"]["accessor"]
    before = explain(front, accessor=accessor)
    assert (the_one(before)[0], before["found"]) == ("allowed", None)
    assert front.read("connections/pg", token=token).status == 200
    assert explain(front, accessor=accessor)["found"] is True
    refused = front.client.post("/v1/sys/airlock/cache/refresh", {"path": "airflow/connections/pg"})
    assert refused.status == 400 and "no login of its own" in refused.errors[0]
    assert front.metric("airlock_logins_total", mount="upstream", result="ok") == 1


def test_the_explain_command_says_it_to_people_and_to_scripts(front, command):
    front = front()
    front.upstream.write("connections/pg", SECRET)
    where = ["--mount-point", "airflow"]
    told = command(front, "explain", "connection", "pg", *where)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("Airflow would get this connection.\n\nconnection  pg\n")
    absent = command(front, "explain", "connection", "never", *where, "--output", "json")
    assert absent.returncode == 1 and json.loads(absent.stdout)["found"] is False
    assert command(front, "explain", "variable", "never", *where).stdout.startswith(
        "Airflow would say the variable does not exist, because there is nothing at airflow/data/variables/never.")
    wrong = command(front, "explain", "connection", "pg", token=f"{CANARY}-token")
    assert wrong.returncode == 1 and "HTTP 401" in wrong.stderr
    assert command(front, "explain", "dag", "pg").returncode == 2


# The cache


def test_the_cache_is_shown_purged_and_refreshed(front, command, seen):
    front = front()
    for name in ["pg", "mysql"]:
        front.upstream.write(f"connections/{name}", SECRET)
        front.read(f"connections/{name}")
    front.read("connections/never")
    status = done(front.client.get("/v1/sys/airlock/cache"))
    seen.append(status.text)
    [(mount, about)] = status.data.items()
    assert (mount, about["entries"], about["negatives"], about["ttl"]) == ("airflow/", 3, 1, 60)
    assert about["upstreams"] == [{"address": front.proxy.url, "reason": None, "since": None, "state": "closed"}]

    front.upstream.delete("connections/mysql")
    for name, told in [("pg", "found, version 1\n"), ("mysql", "deleted, version 1\n"), ("never", "absent\n")]:
        assert command(front, "cache", "refresh", f"airflow/connections/{name}").stdout == told
    assert command(front, "cache", "purge", "airflow/connections/pg").stdout == "purged 1 entry\n"
    mistaken = command(front, "cache", "purge", "airflow/data/connections/mysql")
    assert mistaken.stdout == "purged 0 entries\n" and "leave out data/" in mistaken.stderr
    assert command(front, "cache", "purge", "airflow/connections/").stdout == "purged 2 entries\n"
    front.read("connections/pg")
    assert command(front, "cache", "purge", "airflow").stdout == "purged 1 entry\n"
    for arguments in [["refresh", "airflow/connections/"], ["purge", "secret/connections/pg"], ["purge", "nosuch/x"]]:
        assert command(front, "cache", *arguments).returncode == 1
    front.upstream.write("forbidden/x", SECRET)
    denied = command(front, "cache", "refresh", "airflow/forbidden/x")
    assert denied.returncode == 1 and "refuses Airlock's own login" in denied.stderr

    with front.proxy.failing(faults.refuse):
        failed = command(front, "cache", "refresh", "airflow/connections/pg")
        assert failed.returncode == 1 and "what is kept stays" in failed.stderr
        shown = command(front, "cache", "status").stdout
        assert re.search(rf"^upstream +{front.proxy.url}, not asked since \d{{4}}-.+: .+", shown, re.MULTILINE), shown


# Metrics


def test_metrics_tell_the_state_of_each_mount_and_vault_and_name_no_secret(front, seen):
    front = front(ttl="1s")
    front.upstream.write("connections/pg", SECRET)
    assert front.read("connections/pg").status == 200
    front.read("connections/never")
    role_id, secret_id = front.approle()
    for secret, status in [(secret_id, 200), (f"{CANARY}-no", 400)]:
        answer = front.client.post("/v1/auth/approle/login", {"role_id": role_id, "secret_id": secret}, token=None)
        assert answer.status == status
    assert front.client.get("/api/v2/connections/pg?mount_point=airflow").status == 200
    answer = done(front.client.get("/v1/sys/metrics?format=prometheus"))
    seen.append(answer.text)
    assert answer.headers.get_all("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"]
    assert front.client.get("/v1/sys/metrics?format=json").status == 400
    mount = {"mount": "airflow/"}
    assert front.metric("airlock_cache_entries", **mount) == 2 and front.metric("airlock_cache_negatives", **mount) == 1
    assert front.metric("airlock_cache_bytes", **mount) > 50
    assert front.series("airlock_upstream_up") == [({"upstream": front.proxy.url}, 1)]
    assert front.metric("airlock_logins_total", mount="approle/", result="ok") == 1
    assert front.metric("airlock_logins_total", mount="approle/", result="refused") == 1
    assert front.metric("airlock_request_seconds_count", surface="typed") == 1
    assert front.metric("airlock_request_seconds_count", surface="vault") > 5
    assert abs(front.metric("process_start_time_seconds") - time.time()) < 120
    wait_until(lambda: front.metric("airlock_cache_oldest_stale_entry_seconds", **mount) >= 1, "it is stale")
    with front.proxy.failing(faults.refuse):
        front.read("connections/pg")
        assert front.metric("airlock_upstream_up") == 0
        seen.append(done(front.client.get("/v1/sys/metrics")).text)
    for text in seen:
        assert not re.search(r"connections|pg|never", text)


def test_mounts_that_clients_name_are_one_series(bao_server, tmp_path, start_airlock, front, seen):
    named = front()
    kwargs = named.upstream.kwargs(bao_server.url, mount_point=None)
    kwargs["mount_point"] = None
    named.stop()
    server = start_airlock("--backend-kwargs", json.dumps(kwargs))
    client = Connection(server)
    for n in range(20):
        assert client.get(f"/v1/nosuch{n}/data/connections/pg").status == 503
    text = done(client.get("/v1/sys/metrics")).text
    seen.append(text)
    assert 'airlock_reads_unanswered_total{mount="*"} 20' in text.splitlines() and "nosuch" not in text


# Invalidation


def test_an_invalidation_is_signed_or_authorised_and_answers_how_many(front, seen):
    front = front()
    for name in ["pg", "mysql"]:
        front.upstream.write(f"connections/{name}", SECRET)
        front.read(f"connections/{name}")

    def signed(body, at=None, key=KEY):
        moment = int(time.time() if at is None else at)
        code = hmac.new(key.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
        answer = front.client.post(
            "/v1/sys/airlock/invalidate", body, token=None, headers={"X-Airlock-Signature": f"t={moment},v1={code}"})
        seen.append(answer.text)
        return answer

    moment = time.time()
    one = json.dumps({"path": "airflow/connections/pg"})
    assert done(signed(one, moment)).data == {"invalidated": 1}
    refusals = [signed(one, moment), signed(one, key="not-the-key"), signed(one, moment - 400), signed(one, moment + 400),
                front.client.post("/v1/sys/airlock/invalidate", one, token=None)]
    assert {(answer.status, answer.body) for answer in refusals} == {(403, b'{"errors":["permission denied"]}\n')}
    assert front.invalidate(prefix="airflow/connections/").data == {"invalidated": 1}
    for wrong in [{}, {"path": "airflow/connections/pg", "mount": "airflow"}, {"mount": "nosuch"},
                  {"path": "airflow/connections/"}, {"mount": "airflow/connections/"}]:
        answer = front.client.post("/v1/sys/airlock/invalidate", wrong)
        seen.append(answer.text)
        assert answer.status == 400, wrong
    assert front.metric("airlock_invalidations_total") == 2
    with front.proxy.failing(faults.refuse):  # marked, not gone
        assert outcome(front.read("connections/pg")) == "STALE"
    limited = [signed(json.dumps({"prefix": f"airflow/{n}/"})) for n in range(60)]
    too_many = [answer for answer in limited if answer.status == 429]
    assert too_many and all(answer.headers["Retry-After"] == "1" for answer in too_many)
    assert {answer.status for answer in limited} == {200, 429}
