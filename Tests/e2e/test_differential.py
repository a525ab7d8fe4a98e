"""`differential.txt` holds requests and the status that each must get. They go to the real OpenBao and to a fresh
Airlock in the same order; each line is one test, and Airlock's status, headers and body must be OpenBao's, but for what differences.py names."""

import json
import pathlib
import re

import pytest

import differences
import servers
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
        assert got["airlock"].headers["X-Vault-Namespace"] == got["openbao"].headers["X-Vault-Namespace"]
        where = differences.difference([line], got["openbao"], got["airlock"])
        assert where is None, where
        # On every answer, also where OpenBao leaves them out (413, an empty 400, a redirect).
        assert {name: got["airlock"].headers[name] for name in STANDARD_HEADERS} == STANDARD_HEADERS
