"""What becomes of tokens of the cert login, what its clients make of it, and what only Airlock promises about it."""

import socket
import ssl
import subprocess

import hvac
import pytest

import servers
from client_certificates import LOGIN, WEB, Client, files, same, tls_servers  # fixtures among them
from wire import Connection


def renewal(client, certificate, path="renew-self", **changes):
    """A login, a change of the role, a renewal."""
    client.role(token_policies="p1", token_ttl="1h")
    token = client.login().json["auth"]["client_token"]
    if changes:
        client.send("POST", WEB, changes)
    if path == "renew":
        return client.send("POST", "/v1/auth/token/renew", {"token": token}, certificate)
    return client.send("POST", f"/v1/auth/token/{path}", {}, certificate, token=token)


def test_a_renewal_needs_the_certificate_of_the_login(tls_servers, files):
    for certificate, status in {"good": 200, "none": 400, "stranger": 400, "of the intermediate, alone": 400}.items():
        for path in ("renew-self", "renew"):
            assert same(tls_servers, files, lambda client: renewal(client, certificate, path))[0] == status
    for server in tls_servers:
        answer = renewal(Client(server, files), "plain")
        assert answer.status == 500, server.name
        assert "client identity during renewal not matching client identity used during login" in answer.errors[0]
    assert same(tls_servers, files, lambda client: renewal(client, "good", allowed_common_names="nope"))[0] == 400
    assert same(tls_servers, files, lambda client: renewal(client, "good", token_policies="other"))[0] == 500


def test_the_configuration_can_lift_that(tls_servers, files):
    config = "/v1/auth/cert/config"
    same(tls_servers, files, lambda client: client.send("GET", config))
    same(tls_servers, files, lambda client: client.send("POST", config, {"disable_binding": True}))
    try:
        same(tls_servers, files, lambda client: client.send("GET", config))
        for certificate in ("plain", "none", "stranger"):
            assert same(tls_servers, files, lambda client: renewal(client, certificate))[0] == 200
        assert same(tls_servers, files, lambda client: renewal(client, "none", token_policies="other"))[0] == 500
        same(tls_servers, files, lambda client: client.send("DELETE", config))
    finally:
        same(tls_servers, files, lambda client: client.send("POST", config, {"disable_binding": False}))
    assert same(tls_servers, files, lambda client: renewal(client, "none"))[0] == 400


def test_hvac_and_bao_log_in_with_a_certificate(tls_servers, files, tmp_path):
    for server in tls_servers:
        ca, file = str(server.authority.path), str(files.clients["good"])
        root = hvac.Client(url=server.url, token=server.token, verify=ca)
        root.sys.create_or_update_policy("p1", 'path "secret/data/a" { capabilities = ["read"] }')
        root.secrets.kv.v2.create_or_update_secret("a", {"k": "v"})
        (tmp_path / "root.pem").write_text(files.root.pem)
        root.auth.cert.create_ca_certificate_role(
            "web", certificate_file=str(tmp_path / "root.pem"), allowed_common_names="svc.*", token_policies=["p1"])
        assert root.auth.cert.list_certificate_roles()["data"]["keys"] == ["web"]
        assert root.auth.cert.read_ca_certificate_role("web")["data"]["allowed_common_names"] == ["svc.*"]
        client = hvac.Client(url=server.url, verify=ca)
        client.auth.cert.login(name="web", cert_pem=file, key_pem=file)
        assert client.secrets.kv.v2.read_secret_version("a")["data"]["data"] == {"k": "v"}
        environment = servers.clean_environment(tmp_path, BAO_ADDR=server.url, BAO_CACERT=ca)
        login = subprocess.run(
            [servers.TOOLS / "py/bin/bao", "login", "-method=cert", "-token-only", "-no-store", f"-client-cert={file}",
             f"-client-key={file}", "name=web"], env=environment, capture_output=True, text=True, timeout=30)
        assert login.returncode == 0, login.stderr
        assert Connection(server, token=login.stdout.strip()).get("/v1/secret/data/a").data["data"] == {"k": "v"}


@pytest.fixture
def airlock_with_tls(tls_servers, files, airlock_only):
    [server] = [server for server in tls_servers if server.name == "airlock"]
    return Client(server, files)


def test_what_would_not_be_enforced_is_refused(airlock_with_tls):
    for fields in [
            {"ocsp_enabled": True}, {"ocsp_fail_open": True}, {"ocsp_servers_override": "http://o"}, {"ocsp_ca_certificates": "x"},
            {"required_extensions": "1.2.3.4.5"}, {"required_extensions": "hex:1.2.3.4.5:0c"}, {"token_type": "batch"}]:
        answer = airlock_with_tls.role(**fields)
        assert answer.status == 400, fields
    assert airlock_with_tls.role(ocsp_enabled=False, ocsp_servers_override=[]).status == 204
    assert airlock_with_tls.send(
        "POST", "/v1/auth/cert/config", {"enable_identity_alias_metadata": True}).status == 400


def test_a_certificate_made_for_trouble_is_refused_like_any_stranger(airlock_with_tls, files):
    """Its end is past what can be counted, and its serial number is work for hours."""
    path = files.folder / "trouble.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-days", "2900000", "-set_serial", "0x7f" + "ab" * 7000, "-keyout", path, "-out", files.folder / "trouble.crt"],
        check=True, capture_output=True)
    path.write_bytes((files.folder / "trouble.crt").read_bytes() + path.read_bytes())
    endless = files.root.client("endless", days=2_900_000)
    airlock_with_tls.role()
    files.clients |= {"trouble": path, "endless": endless}
    try:
        assert airlock_with_tls.send("POST", LOGIN, {}, "endless").status == 200
        assert airlock_with_tls.send("POST", LOGIN, {}, "trouble").status == 400
    finally:
        del files.clients["trouble"], files.clients["endless"]


def test_a_renewal_for_a_role_that_is_gone_does_not_look_like_one(airlock_with_tls):
    airlock_with_tls.role(token_ttl="1h")
    token = airlock_with_tls.login().json["auth"]["client_token"]
    airlock_with_tls.send("DELETE", WEB)
    answer = airlock_with_tls.send("POST", "/v1/auth/token/renew-self", {}, "good", token=token)
    assert (answer.status, answer.errors) == (
        500, ['1 error occurred:\n\t* failed to renew entry: role "web" does not exist during renewal\n\n'])


def test_by_its_accessor_a_token_of_a_role_that_is_gone_is_refused_as_openbao_does(tls_servers, files):
    def renewal(client):
        client.role(token_ttl="1h")
        accessor = client.login().json["auth"]["accessor"]
        client.send("DELETE", WEB)
        return client.send("POST", "/v1/auth/token/renew-accessor", {"accessor": accessor}, "good")

    status, body = same(tls_servers, files, renewal)
    assert status == 500 and "failed to lookup the token" in str(body)


def test_a_resumed_session_still_has_the_clients_certificate(airlock_with_tls, files):
    airlock_with_tls.role()
    server = airlock_with_tls.server
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server.authority.client()
        context.maximum_version = version
        context.load_cert_chain(files.clients["good"])
        session = None
        for _ in range(2):
            connection = Connection(server)
            connection.http._context = context
            connection.http.connect()
            if session:
                connection.http.sock = context.wrap_socket(
                    socket.create_connection(server.host_and_port), server_hostname="127.0.0.1", session=session)
            assert connection.post(LOGIN, {}, token=None).status == 200
            assert connection.http.sock.session_reused == bool(session)
            session = connection.http.sock.session
            connection.close()


def test_disabling_the_method_revokes_its_tokens_and_forgets_its_roles(airlock_with_tls):
    airlock_with_tls.role()
    airlock_with_tls.send("POST", "/v1/auth/cert/config", {"disable_binding": True})
    token = airlock_with_tls.login().json["auth"]["client_token"]
    assert airlock_with_tls.send("DELETE", "/v1/sys/auth/cert").status == 204
    assert airlock_with_tls.send("GET", "/v1/auth/token/lookup-self", token=token).status == 403
    assert airlock_with_tls.send("POST", "/v1/sys/auth/cert", {"type": "cert"}).status == 204
    assert airlock_with_tls.send("LIST", "/v1/auth/cert/certs").status == 404
    assert airlock_with_tls.send("GET", "/v1/auth/cert/config").data["disable_binding"] is False
