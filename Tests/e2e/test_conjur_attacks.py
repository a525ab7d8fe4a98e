"""The Conjur surface as somebody sees it who wants more than he was given: forged tokens, ids in disguise, policies that are
bombs, names that look alike; and what stands in the audit log of each call."""

import base64
import json
import urllib.parse

import pytest
import yaml

import fault_proxy as faults
from audited import entries
from front import at_once
from servers import wait_until
from test_conjur_surface import Surface, permit, quoted, surface  # a fixture among them
from wire import Connection

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def token_header(token):
    return {"Authorization": f'Token token="{base64.b64encode(json.dumps(token).encode()).decode()}"'}


def test_a_token_that_was_not_given_is_none(surface):
    surface.make("key", "value")
    good = json.loads(surface.token("admin", surface.key).body)
    assert surface.open.get("/whoami", headers=token_header(good)).json["username"] == "admin"
    forged = [
        {}, [], "text", {**good, "signature": ""}, {**good, "signature": None}, {**good, "signature": 1},
        {**good, "signature": [good["signature"]]}, {**good, "signature": good["signature"][:-1]}, {**good, "signature": good["signature"] + "A"},
        {name: good[name] for name in ("protected", "payload")}]
    for one in forged:
        assert surface.open.get("/whoami", headers=token_header(one)).status == 401, one
    encoded = token_header(good)["Authorization"]
    for header in ["Token", "Token ", 'Token token=""', 'Token token="*"', 'Token token="e30="', encoded[:-1], encoded.replace('"', ""),
                   encoded + ", x", "Basic YWRtaW46", "Bearer x", 'Token token="' + base64.b64encode(b"[" * 30000).decode() + '"']:
        assert surface.open.get("/whoami", headers={"Authorization": header}).status in (401, 431), header[:40]
    # What the token says of itself counts for nothing.
    _, key = surface.host("web")
    host = json.loads(surface.token("host/web", key).body) | {name: good[name] for name in ("protected", "payload")}
    assert surface.open.get("/whoami", headers=token_header(host)).json["username"] == "host/web"
    assert surface.open.get("/secrets/default/variable/key", headers=token_header(host)).status == 404


@pytest.mark.parametrize("login", [
    "host/apps/nosuch", "host/", "host", "/host/web", "host//web", "host/./web", "host/apps/../web", "HOST/web", "user/admin", "Admin", "admin ", "admin\u0301",
    "default:host:web", "host/web/"])
def test_a_login_is_its_own_bytes(surface, login):
    _, key = surface.host("web")
    for secret in (key, surface.key, "", "\x00"):
        assert surface.token(login, secret).status in (401, 404, 405), login


def test_an_api_key_is_good_for_its_role_alone_and_a_changed_one_for_nobody(surface):
    assert surface.load("- !host a\n- !host b").status == 201
    a = surface.admin("PUT", "/authn/default/api_key?role=host:a").text
    for login in ("host/b", "admin"):
        assert surface.token(login, a).status == 401
    assert surface.token("host/a", a.lower()).status == 401 and surface.token("host/a", a + "\n").status == 401
    assert surface.token("host/a", a).status == 200
    basic = {"Authorization": "Basic " + base64.b64encode(f"host/a:{a}".encode()).decode()}
    assert surface.open.put("/authn/default/api_key", headers=basic).status == 200
    assert surface.open.put("/authn/default/api_key", headers=basic).status == 401 and surface.token("host/a", a).status == 401


def test_ids_in_disguise_reach_what_they_say_and_nothing_else(surface):
    surface.root.put("/v1/sys/mounts/other", {"type": "kv-v2"})
    surface.root.put("/v1/other/data/key", {"data": {"key": "of the other mount"}})
    surface.make("a/b", "value")
    surface.make("a%2Fb", "of another id")
    read = lambda raw: surface.admin("GET", f"/secrets/default/variable/{raw}")
    assert [read(raw).text for raw in ("a/b", "a%2Fb", "%61%2f%62")] == ["value"] * 3
    assert [read(raw).text for raw in ("a%252Fb", "a%252fb".replace("2f", "2F"))] == ["of another id"] * 2
    for raw in ["a%25252Fb", "../../other/data/key", "..%2F..%2Fother%2Fdata%2Fkey", "%2e%2e/%2e%2e/other/data/key", "a/./b", "a//b", "a%2F%2Fb", "/a/b",
                "%2Fa%2Fb", "a/b/", "a/b%2F", "a%00/b", "a/b%0A", "A/b", "a/b%CC%81", "a\\b", "a/b;x", "..%252F..%252Fother%252Fdata%252Fkey"]:
        assert read(raw).status == 404, raw
    for raw in ["%", "%zz", "a%2", "%ff", "%c0%af", "a%C0%AFb", "%ed%a0%80"]:
        assert read(raw).status == 422, raw
    for raw in ["a/b#x", "a/b?", "a/b?version=", "a/b?version=1&version=2", "a/b?x=1", "a/b?%76ersion=1"]:
        assert read(raw).status in (200, 400, 422), raw
    assert surface.ids() == ["a%2Fb", "a/b"]


@pytest.mark.parametrize("identifier", ["a+b", "a b", "100%", "50%25", "ü/é 漢", "it's", "q?x=1&y#z", "a:b"])
def test_a_batch_names_ids_as_a_query_does(surface, identifier):
    surface.make(identifier, "value")
    full = f"default:variable:{identifier}"
    for name in {urllib.parse.quote(full, safe=""), urllib.parse.quote_plus(full), urllib.parse.quote(full, safe=":/")}:
        answer = surface.admin("GET", f"/secrets?variable_ids={name}")
        assert (answer.status, answer.json) == (200, {full: "value"}), name


def test_names_that_look_alike_are_two(surface):
    """The same text to a reader, other bytes: a right to one is no right to the other."""
    assert surface.load(f"- !policy {COMPOSED}\n- !policy {DECOMPOSED}").status == 201
    name, key = surface.host("web", COMPOSED)
    other, other_key = surface.host("web", DECOMPOSED)
    assert name != other
    web = surface.login(f"host/{name}", key)
    assert surface.load(permit("create, update", "!policy"), DECOMPOSED).status == 201
    attacker = surface.login(f"host/{other}", other_key)
    assert [one["id"] for one in attacker("GET", "/resources/default/host").json] == [f"default:host:{other}"]
    assert [one["id"] for one in web("GET", "/resources/default/host").json] == [f"default:host:{name}"]
    assert attacker("PUT", f"/authn/default/api_key?role={quoted('default:host:' + other)}").status == 200
    assert web("GET", "/whoami").status == 200, "another's new key ended this one's token"
    attacker = surface.login(f"host/{other}", surface.admin("PUT", f"/authn/default/api_key?role={quoted('host:' + other)}").text)
    assert surface.load("- !host web\n" + permit("create, update", "!policy"), DECOMPOSED, "PUT", attacker).status == 201
    assert surface.load("- !policy empty", DECOMPOSED, "PUT", surface.admin).status == 201
    assert web("GET", "/whoami").status == 200
    assert surface.admin("GET", f"/resources/default/host/{quoted(name)}").status == 200, "it went with another's policy"


def test_a_policy_cannot_be_made_to_cost_more_than_it_is_long(surface):
    hosts, variables = ", ".join(f"!host h{n}" for n in range(1200)), ", ".join(f"!variable v{n}" for n in range(1200))
    answer = surface.load(f"- !permit\n  roles: [{hosts}]\n  privilege: read\n  resources: [{variables}]\n")
    assert answer.status == 422 and "permits" in answer.json["error"]["message"], answer
    annotations = "".join(f"    n{n}: x\n" for n in range(60_000))
    assert surface.load(f"- !variable\n  id: v\n  annotations:\n{annotations}").status == 201
    assert surface.load("[" * 100_000).status == 422
    assert surface.load("".join(f"{' ' * n}- \n" for n in range(1000))).status == 422
    assert surface.load("- !variable x" * 50_000).status == 422


@pytest.mark.parametrize("end", ["\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x00", "\x1b", "\ufeff"], ids=ascii)
@pytest.mark.parametrize("text", ["- !variable a # why{}- !variable b\n", "# all{}- !variable a\n", "- !variable\n  id: a\n  annotations:\n    x: y{}    z: w\n"])
def test_what_other_readers_of_yaml_take_for_the_end_of_a_line_is_refused(surface, end, text):
    assert surface.load(text.format(end)).status == 422
    assert surface.ids() == []


@pytest.mark.parametrize("name", ["a " * 60 + "b", "ü" * 100, "x" * 200, "  two  blanks  " * 9, 'q"uo\\te ' * 20, "漢 \u2028 😀" * 12], ids=ascii)
def test_litellms_serializer_breaks_long_names_over_lines(surface, name):
    """PyYAML's `safe_dump(name, default_style='"')`, which LiteLLM writes its policy with."""
    policy = f"- !variable {yaml.safe_dump(name, default_style=chr(34)).strip()}\n"
    assert surface.load(policy).status == 201, policy
    assert surface.set(name, "value").status == 201 and surface.get(name).text == "value"


def test_a_change_here_is_seen_at_once_where_reads_are_answered_from_memory(surface):
    read = lambda: surface.root.get("/v1/conjur/data/connections/pg")
    surface.make("connections/pg", "one")
    for _ in range(3):
        assert read().data["data"] == {"conn_uri": "one"}
    for value in ("two", "three"):
        assert surface.set("connections/pg", value).status == 201
        assert read().data["data"] == read().data["data"] == {"conn_uri": value}
    _, key = surface.host("web")
    assert surface.load(permit("execute", "!variable connections/pg")).status == 201
    token = json.loads(surface.token("host/web", key).body)["signature"]
    for _ in range(3):
        assert surface.open.get("/v1/conjur/data/connections/pg", token=token).status == 200
    surface.admin("PUT", "/authn/default/api_key?role=host:web")
    assert surface.open.get("/v1/conjur/data/connections/pg", token=token).status == 403
    assert surface.load("- !delete\n  record: !variable connections/pg\n", method="PATCH").status == 201
    assert read().status == 404




def test_a_kept_value_is_no_way_round_a_right_and_serves_on_while_openbao_is_away(front):
    here = front(start=False, ttl="1s")
    here.config["conjur_mount"] = "airflow"
    here.start()
    here.upstream.write("kept", {"key": "one"})
    surface = Surface.__new__(Surface)
    surface.open = Connection(here.airlock, token=None)
    surface.admin = surface.login("admin", (here.airlock.data / "conjur-admin-api-key").read_text().strip())
    _, key = surface.host("web")
    web = surface.login("host/web", key)
    assert surface.get("kept").text == "one" and surface.get("kept").headers["X-Cache"] == "HIT"
    here.proxy.forget()
    assert surface.get("kept", web).status == 404 and web("GET", "/secrets?variable_ids=default:variable:kept").status == 404
    assert surface.set("kept", "two", web).status == 404
    assert here.proxy.count("read") == 0, "OpenBao was asked for somebody without a right"
    with here.proxy.failing(faults.refuse):
        wait_until(lambda: surface.get("kept").headers["X-Cache"] == "STALE", "the ttl is over")
        assert surface.get("kept").text == "one" and surface.get("kept", web).status == 404
        for answer in [surface.get("never"), surface.set("kept", "two"), surface.admin("GET", "/resources/default/variable")]:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), answer
    wait_until(lambda: surface.get("kept").headers["X-Cache"] != "STALE", "OpenBao is back")
    assert surface.get("kept").text == "one", "a write that was refused was done"
    surface.open.close()


def test_reads_are_counted_and_it_is_remembered_who_read_last(surface):
    surface.make("connections/pg", "postgres://")
    surface.make("connections/other", "postgres://")
    surface.get("connections/pg")
    found = {one["path"]: one["last_reader"] for one in surface.root.get("/api/v2/inventory").json["inventory"]}
    assert found["conjur/connections/pg"]["display_name"] == "conjur-admin" and found["conjur/connections/other"] is None
    assert 'airlock_request_seconds_count{surface="conjur"}' in surface.root.get("/v1/sys/metrics").text


def test_writes_that_race_the_unmounting_are_done_or_refused_and_leave_nothing(tmp_path, start_airlock):
    surface = Surface(start_airlock, tmp_path, conjur_mount="secret")
    surface.make("key", "value")
    header = token_header(json.loads(surface.token("admin", surface.key).body))

    def work(n):
        if n == 0:
            assert surface.root.delete("/v1/sys/mounts/secret").status == 204
            return {204}
        client = Connection(surface.airlock, token=None)
        return {client.post("/secrets/default/variable/key", f"value {i}", headers=header).status for i in range(60)}

    statuses = set().union(*at_once(5, work)) - {204}
    assert 404 in statuses and statuses <= {201, 404}, statuses
    assert [surface.get("key").status, surface.set("key", "x").status, surface.load("- !variable b").status] == [404] * 3
    assert surface.root.post("/v1/sys/mounts/secret", {"type": "kv-v2"}).status == 204
    assert surface.get("key").status == 404 and surface.root.list("/v1/secret/metadata").status == 404
    assert surface.set("key", "anew").status == 201 and surface.get("key").text == "anew"


def test_a_request_with_a_body_where_none_belongs_leaves_the_connection_in_step(surface):
    surface.make("key", "value")
    smuggled = b"GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n"
    for _ in range(3):
        answer = surface.admin("GET", "/secrets/default/variable/key", smuggled)
        assert (answer.status, answer.text) == (200, "value")
        assert surface.get("key").text == "value"


def calls(surface, key):
    """Every line of the surface's table, refusals among them: method, path, body, headers."""
    basic = {"Authorization": "Basic " + base64.b64encode(f"host/web:{key}".encode()).decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(f"host/web:wrong{key}".encode()).decode()}
    admin = token_header(json.loads(surface.token("admin", surface.key).body))
    return [
        ("GET", "/authn/default/login", None, basic), ("GET", "/authn/default/login", None, wrong),
        ("POST", "/authn/default/host%2Fweb/authenticate", key, {}), ("POST", "/authn/default/host%2Fweb/authenticate", "wrong" + key, {}),
        ("GET", "/whoami", None, admin), ("GET", "/secrets?variable_ids=default:variable:key", None, admin),
        ("GET", "/secrets/default/variable/key", None, admin), ("GET", "/secrets/default/variable/nosuch", None, admin),
        ("POST", "/secrets/default/variable/key", "another value", admin), ("POST", "/policies/default/policy/root", "- !variable key", admin),
        ("PATCH", "/policies/default/policy/root", "- !variable key", admin), ("PUT", "/policies/default/policy/nosuch", "- !variable key", admin),
        ("GET", "/resources/default", None, admin), ("GET", "/resources/default/variable", None, admin),
        ("GET", "/resources/default/variable/key", None, admin), ("HEAD", "/resources/default/variable/key", None, admin),
        ("GET", "/whoami", None, {}), ("GET", "/whoami", None, {"Authorization": 'Token token="nonsense"'}),
        ("GET", "/whoami", None, {"Authorization": f'Token token="{base64.b64encode(key.encode()).decode()}"'}),
        ("PUT", "/authn/default/api_key?role=host:web", None, admin), ("PUT", "/authn/default/api_key", None, basic)]


def test_every_call_is_in_the_audit_log_with_who_made_it(tmp_path, start_airlock):
    log = tmp_path / "audit.log"
    surface = Surface(start_airlock, tmp_path, audit=str(log))
    surface.make("key", "value-of-the-variable")
    _, key = surface.host("web")
    for method, path, body, headers in calls(surface, key):
        before = len(entries(log))
        answer = surface.open.send(method, path, body, headers=headers)
        asked, answered = entries(log)[before:]
        assert (asked["type"], answered["type"]) == ("request", "response"), path
        assert asked["request"]["path"] == urllib.parse.unquote(path[1:]).split("?")[0]
        if headers.get("Authorization", "").startswith("Token") and answer.status < 400:
            assert asked["auth"]["display_name"] == "conjur-admin", path
        if "Basic" in headers.get("Authorization", ""):
            login = surface.root.post("/v1/sys/audit-hash/file", {"input": "host/web"}).data["hash"]
            assert asked["request"]["data"]["login"] == login, "it does not say who logged in"
    text = log.read_text()
    for secret in (surface.key, key, "value-of-the-variable", "another value"):
        assert secret not in text and base64.b64encode(secret.encode()).decode() not in text
