"""The tests' own Conjur keeps to what CLIENTS.md section 5 says of the real one, for what is tried on it to mean anything."""

import base64
import http.client
import json
import urllib.parse

import pytest

from conjur_server import URL_IDS, ConjurServer


@pytest.fixture
def conjur():
    server = ConjurServer()
    yield server
    server.stop()


def send(conjur, method, target, body=None, token=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", conjur.port, timeout=10)
    if token:
        headers["Authorization"] = f'Token token="{base64.b64encode(token).decode()}"'
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def log_in(conjur):
    status, token = send(conjur, "POST", "/authn/default/admin/authenticate", "admin-api-key")
    assert status == 200 and {"protected", "payload", "signature"} == set(json.loads(token))
    return token


def quoted(text):
    return urllib.parse.quote(text, safe="")


def full(*names):
    return ",".join(quoted(f"default:variable:{name}") for name in names)


def test_a_login_is_by_api_key_and_gives_a_token_that_ends(conjur):
    assert send(conjur, "POST", "/authn/default/admin/authenticate", "wrong") == (401, b"")
    assert send(conjur, "POST", "/authn/other/admin/authenticate", "admin-api-key") == (401, b"")
    token = log_in(conjur)
    assert send(conjur, "GET", "/whoami")[0] == 401
    assert send(conjur, "GET", "/whoami", token=token)[0] == 200
    conjur.end_tokens()
    assert send(conjur, "GET", "/whoami", token=token) == (401, b"")
    conjur.token_seconds = 0
    assert send(conjur, "GET", "/whoami", token=log_in(conjur))[0] == 401


@pytest.mark.parametrize("name", ["plain", "with/slashes/in it", "100%", "a+b", "é/ü", "a%2Fb", 'q"uote', "ключ"])
def test_an_id_and_a_value_come_back_as_they_went(conjur, name):
    token = log_in(conjur)
    target = f"/secrets/default/variable/{quoted(name)}"
    assert send(conjur, "GET", target, token=token)[0] == 404
    assert send(conjur, "POST", target, "x", token=token)[0] == 404
    policy = f"- !variable {json.dumps(name)}\n"
    assert send(conjur, "POST", "/policies/default/policy/root", policy, token)[0] == 201
    assert list(conjur.variables) == [name]
    assert send(conjur, "GET", target, token=token)[0] == 404, "made, but without a value"
    assert send(conjur, "POST", target, b"\xff raw\n", token) == (201, b"")
    assert send(conjur, "GET", target, token=token) == (200, b"\xff raw\n")


def test_versions_are_numbered_from_one(conjur):
    token = log_in(conjur)
    conjur.put("a", "one", "two")
    assert [send(conjur, "GET", f"/secrets/default/variable/a{query}", token=token)
            for query in ["", "?version=1", "?version=2"]] == [(200, b"two"), (200, b"one"), (200, b"two")]
    assert send(conjur, "GET", "/secrets/default/variable/a?version=3", token=token)[0] == 404


def test_a_batch_fails_whole_and_has_a_limit(conjur):
    token = log_in(conjur)
    names = [f"v/{number}" for number in range(URL_IDS + 1)]
    for name in names:
        conjur.put(name, name.upper())
    status, body = send(conjur, "GET", f"/secrets?variable_ids={full(*names[:URL_IDS])}", token=token)
    assert status == 200 and json.loads(body) == {f"default:variable:{n}": n.upper() for n in names[:URL_IDS]}
    assert send(conjur, "GET", f"/secrets?variable_ids={full(*names)}", token=token)[0] == 414
    assert send(conjur, "GET", f"/secrets?variable_ids={full('v/1', 'absent')}", token=token)[0] == 404
    conjur.variables["empty"] = []
    assert send(conjur, "GET", f"/secrets?variable_ids={full('v/1', 'empty')}", token=token)[0] == 404
    conjur.put("binary", b"\xff")
    assert send(conjur, "GET", f"/secrets?variable_ids={full('v/1', 'binary')}", token=token)[0] == 406
    conjur.denied = {"v/2"}
    assert send(conjur, "GET", f"/secrets?variable_ids={full('v/1', 'v/2')}", token=token) == (403, b"")


def test_a_policy_makes_variables_and_says_409_and_422(conjur):
    token = log_in(conjur)
    conjur.busy = 1
    load = ("POST", "/policies/default/policy/root", '- !variable "a"\n', token)
    assert send(conjur, *load)[0] == 409
    assert send(conjur, *load)[0] == 201
    for text in ["- !variable", "- !nonsense a", "{", "- {}"]:
        assert send(conjur, "POST", "/policies/default/policy/root", text, token)[0] == 422, text
    assert send(conjur, "POST", "/policies/default/policy/none", '- !variable "a"\n', token)[0] == 404
    assert send(conjur, "POST", "/secrets/default/variable/a", " ", token)[0] == 422


def test_a_list_has_what_the_login_sees_in_pages(conjur):
    token = log_in(conjur)
    for name in ["c", "a", "b", "hidden"]:
        conjur.put(name, "x")
    conjur.hidden = {"hidden"}

    def ids(query=""):
        status, body = send(conjur, "GET", f"/resources/default/variable{query}", token=token)
        return [entry["id"].removeprefix("default:variable:") for entry in json.loads(body)] if status == 200 else status

    assert ids() == ["a", "b", "c"]
    assert ids("?limit=2&offset=0") == ["a", "b"] and ids("?limit=2&offset=2") == ["c"]
    conjur.list_limit = 2
    assert ids("?limit=3") == 422
    assert ids() == ["a", "b"] and ids("?offset=2") == ["c"]


def test_nothing_deletes_a_variable(conjur):
    token = log_in(conjur)
    conjur.put("a", "x")
    assert send(conjur, "DELETE", "/secrets/default/variable/a", token=token)[0] == 404
    assert conjur.variables["a"] == [b"x"]
