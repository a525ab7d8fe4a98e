"""The audit log: the same entries as the real OpenBao's, nothing served that is not in it, and no secret readable there.
docs/audit.md promises it; here it is shown."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal

import pytest

import servers
from front import done, outcome
from servers import wait_until
from comparison import normalise, same
from wire import Connection

CODE = re.compile(r"hmac-sha256:[0-9a-f]{64}")
MERGE = {"Content-Type": "application/merge-patch+json"}
NUMBERS = '{"data":{"pin":1234,"half":1.5,"yes":true,"none":null,"list":["a",{"deep":"b"}],"":"unnamed","empty":""},"options":{"cas":0}}'


class AuditedBao:
    """OpenBao in development mode with a file audit device of the same name as Airlock's."""

    @staticmethod
    def start(folder):
        log = folder / "audit.log"
        config = folder / "audit.hcl"
        config.write_text(f'audit "file" "file" {{\n  options {{ file_path = "{log}" }}\n}}\n')
        return servers.start_openbao(folder, f"-config={config}"), log


def start_audited(start, folder, path=None, **more):
    """An Airlock whose audit log is `path`."""
    path = path or folder / "audit.log"
    config = folder / "config.json"
    config.write_text(json.dumps({"audit": str(path)} | more))
    return start("--config", str(config)), path


@pytest.fixture
def audited(tmp_path, start_airlock):
    """Makes an Airlock that writes an audit log."""
    return lambda path=None, **more: start_audited(start_airlock, tmp_path, path, **more)


def entries(log):
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def strings(value):
    """Every text in a JSON value, numbers as they are written."""
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)
    elif isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield str(value)


# The same entries as OpenBao's


class Conversation:
    """Requests to one server, and what its audit log says of each; the codes in it turned back into texts, for which the
    server itself is asked."""

    def __init__(self, server, log):
        self.client = Connection(server)
        self.server, self.log = server, log
        own = self.client.get("/v1/auth/token/lookup-self").data["accessor"]
        self.texts = {server.token, own, "bad-token"}
        self.told = []

    def ask(self, method, path, body=None, **more):
        before = len(self.log.read_bytes())
        answer = self.client.send(method, path, body, **more)
        written = self.log.read_bytes()[before:]
        for part in [json.loads(body) if isinstance(body, str) else body, answer.json if answer.body[:1] == b"{" else None]:
            self.texts |= set(strings(part))
        self.told.append((f"{method} {path}", answer, [json.loads(line) for line in written.splitlines()]))
        return answer

    def decoded(self):
        # The code of the empty text cannot be asked for; the first request holds one.
        codes = {next(one for _, _, told in self.told for one in told)["request"]["data"]["data"]["empty"]: ""}
        for text in self.texts - {""}:
            hashed = self.client.post("/v1/sys/audit-hash/file", {"input": text})
            codes[done(hashed).data["hash"]] = text

        def decoded(code):
            text = CODE.sub("a code", codes.get(code, "something else"))
            return json.dumps(f"<code of {'an accessor' if re.fullmatch('[A-Za-z0-9]{24}', text) else text}>")[1:-1]

        def decode(text):
            return CODE.sub(lambda found: decoded(found[0]), text)

        return [(name, answer, [json.loads(decode(json.dumps(one)), parse_float=str) for one in told])
                for name, answer, told in self.told]


def converse(server, log):
    talk = Conversation(server, log)
    ask = talk.ask
    for path in ["health", "seal-status", "leader"]:
        ask("GET", f"/v1/sys/{path}", token=None)
    ask("PUT", "/v1/secret/data/a", NUMBERS)
    ask("POST", "/v1/secret/data/a", '{"data":{"k":"v"},"options":{"cas":"1"}}')
    ask("GET", "/v1/secret/data/a")
    ask("GET", "/v1/secret/data/a?version=1&unknown=x")
    ask("LIST", "/v1/secret/metadata/")
    ask("GET", "/v1/secret/metadata?list=true")
    ask("GET", "/v1/secret/metadata/a")
    ask("PATCH", "/v1/secret/data/a", '{"data":{"k":"w"}}', headers=MERGE)
    ask("POST", "/v1/secret/metadata/a", '{"custom_metadata":{"owner":"me"},"max_versions":3}')
    ask("POST", "/v1/secret/destroy/a", '{"versions":[1]}')
    ask("DELETE", "/v1/secret/data/a")
    ask("GET", "/v1/secret/data/absent")
    ask("HEAD", "/v1/secret/data/a")
    ask("POST", "/v1/secret/data/a", '{"data":{"k":"x"},"options":{"cas":7}}')
    ask("GET", "/v1/nomount/x")
    ask("POST", "/v1/sys/mounts/kv1", '{"type":"kv"}')
    ask("PUT", "/v1/kv1/a", '{"pin":1234,"k":"v"}')
    ask("GET", "/v1/kv1/a")
    # Refused before it is understood: not in OpenBao's log either.
    ask("GET", "/v1/secret//data/a")
    ask("GET", "/v1/sys/%2e%2e/a")
    ask("FOO", "/v1/secret/data/a")
    ask("GET", "/nothing")
    ask("GET", "/v1/secret/data/a?list=bogus")
    ask("PATCH", "/v1/secret/data/a", '{"data":{"k":"w"}}')
    ask("PUT", "/v1/secret/data/a/", '{"data":{"k":"v"}}')
    ask("GET", "/v1/secret/data/a", headers={"X-Vault-Namespace": "nowhere"})
    talk.client.put("/v1/secret/data/a", '{"data":')
    # Who asks.
    ask("GET", "/v1/secret/data/a", token=None)
    ask("GET", "/v1/secret/data/a", token="bad-token")
    ask("PUT", "/v1/sys/policies/acl/ro", {"policy": 'path "secret/data/b" { capabilities = ["read"] }'})
    made = ask("POST", "/v1/auth/token/create", '{"policies":["ro"],"ttl":"1h","meta":{"a":"b"},"num_uses":3}').json
    token = made["auth"]["client_token"]
    ask("GET", "/v1/secret/data/a", token=token)
    ask("PUT", "/v1/secret/data/new", '{"data":{"k":"v"}}', token=token)
    ask("GET", "/v1/auth/token/lookup-self", token=token)
    ask("POST", "/v1/sys/auth/approle", '{"type":"approle"}')
    ask("POST", "/v1/auth/approle/role/r", '{"token_policies":"ro","role_id":"rid"}')
    secret_id = ask("POST", "/v1/auth/approle/role/r/secret-id", "{}").data["secret_id"]
    ask("POST", "/v1/auth/approle/login", {"role_id": "rid", "secret_id": secret_id}, token=None)
    ask("POST", "/v1/auth/approle/login", {"role_id": "rid", "secret_id": "wrong"}, token=None)
    ask("POST", "/v1/sys/capabilities-self", '{"paths":["secret/data/a"]}')
    ask("GET", "/v1/sys/internal/ui/mounts/secret")
    # The log itself.
    ask("POST", "/v1/sys/audit-hash/file", '{"input":"v"}')
    ask("POST", "/v1/sys/audit-hash/file", "{}")
    ask("POST", "/v1/sys/audit-hash/nosuch", '{"input":"v"}')
    ask("GET", "/v1/sys/audit-hash/file")
    ask("DELETE", "/v1/sys/audit/nosuch")
    ask("DELETE", "/v1/sys/audit/file")
    return talk.decoded()


@pytest.fixture(scope="module")
def conversations(request, tmp_path_factory):
    if request.config.getoption("--server") != "both":
        pytest.skip("a comparison needs both servers")
    folder = tmp_path_factory.mktemp("openbao-audited")
    bao, log = AuditedBao.start(folder)
    try:
        theirs = converse(bao, log)
    finally:
        bao.stop()
    folder = tmp_path_factory.mktemp("airlock-audited")
    airlock, log = start_audited(lambda *arguments: servers.start_airlock(folder, *arguments), folder)
    try:
        ours = converse(airlock, log)
    finally:
        assert airlock.stop() == 0
    return ours, theirs


# What docs/audit.md says Airlock does not write.
LEFT_OUT = {"client_id", "mount_running_version", "mount_running_plugin_version", "remote_port", "granting_policies",
            "secret", "entity_created", "mount_accessor"}
MOUNT = {"mount_point", "mount_type", "mount_class"}


def without(value, names):
    if isinstance(value, dict):
        return {name: without(member, names) for name, member in value.items() if name not in names}
    return [without(member, names) for member in value] if isinstance(value, list) else value


def numbers_as_codes(value):
    """OpenBao leaves the numbers of requests and secrets readable, Airlock does not."""
    if isinstance(value, dict):
        return {name: numbers_as_codes(member) for name, member in value.items()}
    if isinstance(value, list):
        return [numbers_as_codes(member) for member in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) or (
        isinstance(value, str) and re.fullmatch(r"\d+\.\d+", value))
    return f"<code of {value}>" if is_number else value


def as_airlock(entry):
    """OpenBao's entry with the differences of docs/audit.md made."""
    entry = without(entry, LEFT_OUT)
    entry.pop("error", None)
    if entry["auth"].get("policies") == ["root"]:
        entry["auth"]["display_name"] = "root"  # a dev server's root token is made by auth/token/create
    request, response = entry["request"], entry.get("response", {})
    if isinstance(response.get("data"), dict):
        response["data"].pop("error", None)  # its text is in `error`
        if not response["data"]:
            del response["data"]
    if "data" in request:
        request["data"] = numbers_as_codes(request["data"])
    if request["path"].startswith("kv1/") and "data" in response:
        response["data"] = numbers_as_codes(response["data"])
    if request["path"].startswith("secret/") and "data" in response.get("data", {}):
        response["data"]["data"] = numbers_as_codes(response["data"]["data"])
    if "accessor" not in entry["auth"] and not request["path"].endswith("/login"):
        # Nobody's request: its body is not read.
        for part in (request, response):
            for name in [*MOUNT, "data"]:
                part.pop(name, None)
    return normalise(entry)


def comparable(entry):
    entry = without(entry, {"mount_accessor"})
    if entry["type"] == "response" and entry.pop("error", None) == "invalid role or secret ID":
        del entry["auth"]["policy_results"]  # OpenBao says it in the request's entry only
    entry.pop("error", None)
    return normalise(entry)


def test_the_entries_are_those_of_openbao_member_by_member(conversations):
    ours, theirs = conversations
    compared, differences = 0, []
    for (name, answer, own), (_, other_answer, other) in zip(ours, theirs, strict=True):
        assert answer.status == other_answer.status, name
        assert [one["type"] for one in own] == [one["type"] for one in other], name
        for one, another in zip(own, other):
            mine, expected = comparable(one), as_airlock(another)
            if not same(mine, expected):
                differences.append(f"{name}\n{json.dumps(mine)}\n{json.dumps(expected)}\n")
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", one["time"])
            compared += 1
    assert compared > 60
    assert not differences, "\n".join(differences)


def test_every_code_is_that_of_a_text_that_was_sent_or_answered(conversations):
    ours, _ = conversations
    codes = {found for _, _, told in ours for found in re.findall(r"<code of ([^>]*)>", json.dumps(told))}
    assert {"v", "1234", "1.5", "wrong", "bad-token"} <= codes
    unknown = [name for name, _, told in ours if "something else" in json.dumps(told)]
    assert unknown == []


def test_an_entry_names_the_answer_and_the_error_that_the_client_got(conversations):
    ours, _ = conversations
    for name, answer, told in ours:
        if not told:
            continue
        request, response = told
        assert request["request"]["id"] == response["request"]["id"]
        if answer.body and answer.status == 200:
            assert answer.json["request_id"] == request["request"]["id"], name
        if answer.body and answer.status >= 400 and "errors" in answer.json:
            assert [response["error"]] == answer.errors if answer.errors else "error" not in response, name


def test_the_log_is_listed_and_is_changed_in_the_configuration_alone(audited):
    server, log = audited()
    root = Connection(server)
    expected = {"file/": {"description": "", "local": False, "options": {"file_path": str(log)}, "path": "file/", "type": "file"}}
    assert root.get("/v1/sys/audit").data == expected
    answer = root.put("/v1/sys/audit/other", {"type": "file", "options": {"file_path": "stdout"}})
    assert answer.status == 400 and "Airlock's configuration" in answer.errors[0]
    clerk = root.post("/v1/auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    for method, path in [("GET", "audit"), ("POST", "audit-hash/file"), ("DELETE", "audit/file")]:
        assert root.send(method, f"/v1/sys/{path}", '{"input":"x"}', token=clerk).status == 403


def test_the_codes_are_the_same_after_a_restart_and_others_in_another_store(audited, tmp_path_factory):
    def code(server):
        return Connection(server).post("/v1/sys/audit-hash/file", {"input": "value"}).data["hash"]

    server, log = audited()
    before = code(server)
    assert server.stop() == 0
    server, _ = audited()
    assert code(server) == before
    folder = tmp_path_factory.mktemp("another")
    other, _ = start_audited(lambda *arguments: servers.start_airlock(folder, *arguments), folder)
    try:
        assert code(other) != before
    finally:
        assert other.stop() == 0


# The typed surface, and mounts of a vault


def test_calls_of_the_typed_surface_are_told_with_nothing_of_a_connection_readable(audited):
    server, log = audited()
    root = Connection(server)
    connection = {"connection_id": "pg", "conn_type": "postgres", "host": "db", "password": "hunter2", "port": 5433}
    assert root.post("/api/v2/connections", connection).status == 201
    assert root.get("/api/v2/connections/pg").json["password"] == "hunter2"
    assert root.get("/api/v2/connections/absent").status == 404
    assert root.get("/api/v2/connections/pg", token="no-such-token").status == 401
    assert root.get("/api/v2/openapi.json", token=None).status == 200
    assert root.get("/api/v2/version", token=None).status == 200
    told = [(one["type"], one["request"]["operation"], one["request"]["path"], one.get("error", "")[:20]) for one in entries(log)]
    assert told == [
        ("request", "create", "api/v2/connections", ""), ("response", "create", "api/v2/connections", ""),
        ("request", "read", "api/v2/connections/pg", ""), ("response", "read", "api/v2/connections/pg", ""),
        ("request", "read", "api/v2/connections/absent", ""),
        ("response", "read", "api/v2/connections/absent", told[5][3]),
        ("request", "read", "api/v2/connections/pg", "the token is unknown"),
        ("response", "read", "api/v2/connections/pg", "the token is unknown")]
    assert told[5][3]
    code = root.post("/v1/sys/audit-hash/file", {"input": "hunter2"}).data["hash"]
    made, _, _, read = entries(log)[:4]
    assert made["request"]["data"]["password"] == code == read["response"]["data"]["password"]
    assert made["auth"]["display_name"] == "root" and CODE.fullmatch(made["request"]["client_token"])
    text = log.read_text()
    assert CODE.fullmatch(made["request"]["data"]["port"])
    assert "hunter2" not in text and "no-such-token" not in text and server.token not in text


def test_a_token_login_is_told_as_the_userpass_login_that_it_is(audited):
    server, log = audited()
    root = Connection(server)
    assert root.post("/v1/sys/auth/userpass", {"type": "userpass"}).status == 204
    assert root.post("/v1/auth/userpass/users/alice", {"password": "hunter2"}).status == 204
    before = len(entries(log))
    token = root.post("/auth/token", {"username": "alice", "password": "hunter2"}, token=None).json["access_token"]
    assert root.post("/auth/token/cli", {"username": "alice", "password": "hunter3"}, token=None).status == 401
    told = entries(log)[before:]
    assert {one["request"]["path"] for one in told} == {"auth/userpass/login/alice"}
    assert [one["type"] for one in told] == ["request", "response"] * 2
    assert told[1]["auth"]["display_name"] == "userpass-alice"
    assert "invalid username or password" in told[3]["error"]
    text = log.read_text()
    assert "hunter" not in text and token not in text


def test_a_read_from_a_vault_says_where_its_answer_came_from(front, tmp_path):
    made = front(start=False)
    log = tmp_path / "audit.log"
    made.config["audit"] = str(log)
    made.start()
    made.upstream.write("a", {"value": "1"})
    outcomes = [outcome(made.read("a")), outcome(made.read("a")), outcome(made.read("absent")), outcome(made.read("absent"))]
    outcomes.append(outcome(made.client.list("/v1/airflow/metadata/")))
    assert outcomes[:2] == ["MISS", "HIT"] and outcomes[-1] == "BYPASS"
    told = [one["response"].get("cache") for one in entries(log) if one["type"] == "response"]
    assert told == outcomes
    listed = entries(log)[-1]
    refused = made.client.post("/v1/airflow/data/a", {"data": {"k": "v"}, "options": {"cas": 99}})
    assert refused.status == 400 and refused.errors[0] not in log.read_text(), "a vault's errors may quote what was sent"
    assert CODE.fullmatch(entries(log)[-1]["response"]["data"]["errors"][0])
    assert listed["request"]["operation"] == "list" and CODE.fullmatch(listed["response"]["data"]["keys"][0])
    made.stop()


# Nothing is served that is not in the log


def test_each_of_many_requests_at_once_has_its_two_entries(audited):
    server, log = audited()

    def work(number):
        client = Connection(server)
        return [client.put(f"/v1/secret/data/{number}", {"data": {"n": n}}).json["request_id"] for n in range(25)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = [one for several in pool.map(work, range(8)) for one in several]
    types = {}
    for entry in entries(log):
        types.setdefault(entry["request"]["id"], []).append(entry["type"])
    assert types == {one: ["request", "response"] for one in ids}


def test_a_log_that_cannot_be_written_refuses_requests_before_they_take_effect(audited, tmp_path):
    link, log = tmp_path / "link", tmp_path / "audit.log"
    link.symlink_to(log)
    server, _ = audited(link)
    root = Connection(server)

    def point_to(target, said):
        link.unlink()
        link.symlink_to(target)
        count = server.stderr.count(said)
        server.child.send_signal(signal.SIGHUP)
        wait_until(lambda: server.stderr.count(said) > count, "the log is opened anew", process=server.child)

    assert root.put("/v1/secret/data/a", {"data": {"k": "before"}}).status == 200
    point_to("/dev/full", "is opened anew")
    for answer in [
        root.put("/v1/secret/data/a", {"data": {"k": "after"}}), root.get("/v1/secret/data/a"), root.delete("/v1/secret/data/a"),
        root.post("/v1/auth/token/create", {}), root.get("/v1/secret/data/a", token="bad"), root.get("/v1/nomount/x"),
        root.put("/v1/sys/policies/acl/p", {"policy": ""}),
    ]:
        assert (answer.status, answer.errors) == (500, ["internal error"])
    assert root.get("/api/v2/connections").status == 500
    assert root.get("/v1/sys/health", token=None).status == 200
    assert server.stderr.count("cannot be written: No space left on device") == 1
    assert "make room" in server.stderr
    point_to(log, "is opened anew")
    read = root.get("/v1/secret/data/a")
    assert read.data["data"] == {"k": "before"} and read.data["metadata"]["version"] == 1
    assert root.get("/v1/sys/policies/acl/p").status == 404
    assert server.stderr.count("is written again") == 1
    assert [one["request"]["path"] for one in entries(log)].count("secret/data/a") == 4


def test_the_log_is_rotated_without_losing_an_entry(audited, tmp_path):
    server, log = audited()
    assert oct(log.stat().st_mode & 0o777) == "0o600"
    ids = []

    def work():
        client = Connection(server)
        while len(ids) < 300:
            ids.append(client.get("/v1/sys/mounts").json["request_id"])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work) for _ in range(2)]
        for number in range(3):
            wait_until(lambda: len(ids) > 80 * number, "requests", process=server.child)
            log.rename(tmp_path / f"audit.{number}")
            server.child.send_signal(signal.SIGHUP)
            wait_until(log.exists, "a new file", process=server.child)
        for one in working:
            one.result()
    assert oct(log.stat().st_mode & 0o777) == "0o600"
    told = [one["request"]["id"] for path in tmp_path.glob("audit.*") for one in entries(path)]
    assert sorted(told) == sorted(ids * 2)


def test_a_reader_that_goes_away_does_not_take_the_server_with_it(audited, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server, _ = audited(fifo)
    root = Connection(server)
    assert root.get("/v1/sys/mounts").status == 200
    assert len(os.read(reader, 65536).splitlines()) == 2
    os.close(reader)
    assert root.get("/v1/sys/mounts").status == 500
    assert server.child.poll() is None
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert root.get("/v1/sys/mounts").status == 200
    os.close(reader)


def test_the_log_can_go_to_standard_output_after_the_ready_line(audited):
    server, _ = audited("stdout")
    answer = Connection(server).get("/v1/sys/mounts")
    ready, *lines = server.stdout.splitlines()
    assert ready == f"airlock ready on {server.url}"
    assert [json.loads(line)["request"]["id"] for line in lines] == [answer.json["request_id"]] * 2


@pytest.mark.parametrize("path, said", [
    ("/nowhere/at/all/audit.log", "cannot be opened: No such file or directory"), ("stdot", "audit must be `stdout` or the path"),
])
def test_a_log_that_cannot_be_opened_is_said_at_the_start(start_airlock, tmp_path, path, said):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"audit": path}))
    server = start_airlock("--config", str(config), wait_for_ready=False)
    assert server.wait() != 0
    assert said in server.stderr and "airlock ready" not in server.stdout


def test_an_audited_server_ends_well_and_without_a_log_nothing_is_listed(start_airlock):
    server = start_airlock()
    root = Connection(server)
    with contextlib.closing(root.http):
        assert root.get("/v1/sys/audit").data == {}
        assert root.post("/v1/sys/audit-hash/file", {"input": "x"}).errors == ['unknown audit backend "file/"']
