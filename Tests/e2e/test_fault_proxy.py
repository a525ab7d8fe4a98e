"""The tests' own tools, tried on OpenBao alone: a fault that does nothing would prove nothing."""

import http.client
import socket
import threading
import time

import pytest

import fault_proxy as faults
from fault_proxy import FaultProxy
from raft_openbao import RaftOpenBao
from wire import Connection

PATH = "/v1/secret/data/x"
BODY = {"data": {"value": "right " * 50}}


@pytest.fixture(scope="module")
def proxy(bao_server):
    assert Connection(bao_server).post(PATH, BODY).status == 200
    proxy = FaultProxy(bao_server.host_and_port)
    proxy.token = bao_server.token
    proxy.host_and_port = ("127.0.0.1", proxy.port)
    yield proxy
    proxy.close()


def read(proxy, timeout=1):
    client = Connection(proxy, timeout=timeout)
    try:
        return client.get(PATH)
    finally:
        client.close()


def test_it_passes_on_and_counts_by_kind(proxy):
    proxy.forget()
    client = Connection(proxy)
    for _ in range(3):
        assert client.get(PATH).data["data"] == BODY["data"]
    assert client.post(PATH, BODY).status == 200
    assert client.list("/v1/secret/metadata/").status == 200
    assert client.get("/v1/secret/metadata?list=true").status == 200
    assert client.post("/v1/auth/approle/login", {"role_id": "r"}, token=None).status >= 400
    assert client.get("/v1/sys/health").status == 200
    client.close()
    assert [proxy.count(kind) for kind in ("read", "write", "list", "login", "other")] == [3, 1, 2, 1, 1]
    assert proxy.count("read", "secret/data/x") == 3 and proxy.count("read", "secret/data/y") == 0


@pytest.mark.parametrize("fault, error", [
    (faults.refuse, ConnectionRefusedError), (faults.hang, socket.timeout), (faults.reset, ConnectionResetError),
    (faults.close_without_a_word, http.client.RemoteDisconnected), (faults.truncate, http.client.IncompleteRead),
    (faults.drip, socket.timeout), (faults.not_http, http.client.BadStatusLine)], ids=lambda one: one.__name__)
def test_a_fault_of_the_connection_is_one_and_ends(proxy, fault, error):
    with proxy.failing(fault), pytest.raises(error):
        read(proxy, timeout=0.05 if fault is faults.drip else 1)  # a byte each 0.1 s
    assert read(proxy).data["data"] == BODY["data"]


@pytest.mark.parametrize("fault, status, part", [
    (faults.answer(503, {"errors": ["Vault is sealed"]}), 503, b"sealed"), (faults.html(200), 200, b"<html>"),
    (faults.answer(404, {"errors": ["no handler"]}), 404, b"no handler"),
    (faults.redirect_to("http://127.0.0.1:1"), 307, b"")], ids=["503", "html", "404", "redirect"])
def test_a_fault_of_the_answer_is_one_and_ends(proxy, fault, status, part):
    with proxy.failing(fault):
        answer = read(proxy)
    assert answer.status == status and part in answer.body
    assert read(proxy).status == 200


def test_half_a_json_is_whole_as_http(proxy):
    whole = read(proxy).body
    with proxy.failing(faults.half_json):
        half = read(proxy).body
    assert half and abs(len(half) - len(whole) // 2) < 5 and half[:1] == b"{"


def test_a_late_answer_is_late_and_a_held_one_waits(proxy):
    with proxy.failing(faults.late(0.3)):
        begun = time.monotonic()
        assert read(proxy).status == 200
        assert time.monotonic() - begun >= 0.3
    waits, answers = threading.Event(), []
    with proxy.failing(faults.held(holding=waits)):
        reader = threading.Thread(target=lambda: answers.append(read(proxy, timeout=20)))
        reader.start()
        assert waits.wait(10) and answers == []
        with pytest.raises(socket.timeout):
            Connection(proxy, timeout=0.2).post(PATH, {"data": {"value": "newer"}})  # done upstream, answered later
    reader.join(10)
    assert answers[0].data["data"] == BODY["data"]


def test_openbao_on_raft_keeps_its_data_over_a_kill_and_audits(tmp_path):
    bao = RaftOpenBao(tmp_path)
    try:
        client = Connection(bao)
        assert client.post("/v1/sys/mounts/kv", {"type": "kv"}).status == 204
        assert client.post("/v1/kv/x", {"value": "kept"}).status == 204
        client.close()
        bao.kill()
        with pytest.raises(OSError):
            Connection(bao).get("/v1/kv/x")
        bao.start()
        assert Connection(bao).get("/v1/kv/x").data == {"value": "kept"}
        assert bao.audited("read", "kv/x") == [("read", "kv/x")]
    finally:
        bao.stop()
