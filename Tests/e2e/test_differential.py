"""`differential.txt` holds requests and the status that each must get. They go to the real OpenBao and to a fresh
Airlock in the same order; each line is one test, and Airlock's status, headers and body must be OpenBao's."""

import json
import pathlib
import re

import pytest

import servers
from comparison import comparable, first_difference, same
from conftest import chosen
from wire import Connection

STANDARD_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
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
        answer = connection.send(self.method, filled(self.path), filled(self.body), token=token, headers=self.headers)
        for name, path in self.remember.items():
            value = answer.json
            for member in path:
                value = value[int(member)] if isinstance(value, list) else value[member]
            known[name] = value
        return answer


LINES = [
    Line(number, text)
    for number, text in enumerate(pathlib.Path(__file__).with_name("differential.txt").read_text().splitlines(), 1)
    if re.match(r"\d{3} ", text)
]

def without(*names):
    def shortened(body):
        if not isinstance(body, dict):
            return body
        return {name: shortened(value) for name, value in body.items() if name not in names}
    return shortened


# Where Airlock differs on purpose: a pattern for the line, what its body must hold or what OpenBao's body is turned into
# before the comparison, and why. docs/compatibility.md tells users the same.
DELIBERATE = [
    (r"200 GET /v1/secret/data/numbers", '"data":{"big":12345678901234567890123,"one":1.0,"half":1.50,"e":1e3}',
     "numbers come back as they were written; OpenBao makes float64 of them"),
    (r"200 GET /v1/secret/data/order", '"data":{"z":1,"a":2,"m":3}', "members keep their order; OpenBao sorts them"),
    (r"200 GET /v1/kv1/a/e", '{"big":12345678901234567890123,"l":[1,null],"o":{"z":1,"a":2}}', "the same in version 1"),
    (r"200 GET /v1/sys/policies/acl/default", "auth/token/lookup-self",
     "of the default policy only the grants on paths that Airlock serves"),
    (r"200 GET /v1/(team1/)?sys/polic(ies/acl|y)/[a-z]+($|  as ns_)",
     without("allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates", "cas_required", "modified", "version"),
     "HashiCorp's shape, which hvac's own tests compare exactly: name and text, none of OpenBao's additions"),
    (r'400 .*(\{"data":$|"role_id":  as| bad$|1e400|\} zzz$|:01\}|"v"\}\}\}$|\{\'data|"v"\},\})', "failed to decode JSON input: ",
     "a position and a reason; never a character of what was sent, which may be a secret's"),
    (r'400 .*(: bogus|: 1\.5$|"1w"|"bogus"|"-1s"|"": ?"empty key"|"junk"|fly|READ|\[1\])', '{"errors":["',
     "the field and the rule; the value sent is not repeated"),
    (r'400 .*("input":"not|hash/md5|tune  .*"version":"3"|tune  .*plugin_version|auth/token/tune)', '{"errors":["',
     "what to do instead; the value sent is not repeated"),
    (r"200 GET /v1/sys/key-status", without("encryptions"), "nobody counts them"),
    (r"200 POST /v1/sys/remount",
     lambda body: body | {"warnings": ["The mount has been moved. sys/remount/status and the migration_id tell it for a day."]},
     "the move is done, not queued"),
    (r"400 .*x-www-form-urlencoded", "no data provided", "a form is not read at all"),
    (r"307 GET", lambda body: "", "no HTML"),
    (r"200 [A-Z]+ /v1/(team1/)?sys/namespaces/?(\?|$|  as|  with)",
     lambda body: body | {"data": body["data"] | {"keys": sorted(body["data"]["keys"])}},
     "the order of the keys, which OpenBao leaves open"),
    (r"200 GET /v1/team1/sys/(mounts/kv|policy)$", lambda body: body["data"] | body,
     "older clients' copy of the members is there whichever way the namespace was named"),
    (r"200 GET /v1/sys/(internal/ui/)?mounts$", '"cubbyhole/":{"accessor":"cubbyhole_', "only what is there: no identity store"),
    (r'400 POST /v1/more/metadata/cm  {"custom_metadata":{"k?(\\u00a0)?":(null|")', "custom_metadata validation failed: ",
     "the rule; neither the key nor the value is repeated"),
    (r'200 POST /v1/sys/mounts/plain/tune', "Upgrading mount from version 1 to version 2.", "the version that it becomes"),
    (r'400 POST /v1/sys/mounts/plain/tune  .*"3"', "invalid version provided: ", "the value sent is not repeated"),
    (r"200 GET /v1/(team1/)?sys/seal-status", without("commit_date"), "there is no such date"),
    (r"200 GET /v1/auth/token/lookup-self$",
     lambda body: body | {"data": body["data"] | {"display_name": "root", "path": "auth/token/root"}},
     "what a root token is in production; a dev server's is made by auth/token/create"),
    (r"202 POST /v1/auth/(token|approle)/tidy", '"warnings":["Tidy operation successfully started.', "it is done already, and needs no log"),
    (r'200 POST .*"id":"mine"', '"warnings":null', "a token is known by a keyed digest, whoever chose its text"),
    (r"200 POST .*/roles/.*99999h", '"warnings":["Given explicit max TTL of 359996400 is greater than', "such a role does make tokens, there too"),
    (r'(400|500) POST .*("ttl":"-5m"|"lockout_threshold":-1)', '{"errors":["', "the field and the rule; not the value"),
    (r'(400|500) POST .*(\["10.0.0.0/8"\]|"cid","secret_id":"\{cs)', lambda body: {"errors": [re.sub(r'( \["[^]]*"\])|(: %!w\(<nil>\))', "", body["errors"][0])]},
     "without the blocks, and without the remains of Go's formatting"),
]


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
                if line.path == "/v1/sys/remount" and played[-1].status == 200:
                    await_move(connection, played[-1].data["migration_id"])
            except Exception as failure:  # shown by that line's own test
                played.append(failure)
                connection.close()
        assert server.child.poll() is None, f"{name} died"
        return played
    finally:
        server.stop()


def await_move(connection, migration):
    """OpenBao moves a mount after it has answered."""
    def status():
        return connection.get(f"/v1/sys/remount/status/{migration}").data["migration_info"]["status"]

    servers.wait_until(lambda: status() != "in-progress", "the mount is moved")


@pytest.mark.parametrize("number", range(len(LINES)), ids=[f"{line.number}: {line.text[:90]}" for line in LINES])
def test_airlock_answers_as_the_real_server_does(number, answers):
    line = LINES[number]
    got = {name: played[number] for name, played in answers.items()}
    for name, answer in got.items():
        assert not isinstance(answer, Exception), f"{name}: {answer!r}"
        assert answer.status == line.status, f"{name} answered {answer}"
    if len(got) == 2:
        expected_body, location = comparable(got["openbao"])
        body, own_location = comparable(got["airlock"])
        assert own_location == location
        assert got["airlock"].headers["X-Vault-Namespace"] == got["openbao"].headers["X-Vault-Namespace"]
        instead = next((instead for pattern, instead, _ in DELIBERATE if re.match(pattern, line.text)), lambda body: body)
        if isinstance(instead, str):
            assert instead in got["airlock"].text
        else:
            assert same(instead(expected_body), body), first_difference(instead(expected_body), body)
        # On every answer, also where OpenBao leaves them out (413, an empty 400, a redirect).
        assert {name: got["airlock"].headers[name] for name in STANDARD_HEADERS} == STANDARD_HEADERS
