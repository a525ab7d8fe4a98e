"""The benchmark's own parts: figures are read as they were printed, what went wrong is no figure, and a report tells what was
missed. How fast anything is, no test says."""

import subprocess
import sys
import xml.dom.minidom

import pytest

import servers
from front import done
from wire import Connection

sys.path.insert(0, str(servers.REPOSITORY / "scripts/bench.d"))

import chart  # noqa: E402
import report  # noqa: E402
from load import Client, LoadError, read_wrk, request  # noqa: E402
from measure import Goal, Result, in_turns  # noqa: E402

WRK = """\
Running 1s test @ http://127.0.0.1:8100/
  1 threads and 32 connections
  Latency Distribution
     50%  310.00us
     99%    1.25ms
  81234 requests in 1.00s, 60.00MB read
{}Requests/sec:  81234.56
Transfer/sec:     60.00MB
"""


def test_a_round_of_wrk_is_its_rate_and_its_99th_percentile():
    assert read_wrk(WRK.format("")) == {"count": 81234, "rate": 81234.56, "p99": pytest.approx(0.00125)}


@pytest.mark.parametrize("trouble", [
    "  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"])
def test_a_round_of_wrk_in_which_anything_failed_is_no_figure(trouble):
    with pytest.raises(LoadError):
        read_wrk(WRK.format(trouble))


def test_contenders_take_turns_and_the_order_turns_round():
    order, figures = [], iter([1.0, 10.0, 30.0, 2.0, 3.0, 20.0])

    def contender(name):
        def measure():
            order.append(name)
            return {"rate": next(figures)}
        return measure

    rounds = in_turns(3, {"a": contender("a"), "b": contender("b")})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert rounds.median("a", "rate") == 2 and rounds.median("b", "rate") == 20
    assert rounds.ratio("a", "b", "rate") == 0.1


@pytest.mark.parametrize("goal, verdict, share", [
    (Goal("reads", 0.4, "x nginx", 0.5, 0.8), "**missed**", 0.8),
    (Goal("reads", 0.5, "x nginx", 0.5, 0.8), "reached", 1),
    (Goal("reads", 0.9, "x nginx", 0.5, 0.8), "reached, and the aim", 1.8),
    (Goal("memory", 60, "MB", 30, 20, is_most=True), "**missed**", 0.5),
    (Goal("memory", 25, "MB", 30, 20, is_most=True), "reached", 1.2),
    (Goal("memory", 15, "MB", 30, 20, is_most=True), "reached, and the aim", 2)])
def test_a_goal_that_is_missed_is_said_to_be_missed(goal, verdict, share):
    assert goal.verdict == verdict and goal.share == pytest.approx(share)


def test_a_report_names_rows_that_failed_and_goals_that_were_missed_and_has_a_chart(tmp_path):
    path = tmp_path / "2026-01-02.md"
    result = Result("Reads", [Goal("reads a second", 0.25, "x nginx", 0.5)], [(["rate"], [["Airlock", "1"]])], ["A note."])
    report.write(path, None, [("kernel", "Linux")], {"hit": result}, ["login: it broke"], 60)
    text = path.read_text()
    assert "- login: it broke" in text
    assert "| reads a second | **0.25 x nginx** | 0.5 |  | **missed** |" in text
    assert "(2026-01-02.svg)" in text and "A note." in text
    drawn = xml.dom.minidom.parse(str(tmp_path / "2026-01-02.svg"))
    assert "reads a second" in drawn.documentElement.toxml()


def test_a_bar_that_leaves_the_scale_stays_in_the_picture():
    drawn = xml.dom.minidom.parseString(chart.svg([("<huge>", 1000, "1000 x"), ("tiny", 0.0001, "0")]))
    bars = [one for one in drawn.getElementsByTagName("rect") if one.hasAttribute("x")]
    assert len(bars) == 2
    assert all(0 < float(bar.getAttribute("x")) + float(bar.getAttribute("width")) < chart.WIDTH for bar in bars)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return Client(tmp_path_factory.mktemp("client"))


def test_the_generator_makes_as_many_sessions_as_asked_and_each_logs_in_and_reads(airlock, client):
    root = Connection(airlock)
    done(root.put("/v1/sys/policies/acl/bench", {"policy": 'path "secret/data/*" { capabilities = ["read"] }'}))
    done(root.post("/v1/sys/auth/approle", {"type": "approle"}))
    done(root.put("/v1/auth/approle/role/bench", {"role_id": "bench", "token_policies": "bench"}))
    secret_id = done(root.put("/v1/auth/approle/role/bench/secret-id", {})).data["secret_id"]
    port = airlock.host_and_port[1]

    written = client.run(port, [request("PUT", "/v1/secret/data/s{n}", airlock.token, {"data": {"a": "b"}})], count=70, seconds=30)
    assert written["count"] == 70
    assert len(done(root.list("/v1/secret/metadata/")).data["keys"]) == 70

    login = request("POST", "/v1/auth/approle/login", body={"role_id": "bench", "secret_id": secret_id})
    read = request("GET", "/v1/secret/data/s{n}", "{token}")
    measured = client.run(port, [login, read], count=70, seconds=30, fresh=True)
    assert measured["count"] == 70 and 0 < measured["p50"] <= measured["p99"]


def test_the_generator_fails_on_an_answer_that_is_no_success_and_tells_the_status_alone(airlock, client):
    with pytest.raises(LoadError) as failure:
        client.run(airlock.host_and_port[1], [request("GET", "/v1/secret/data/s1", "not-a-token")], count=1, seconds=30)
    assert str(failure.value) == "client: an answer had the status in brackets (403)"


def test_the_generator_ends_when_its_time_is_over(airlock, client):
    measured = client.run(airlock.host_and_port[1], [request("GET", "/v1/sys/health")], seconds=1)
    assert measured["count"] > 1 and measured["seconds"] < 20


def test_a_row_that_is_not_there_is_refused_with_those_that_are():
    ended = subprocess.run(
        [sys.executable, servers.REPOSITORY / "scripts/bench.d/bench.py", "hits"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "no row is named hits; there are hit, typed" in ended.stderr
