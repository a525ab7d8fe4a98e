"""The audit log's entries are the real OpenBao's, member by member, but for what docs/audit.md says."""

import json
import re

import pytest

import servers
from audited import CODE, start_audited
from comparison import normalise, same
from front import done
from wire import Connection

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
