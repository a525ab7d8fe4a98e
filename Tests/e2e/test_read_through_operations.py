"""What an operator has beside the reads: commands, metrics, and a webhook that tells Airlock of changes."""

import hashlib
import hmac
import json
import re
import subprocess
import time

import pytest

import fault_proxy as faults
import servers
from front import READER, Upstream, done, outcome, value
from wire import Connection

SECRET = "postgres://etl:never-shown@db.example.com/x"
KEY = "of-the-webhook-0123456789abcdef0123456789"


# Commands


@pytest.fixture
def commanded(bao_server, tmp_path, start_airlock):
    """An Airlock as `--backend-kwargs` makes it, and `airlock` to talk to it."""
    upstream = Upstream(bao_server)
    upstream.write("connections/pg", {"conn_uri": SECRET})
    airlock = start_airlock("--backend-kwargs", json.dumps(upstream.kwargs(bao_server.url)))
    client = Connection(airlock)

    def command(*arguments, token=airlock.token, variables="AIRLOCK"):
        return subprocess.run(
            [servers.airlock_program(), *arguments], capture_output=True, text=True, timeout=30, cwd=tmp_path,
            env=servers.clean_environment(
                tmp_path, **{f"{variables}_ADDR": airlock.url, f"{variables}_TOKEN": token}))

    command.upstream, command.client, command.airlock = upstream, client, airlock
    command.path = f"{upstream.mount}/connections/pg"
    command.read = lambda: client.get(f"/v1/{upstream.mount}/data/connections/pg")
    return command


@pytest.mark.parametrize("variables", ["AIRLOCK", "VAULT"])
def test_explain_tells_the_way_to_an_answer_and_no_value(commanded, variables):
    done(commanded.read())
    known = commanded("explain", "connection", "pg", variables=variables)
    absent = commanded("explain", "connection", "never", variables=variables)
    assert known.returncode == 0, known.stderr
    assert "connections/pg" in known.stdout and "connections/never" in absent.stdout
    assert "never-shown" not in known.stdout + known.stderr
    assert known.stdout.replace("pg", "") != absent.stdout.replace("never", "")


def test_explain_tells_of_a_secret_that_airflow_misreads(commanded):
    commanded.upstream.write("connections/odd", {"conn_uri": "google_cloud_platform://?project=never-shown"})
    told = commanded("explain", "connection", "odd")
    assert "scheme-underscore" in told.stdout and "never-shown" not in told.stdout


def test_explain_of_a_variable(commanded):
    commanded.upstream.write("variables/region", {"value": "never-shown"})
    told = commanded("explain", "variable", "region")
    assert told.returncode == 0 and "variables/region" in told.stdout and "never-shown" not in told.stdout


def test_cache_status_purge_and_refresh(commanded):
    assert outcome(done(commanded.read())) == "MISS"
    status = commanded("cache", "status")
    assert status.returncode == 0 and commanded.upstream.mount in status.stdout
    assert commanded("cache", "purge", commanded.path).returncode == 0
    assert outcome(commanded.read()) == "MISS"
    commanded.upstream.write("connections/pg", {"conn_uri": SECRET + "2"})
    assert commanded("cache", "refresh", commanded.path).returncode == 0
    after = commanded.read()
    assert (after.data["data"], outcome(after)) == ({"conn_uri": SECRET + "2"}, "HIT")


@pytest.mark.parametrize("arguments", [
    ["explain", "connection", "pg"], ["cache", "status"], ["cache", "purge", "kv/x"], ["cache", "refresh", "kv/x"]])
def test_a_command_without_the_right_or_the_server_fails_and_says_so(commanded, arguments):
    refused = commanded(*arguments, token="wrong-token-canary")
    assert refused.returncode == 1 and refused.stderr and "canary" not in refused.stderr + refused.stdout
    commanded.client.close()
    assert commanded.airlock.stop() == 0
    unreachable = commanded(*arguments)
    assert unreachable.returncode == 1 and unreachable.stderr


# Metrics


def test_metrics_are_prometheus_text_without_names_of_secrets_and_count_what_happened(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "one"})
    for _ in range(3):
        front.read("connections/pg")
    for _ in range(2):
        front.read("connections/absent")
    with front.proxy.failing(faults.refuse):
        front.invalidate(mount="airflow")
        front.read("connections/pg")
        front.read("connections/never")
    text = done(front.client.get("/v1/sys/metrics")).text
    sample = r'\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? ([0-9.e+-]+|NaN|\+Inf)'
    for line in text.splitlines():
        assert re.fullmatch(rf"# (HELP|TYPE) \w+ .+|{sample}|", line), line
    assert "connections" not in text
    reads = {labels["outcome"]: count for labels, count in front.series("airlock_reads_total", mount="airflow/")}
    assert reads == {"HIT": 2, "MISS": 2, "NEGATIVE": 1, "STALE": 1}
    assert front.metric("airlock_reads_unanswered_total", mount="airflow/") == 1
    assert front.metric("airlock_invalidations_total", mount="airflow/") == 2
    assert front.metric("airlock_upstream_logins_total") == 1
    results = {labels["result"]: count for labels, count in front.series("airlock_upstream_requests_total")}
    assert results.get("refused"), results
    assert front.metric("airlock_upstream_request_seconds_count") > 0
    assert front.client.get("/v1/sys/metrics", token=front.token(READER)).status == 403


# The webhook


def signed(body, key=KEY, at=None, text=None):
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(key.encode(), f"{moment}.{text or body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Airlock-Signature": f"t={moment},v1={digest}"}


@pytest.fixture
def hooked(front, tmp_path):
    (tmp_path / "webhook-key").write_text(KEY + "\n")
    front = front(start=False)
    front.config["webhook_secret_file"] = str(tmp_path / "webhook-key")
    front.start()
    front.upstream.write("connections/pg", {"value": "old"})
    assert value(front.read("connections/pg")) == "old"
    front.upstream.write("connections/pg", {"value": "new"})
    return front


BODY = json.dumps({"path": "airflow/connections/pg"})


def call(front, body, headers):
    return front.client.post("/v1/sys/airlock/invalidate", body, token=None, headers=headers)


def test_a_signed_webhook_invalidates_once_and_its_replay_is_refused(hooked):
    headers = signed(BODY)
    done(call(hooked, BODY, headers))
    assert (value(hooked.read("connections/pg")), outcome(hooked.read("connections/pg"))) == ("new", "HIT")
    assert call(hooked, BODY, headers).status in (400, 401, 403, 409)
    assert outcome(hooked.read("connections/pg")) == "HIT"


@pytest.mark.parametrize("headers", [
    signed(BODY, key="another-key"), signed(BODY, at=time.time() - 3600), signed(BODY, at=time.time() + 3600),
    signed(BODY, text="{}"), {"X-Airlock-Signature": "t=1,v1="}, {"X-Airlock-Signature": "nonsense"},
    {"X-Airlock-Signature": signed(BODY)["X-Airlock-Signature"].split(",")[1]}, {}],
    ids=["another key", "an hour old", "an hour ahead", "another body", "empty", "nonsense", "no time", "none"])
def test_a_webhook_that_is_not_rightly_signed_is_refused_and_changes_nothing(hooked, headers):
    answer = call(hooked, BODY, headers)
    assert answer.status in (400, 401, 403), answer
    assert (value(hooked.read("connections/pg")), outcome(hooked.read("connections/pg"))) == ("old", "HIT")


def test_without_a_key_no_signature_is_good(front):
    front = front()
    for key in ["", KEY, "None", "null"]:
        assert call(front, BODY, signed(BODY, key=key)).status in (400, 401, 403)


def test_the_webhook_can_only_invalidate(hooked):
    body = json.dumps({"path": "airflow/connections/pg"})
    for method, path in [("POST", "sys/airlock/cache/purge"), ("POST", "sys/airlock/cache/refresh"),
                         ("GET", "sys/airlock/cache"), ("GET", "airflow/data/connections/pg")]:
        answer = hooked.client.send(method, f"/v1/{path}", body if method == "POST" else None, token=None, headers=signed(body))
        assert answer.status == 403, path


def test_webhooks_are_limited_in_number(hooked):
    """Each mount-wide invalidation can cost the vault a read for each secret."""
    statuses = set()
    for n in range(400):
        body = json.dumps({"prefix": f"airflow/connections/{n}/"})
        statuses.add(call(hooked, body, signed(body)).status)
        if statuses - {200, 204}:
            break
    assert statuses - {200, 204} <= {429, 503} and statuses - {200, 204}, statuses


# The page


PAGE = servers.REPOSITORY / "docs/caching.md"


def test_the_configuration_of_the_page_starts(start_airlock, tmp_path):
    [example] = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "config.json").write_text(example)
    server = start_airlock("--config", str(tmp_path / "config.json"))
    mounts = Connection(server).get("/v1/sys/mounts").data
    assert {f"{name}/" for name in json.loads(example)["mounts"]} <= mounts.keys()


def test_the_defaults_of_the_page_are_the_programs():
    printed = subprocess.run([servers.airlock_program(), "settings"], capture_output=True, text=True, timeout=20).stdout
    program = {name: default for name, default in re.findall(r"^\| `(\w+)` \|(?:[^|]*\|){2} ([^|]*) \|", printed, re.MULTILINE)}
    page = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \| ", PAGE.read_text(), re.MULTILINE))
    assert {"ttl", "negative_ttl", "max_stale", "cache_entries", "cache_bytes", "authorize"} <= page.keys() & program.keys()
    assert {name: default for name, default in page.items() if name in program} == {
        name: program[name] for name in page if name in program}


def test_the_metrics_of_the_page_are_the_programs():
    sources = "".join(file.read_text() for file in (servers.REPOSITORY / "Sources").rglob("*.swift"))
    named = set(re.findall(r"`(airlock_\w+)`", PAGE.read_text()))
    assert len(named) >= 6 and all(f'"{name}"' in sources for name in named), named
