"""Plain reads answered from memory, on the wire: the same bytes as the ordinary way's, in order, and never one too old."""

import re
import socket
import threading

import pytest

from front import READER, Front, done
from servers import wait_until
from wire import Connection

TOKEN = "X-Vault-Token: {}\r\n"


def request(path, token, *headers, method="GET"):
    more = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {path} HTTP/1.1\r\nHost: airlock\r\nX-Vault-Token: {token}\r\n{more}\r\n".encode()


class Raw:
    """One connection, its bytes as they come."""

    def __init__(self, server):
        self.socket = socket.create_connection(server.host_and_port, timeout=20)
        self.bytes = self.socket.makefile("rb")

    def send(self, *requests):
        self.socket.sendall(b"".join(requests))

    def answer(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.bytes.readline()
            assert line, head
            head += line
        length = re.search(rb"Content-Length: (\d+)", head)
        return head + self.bytes.read(int(length[1]) if length else 0)

    def ask(self, *arguments, **more):
        self.send(request(*arguments, **more))
        return self.answer()


def without_what_differs(answer):
    return re.sub(rb'"request_id":"[0-9a-f-]{36}"|Date: [^\r]+|Age: \d+', b"", answer)


def request_id(answer):
    return re.search(rb'"request_id":"([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"', answer)[1]


@pytest.fixture(scope="module")
def reader(airlock):
    """A token that may read; and a secret of each version."""
    root = Connection(airlock)
    done(root.post("/v1/sys/mounts/plain", {"type": "kv", "options": {"version": "1"}}))
    done(root.put("/v1/sys/policies/acl/reader", {
        "policy": 'path "secret/data/*" { capabilities = ["read"] } path "plain/*" { capabilities = ["read"] }'}))
    done(root.post("/v1/secret/data/pg", {"data": {"conn_uri": "postgres://a:p%40ss@db/x", "digits": 1.10}}))
    done(root.post("/v1/plain/pg", {"value": "x", "ttl": "90m"}))
    return done(root.post("/v1/auth/token/create", {"policies": ["reader"]})).json["auth"]["client_token"]


@pytest.mark.parametrize("path", ["/v1/secret/data/pg", "/v1/plain/pg"])
def test_a_hit_has_the_bytes_of_the_ordinary_answer_and_an_id_of_its_own(airlock, reader, path):
    connection = Raw(airlock)
    ordinary = connection.ask(path, reader, "X-Ordinary: yes")
    answers = [connection.ask(path, reader) for _ in range(50)]
    assert {without_what_differs(answer) for answer in answers} == {without_what_differs(ordinary)}
    assert len({request_id(answer) for answer in [ordinary, *answers]}) == 51


def test_answers_come_in_the_order_of_their_requests(airlock, reader):
    connection = Raw(airlock)
    connection.ask("/v1/secret/data/pg", reader)
    asked = ["/v1/secret/data/pg", "/v1/secret/data/none", "/v1/plain/pg", "/v1/secret/data/pg"] * 20
    connection.send(*(request(path, reader) for path in asked))
    answers = [connection.answer() for _ in asked]
    kinds = {"/v1/secret/data/pg": b"conn_uri", "/v1/secret/data/none": b"404 Not Found", "/v1/plain/pg": b'"ttl"'}
    assert all(kinds[path] in answer for path, answer in zip(asked, answers))


@pytest.mark.parametrize("path", ["/v1/secret/data/pg", "/v1/secret/data/none"], ids=["from memory", "the ordinary way"])
def test_a_client_that_has_said_all_it_has_to_say_still_gets_its_answers(airlock, reader, path):
    Raw(airlock).ask("/v1/secret/data/pg", reader)
    connection = Raw(airlock)
    connection.send(*[request(path, reader)] * 30)
    connection.socket.shutdown(socket.SHUT_WR)
    answers = [connection.answer() for _ in range(30)]
    assert all((b"200 OK" if path.endswith("pg") else b"404 Not Found") in answer for answer in answers)
    assert connection.bytes.read() == b""


def test_what_is_no_http_is_refused_also_after_a_hit(airlock, reader):
    connection = Raw(airlock)
    for _ in range(2):
        assert b"200 OK" in connection.ask("/v1/secret/data/pg", reader)
    connection.send(b"\x16\x03\x01\r\n\r\n")
    assert b"400 Bad Request" in connection.answer()
    assert connection.bytes.read() == b""


def test_a_stop_does_not_wait_for_connections_that_memory_alone_has_answered(start_airlock):
    server = start_airlock()
    root = Connection(server)
    done(root.post("/v1/secret/data/pg", {"data": {"x": 1}}))
    done(root.get("/v1/secret/data/pg"))
    idle, never_used = Raw(server), Raw(server)
    assert b"200 OK" in idle.ask("/v1/secret/data/pg", server.token)
    server.terminate()
    assert server.wait(seconds=10) == 0
    assert idle.bytes.read() == never_used.bytes.read() == b""


def test_who_sends_many_requests_and_then_nothing_more_is_answered_in_full(airlock):
    raw, count = Raw(airlock), 200
    raw.send(*(request(f"/v1/secret/data/absent-{number}", "s.unknown") for number in range(count)))
    raw.socket.shutdown(socket.SHUT_WR)
    for _ in range(count):
        assert raw.answer().startswith(b"HTTP/1.1 403 ")
    assert raw.bytes.read() == b""


def test_a_change_on_one_connection_is_seen_by_the_next_request_on_another(airlock):
    root, connection = Connection(airlock), Raw(airlock)
    done(root.put("/v1/sys/policies/acl/brief", {"policy": 'path "secret/data/*" { capabilities = ["read"] }'}))
    token = done(root.post("/v1/auth/token/create", {"policies": ["brief"]})).json["auth"]["client_token"]

    def read(*wanted):
        for _ in range(3):  # the ordinary way, and twice from memory
            assert all(part in connection.ask("/v1/secret/data/moving", token) for part in wanted)

    for number in range(20):
        done(root.post("/v1/secret/data/moving", {"data": {"number": number}}))
        read(b"200 OK", b'{"number": %d}' % number)
    done(root.delete("/v1/secret/data/moving"))
    read(b"404 Not Found")
    done(root.post("/v1/secret/undelete/moving", {"versions": [20]}))
    read(b"200 OK")
    done(root.put("/v1/sys/policies/acl/brief", {"policy": 'path "secret/data/*" { capabilities = ["deny"] }'}))
    read(b"403 Forbidden")
    done(root.put("/v1/sys/policies/acl/brief", {"policy": 'path "secret/data/*" { capabilities = ["read"] }'}))
    read(b"200 OK")
    done(root.put("/v1/sys/rotate"))
    read(b"200 OK")
    done(root.post("/v1/auth/token/revoke", {"token": token}))
    read(b"403 Forbidden")


def test_no_reader_gets_a_value_that_was_replaced_before_it_asked(airlock, reader):
    root = Connection(airlock)
    acknowledged, wrong, reads = [0], [], [0]
    done(root.post("/v1/secret/data/race", {"data": {"number": 0}}))

    def watch():
        connection = Raw(airlock)
        while acknowledged[0] < 100 and not wrong:
            floor = acknowledged[0]
            number = int(re.search(rb'"number": (\d+)', connection.ask("/v1/secret/data/race", reader))[1])
            reads[0] += 1
            if number < floor:
                wrong.append((number, floor))

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for number in range(1, 101):
        done(root.post("/v1/secret/data/race", {"data": {"number": number}}))
        acknowledged[0] = number
    for watcher in watchers:
        watcher.join(30)
    assert not wrong and reads[0] > 100


def test_a_cached_value_is_a_hit_with_a_true_age_until_it_changes(tmp_path, bao_server, start_airlock):
    front = Front(bao_server, tmp_path, start_airlock, behind_proxy=False).start()
    front.upstream.write("pg", {"value": "1"})
    client = Connection(front.airlock)
    done(client.put("/v1/sys/policies/acl/reader", {"policy": READER}))
    token = done(client.post("/v1/auth/token/create", {"policies": ["reader"]})).json["auth"]["client_token"]
    connection = Raw(front.airlock)
    path = "/v1/airflow/data/pg"
    assert b"X-Cache: MISS\r\nAge: 0\r\n" in connection.ask(path, token)
    ordinary = connection.ask(path, token, "X-Ordinary: yes")
    assert b"X-Cache: HIT\r\n" in ordinary
    before = front.metric("airlock_reads_total", outcome="HIT")
    hits = [connection.ask(path, token) for _ in range(10)]
    assert {without_what_differs(hit) for hit in hits} == {without_what_differs(ordinary)}
    assert front.metric("airlock_reads_total", outcome="HIT") == before + 10
    wait_until(lambda: b"Age: 1\r\n" in connection.ask(path, token), "a second has passed")

    done(client.post(path, {"data": {"value": "2"}}))
    assert b'{"value":"2"}' in connection.ask(path, token)
    connection.ask(path, token)
    front.upstream.write("pg", {"value": "3"})
    done(client.post("/v1/sys/airlock/invalidate", {"mount": "airflow/"}))
    assert b'{"value":"3"}' in connection.ask(path, token)
