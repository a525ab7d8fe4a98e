"""The HTTP request path of the real server under requests made at random of real ones: it answers or closes, soon, grows by nothing,
and never says that something is broken. Also the known forms of request smuggling, and every verb on one connection.

The seed is fixed; with --long it is a new one each time, and the run takes minutes. AIRLOCK_FUZZ_SEED repeats a run."""

import collections
import json
import os
import pathlib
import random
import re
import socket
import time

import pytest

from audited import start_audited
from test_differential import LINES
from wire import Connection

SECONDS = 510  # of the long run; with the parsers (ParserFuzzTests) ten minutes
CASES = 700  # of the short one
DEADLINE = 15
GROWTH = 96 << 20
VERBS = ["GET", "LIST", "SCAN", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO", "PRI", "get"]

HEADERS = [
    "X-Vault-Token: {token}", "Authorization: Bearer {token}", "X-Vault-Namespace: ns1/", "X-Vault-Wrap-TTL: 60", "X-Vault-Request: true",
    "Content-Type: application/merge-patch+json", "Content-Type: application/x-www-form-urlencoded", "Cache-Control: no-cache",
    "Expect: 100-continue", "Connection: keep-alive", "Connection: close", "Accept-Encoding: gzip", "X-Forwarded-For: 1.2.3.4",
    "X-Airlock-Signature: t=1,v1=00", "Host: other", "Content-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Content-Length: 0x5", "Content-Length: -1", "Content-Length: 99999999999999999999", "X: " + "y" * 70_000, " folded", "Upgrade: h2c",
]
PATHS = ["%00", "%0a", "%2e%2e", "%2f", "..", "//", ".", ";", "+", "*", "%", "%zz", "%C3%A9", "%ff", "?list=true", "?version=-1", "?list=x",
         "&", "=", "#", "a" * 600, "/" * 50, "é", "data/", "metadata/", "?limit=99999999999999999999&after=%00"]
WORDS = [b"{", b"}", b"[", b'"', b"\\u0000", b"\\ud800", b"null", b"1e400", b"-", b"0", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b",",
         b"\xff", b"\xc3", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"Host: a\r\n", b"chunked", b"0\r\n\r\n", b"\r\n\r\n", b"5\r\nhello\r\n",
         b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"[" * 300, b'{"a":' * 300]


def corpus():
    """(method, path, body, headers) of the comparison with OpenBao and of the transcripts; how the body is sent is decided here."""
    made = [(line.method, line.path, line.body,
             [f"{name}: {value}" for name, value in line.headers.items() if name not in ("Transfer-Encoding", "Connection")])
            for line in LINES if line.body is None or len(line.body) < 100_000]
    folder = pathlib.Path(__file__).parents[1] / "AirlockHTTPTests/Transcripts"
    for path in sorted(folder.glob("*.http")):
        for method, target, body in re.findall(r"^> ([A-Z]+) (\S+)(?: (.*))?$", path.read_text(), re.MULTILINE):
            made.append((method, target, body or None, []))
    # A root token that revoked itself would leave only refusals to try.
    return [one for one in made if "revoke" not in one[1]]


class Maker:
    """Connections of one to four requests, as bytes."""

    def __init__(self, chance, token):
        self.chance, self.token = chance, token
        self.corpus = corpus()
        assert len(self.corpus) > 300

    def connection(self):
        """Bytes in pieces as they are sent, and how many answers there must be, if that is known."""
        requests = [self.request() for _ in range(self.chance.randint(1, 4))]
        whole, count = b"".join(text for text, _ in requests), len(requests)
        is_plain = all(is_plain for _, is_plain in requests)
        if self.chance.random() < 0.4:
            is_plain = False
            for _ in range(self.chance.randint(1, 4)):
                whole = self.mutated(whole)
        return self.pieces(whole), count if is_plain else None

    def request(self):
        chance = self.chance
        method, path, body, headers = chance.choice(self.corpus)
        is_plain = True
        if chance.random() < 0.3:
            method = chance.choice(VERBS)
        if chance.random() < 0.3:
            at = chance.randint(1, len(path))
            path = path[:at] + chance.choice(PATHS) + path[at:]
        body = body.encode() if body is not None else b""
        if body and chance.random() < 0.5:
            body = self.mutated(body)
        headers = list(headers)
        if chance.random() < 0.25:
            headers += chance.sample(HEADERS, chance.randint(1, 3))
            is_plain = False
        token = chance.choice([self.token] * 8 + ["", "s.unknown", "\x01", "x" * 5000])
        if token:
            headers.append(f"X-Vault-Token: {token}")
        if token == "\x01" or re.search(r"[^!-~]|#", path):
            is_plain = False
        if body and chance.random() < 0.3:
            headers.append("Transfer-Encoding: chunked")
            cut = chance.randint(0, len(body))
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part) + b"0\r\n\r\n"
        elif body or chance.random() < 0.2:
            headers.append(f"Content-Length: {len(body)}")
        chance.shuffle(headers)
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: airlock", *headers]).replace("{token}", self.token)
        return head.encode() + b"\r\n\r\n" + body, is_plain

    def mutated(self, text):
        chance = self.chance
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 20))
        match chance.randrange(6):
            case 0: return text[:start] + chance.choice(WORDS) + text[start:]
            case 1: return text[:start] + chance.choice(WORDS) + text[end:]
            case 2: return text[:start] + text[end:]
            case 3: return text[:end] + text[start:end] * chance.randint(1, 30) + text[end:]
            case 4: return text[:start] + bytes([chance.randrange(256)]) + text[start + 1:]
            case _: return text[:start]

    def pieces(self, whole):
        if self.chance.random() < 0.7:
            return [whole]
        cuts = sorted(self.chance.randint(0, len(whole)) for _ in range(self.chance.randint(1, 5)))
        return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]


def converse(server, pieces):
    """Sends the bytes, says that there are no more, and returns what came back until the server closed the connection."""
    with socket.create_connection(server.host_and_port, timeout=DEADLINE) as raw:
        try:
            for piece in pieces:
                raw.sendall(piece)
            raw.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # refused before all of it was read
        received, end = b"", time.monotonic() + DEADLINE
        try:
            while part := raw.recv(1 << 16):
                received += part
                assert time.monotonic() < end, "the connection is not closed"
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise AssertionError("no answer, and the connection is not closed") from None
        return received


def answers(received):
    """(status, body) of each answer in the bytes of a connection; what is not a row of whole answers is an error."""
    found = []
    while received:
        head, separator, rest = received.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        assert separator and status, f"this is no answer: {received[:200]!r}"
        if status[1].startswith(b"1"):
            received = rest
            continue
        length = re.search(rb"(?im)^content-length: *(\d+)\r?$", head)
        size = int(length[1]) if length else 0
        if rest.startswith(b"HTTP/1."):
            size = 0  # to a HEAD
        assert len(rest) >= size or not rest, f"an answer is cut short: {received[:200]!r}"
        found.append((int(status[1]), rest[:size]))
        received = rest[size:]
    return found


def check(found, expected):
    if expected is not None:
        assert len(found) == expected, f"{expected} requests, {len(found)} answers: {found}"
    for status, body in found:
        assert b"internal error" not in body, body
        # OpenBao answers 500 to a few mistakes of clients, such as a login without role_id; what is broken is in the log, too.
        assert status <= 500, (status, body)
        if body.startswith(b"{") and b'"' in body:
            json.loads(body)


def resident(server):
    status = pathlib.Path(f"/proc/{server.child.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


def prepare(server):
    """What the requests are about, also after they have disabled it."""
    root = Connection(server)
    root.post("/v1/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    root.post("/v1/sys/mounts/kv1", {"type": "kv"})
    root.post("/v1/sys/auth/approle", {"type": "approle"})
    assert root.get("/v1/auth/token/lookup-self").status == 200
    root.close()


def test_whatever_is_sent_is_answered_or_refused_soon_and_leaves_nothing_behind(start_airlock, tmp_path, long):
    airlock, audit = start_audited(start_airlock, tmp_path)
    seed = int(os.environ.get("AIRLOCK_FUZZ_SEED") or (random.randrange(1 << 32) if long else 2026))
    print(f"seed {seed}")
    maker = Maker(random.Random(seed), airlock.token)
    end = time.monotonic() + SECONDS
    warm, count, answered = None, 0, 0
    while time.monotonic() < end if long else count < CASES:
        if count % 200 == 0:
            prepare(airlock)
        # What the caches and the allocator take at first is not counted.
        if count == (3000 if long else 400):
            warm = resident(airlock)
        pieces, expected = maker.connection()
        try:
            found = answers(converse(airlock, pieces))
            check(found, expected)
        except (AssertionError, ValueError) as failure:
            pytest.fail(f"seed {seed}, case {count}: {failure}\nsent: {pieces!r}")
        assert airlock.child.poll() is None, f"seed {seed}, case {count}: the server died of {pieces!r}\n{airlock.stderr[-2000:]}"
        answered += len(found)
        count += 1
    print(f"{count} connections, {answered} answers")
    assert answered > count / 2
    assert not re.search(r"^\S+ (error|critical) |Fatal error", airlock.stderr, re.MULTILINE), airlock.stderr[-4000:]
    told = collections.Counter(json.loads(line)["type"] for line in audit.read_bytes().splitlines())
    assert told["request"] == told["response"] > answered / 4
    if warm is not None:
        grown = resident(airlock) - warm
        assert grown < GROWTH, f"seed {seed}: {grown >> 20} MiB more after {count} connections"


# Request smuggling: two readings of one row of bytes

VICTIM = b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n"
FORMS = {
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n",
    "two equal lengths": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x0\r\n\r\n",
    "a length too large": b"Content-Length: 18446744073709551616\r\n\r\n",
    "an empty length": b"Content-Length:\r\n\r\n",
    "a blank before the colon": b"Content-Length : 41\r\n\r\n",
    "a folded length": b"X: y\r\n Content-Length: 41\r\n\r\n",
    "a tab-folded encoding": b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a list of encodings": b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "chunked, quoted": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked, with a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "an encoding with a bare line feed": b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare carriage return": b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a NUL in a value": b"X: a\0b\r\n\r\n",
    "a name that is no token": b"Content\xadLength: 41\r\n\r\n",
    "a chunk size with a prefix": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk size that overflows": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "a chunk size and a bare line feed": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
    "a chunk extension with a line feed": b"Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n",
    "two hosts": b"Host: b\r\n\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_request_of_two_readings_is_refused_and_the_next_one_is_not_read(airlock, form):
    sent = b"POST /v1/secret/data/x HTTP/1.1\r\nHost: a\r\n" + FORMS[form] + VICTIM
    statuses = [status for status, _ in answers(converse(airlock, [sent]))]
    # A request without a token is answered before its body is read; what is wrong with the body then ends the connection.
    assert statuses in ([400], [403], [403, 400]), statuses


def test_every_verb_has_its_answer_on_one_connection(vault_server):
    root = Connection(vault_server)
    root.put("/v1/secret/data/verbs/a", {"data": {"k": "v"}})
    first = root.http.sock.getsockname()
    asked = [
        ("PUT", "secret/data/verbs/a", '{"data":{"k":"w"}}', 200), ("GET", "secret/data/verbs/a", None, 200),
        ("LIST", "secret/metadata/verbs", None, 200), ("LIST", "secret/metadata/verbs/", None, 200),
        ("GET", "secret/metadata/verbs?list=true", None, 200), ("GET", "secret/metadata?scan=true", None, 200),
        ("SCAN", "secret/metadata", None, 200), ("SCAN", "secret/metadata/verbs", None, 200), ("SCAN", "secret/metadata/verbs/", None, 200),
        ("SCAN", "secret/metadata/verbs/a", None, 200), ("SCAN", "secret/metadata/absent", None, 200),
        ("SCAN", "secret/detailed-metadata/verbs", None, 200), ("SCAN", "secret/data/verbs", None, 405), ("SCAN", "secret/data", None, 405),
        ("LIST", "secret/data/verbs", None, 405), ("GET", "secret/data/verbs?list=true", None, 405), ("SCAN", "secret/config", None, 404),
        ("SCAN", "cubbyhole", None, 405), ("POST", "cubbyhole/verbs/a", '{"k":"v"}', 204), ("GET", "cubbyhole/verbs/a", None, 200),
        ("LIST", "cubbyhole/verbs", None, 200), ("GET", "cubbyhole?list=true", None, 200), ("SCAN", "cubbyhole", None, 405),
        ("SCAN", "cubbyhole/verbs/", None, 405), ("GET", "cubbyhole/?scan=true", None, 405), ("DELETE", "cubbyhole/verbs/a", None, 204),
        ("SCAN", "nomount/x", None, 404), ("POST", "secret/data/verbs/a", '{"data":{"k":"w"}}', 200),
        ("LIST", "secret/metadata/absent", None, 404), ("HEAD", "secret/data/verbs/a", None, 405),
        ("PATCH", "secret/data/verbs/a", '{"data":{}}', 400),
        ("TRACE", "secret/data/verbs/a", None, 405), ("scan", "secret/metadata", None, 405),
        ("FOO", "secret/data/verbs/a", None, 405), ("DELETE", "secret/data/verbs/a", None, 204),
        ("SCAN", "nomount/", None, 404), ("GET", "secret/data/verbs/a", None, 404),
    ]
    for _ in range(3):
        got = [(method, path, body, root.send(method, f"/v1/{path}", body).status) for method, path, body, _ in asked]
        assert got == asked
    patched = root.patch("/v1/secret/data/verbs/b", {"data": {}}, headers={"Content-Type": "application/merge-patch+json"})
    assert patched.status == 404
    assert root.http.sock.getsockname() == first, "the connection was opened anew"
