"""`differential.txt` holds requests and the status that each must get. They go to the real OpenBao and to a fresh
Airlock in the same order; each line is one test, and Airlock's status, headers and body must be OpenBao's."""

import json
import pathlib
import re

import pytest

import servers
from conftest import chosen
from wire import Connection

HEADERS = ["Cache-Control", "Content-Type", "Strict-Transport-Security", "Location"]
LARGE = '{"data":{"k":"' + "x" * (33 << 20) + '"}}'


class Line:
    def __init__(self, number, text):
        self.number, self.text = number, text
        request, *parts = text.split("  ")
        status, self.method, self.path = request.split(" ", 2)
        self.status = int(status)
        self.body, self.token, self.headers, self.remember = None, "root", {}, {}
        for part in parts:
            if part.startswith("as "):
                self.token = part[3:]
            elif part.startswith("with "):
                name, value = part[5:].split(": ", 1)
                self.headers[name] = value
            elif part.startswith("=> "):
                name, path = part[3:].split(" = ")
                self.remember[name] = path.split(".")
            else:
                self.body = LARGE if part == "<33 MiB>" else part

    def send(self, connection, known):
        def filled(text):
            return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], match[0]), text) if text else text

        token = {"root": True, "nobody": None}.get(self.token, known.get(self.token, self.token))
        answer = connection.send(self.method, self.path, filled(self.body), token=token, headers=self.headers)
        for name, path in self.remember.items():
            value = answer.json
            for member in path:
                value = value[member]
            known[name] = value
        return answer


LINES = [
    Line(number, text)
    for number, text in enumerate(pathlib.Path(__file__).with_name("differential.txt").read_text().splitlines(), 1)
    if re.match(r"\d{3} ", text)
]

# Where Airlock differs on purpose: the line's path or its whole text, what Airlock must answer instead, and why.
# A string must be found in its body; a function is given OpenBao's normalised body and returns Airlock's.
DELIBERATE = {
    "/v1/secret/data/numbers": (
        '"data":{"big":12345678901234567890123,"one":1.0,"half":1.50,"e":1e3}',
        "numbers come back as they were written; OpenBao makes float64 of them"),
    "/v1/secret/data/order": (
        '"data":{"z":1,"a":2,"m":3}', "members keep their order; OpenBao sorts them"),
    "/v1/kv1/a/e": (
        '{"big":12345678901234567890123,"l":[1,null],"o":{"z":1,"a":2}}', "the same in version 1"),
    "/v1/sys/policies/acl/": (
        lambda body: body | {"data": {k: v for k, v in body["data"].items() if k in ("name", "policy")}}
        if isinstance(body, dict) and isinstance(body.get("data"), dict) and "policy" in body["data"] else body,
        "HashiCorp's shape, which hvac's own tests compare exactly: name and policy, none of OpenBao's additions"),
}

# Values that no two servers share, by the member's name ...
OWN_VALUES = {
    "request_id", "accessor", "client_token", "entity_id", "uuid", "secret_id_accessor", "cluster_name", "cluster_id",
    "commit_date", "build_date", "running_plugin_version", "storage_type", "creation_time", "server_time_utc",
}
# ... and by their look, wherever they stand.
LOOKS = [
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\bs\.[A-Za-z0-9]{24}\b", "<token>"),
    (r"\b((?:auth_)?[a-z]+)_[0-9a-f]{8}\b", r"\1_<id>"),
]


def normalise(value, name=""):
    if isinstance(value, dict):
        return {key: normalise(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [normalise(member) for member in value]
    if name in OWN_VALUES and value:
        return f"<{name}>"
    if name == "version" and isinstance(value, str) and "." in value:
        return "<version>"  # the program's, in health and seal-status
    if name == "ttl" and isinstance(value, int):
        return round(value / 60) * 60  # what is left of a lease
    if isinstance(value, str):
        for pattern, replacement in LOOKS:
            value = re.sub(pattern, replacement, value)
    return value


def comparable(answer):
    """Body and headers without what differs between any two servers."""
    try:
        body = normalise(json.loads(answer.body)) if answer.body else ""
    except ValueError:
        body = answer.text
    return body, {name: answer.headers[name] for name in HEADERS}


@pytest.fixture(scope="module")
def answers(request, tmp_path_factory):
    """What each chosen server answered to every line, from a fresh state."""
    return {name: play(name, tmp_path_factory.mktemp(name)) for name in chosen(request.config)}


def play(name, folder):
    server = {"openbao": servers.start_openbao, "airlock": servers.start_airlock}[name](folder)
    try:
        connection, known = Connection(server), {}
        played = []
        for line in LINES:
            try:
                played.append(line.send(connection, known))
            except Exception as failure:  # shown by that line's own test
                played.append(failure)
                connection.close()
        assert server.child.poll() is None, f"{name} died"
        return played
    finally:
        server.stop()


@pytest.mark.parametrize("number", range(len(LINES)), ids=[f"{line.number}: {line.text[:90]}" for line in LINES])
def test_airlock_answers_as_the_real_server_does(number, answers):
    line = LINES[number]
    got = {name: played[number] for name, played in answers.items()}
    for name, answer in got.items():
        assert not isinstance(answer, Exception), f"{name}: {answer!r}"
        assert answer.status == line.status, f"{name} answered {answer}"
    if len(got) == 2:
        expected_body, expected_headers = comparable(got["openbao"])
        body, headers = comparable(got["airlock"])
        instead, _ = next((
            value for path, value in DELIBERATE.items()
            if line.method == "GET" and line.path.startswith(path) and line.status == 200), (None, ""))
        if isinstance(instead, str):
            assert instead in got["airlock"].text
        else:
            assert body == (instead(expected_body) if instead else expected_body)
        assert headers == expected_headers
