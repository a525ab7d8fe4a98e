"""Airlock's own TLS listener: who can connect, what a renewed certificate does, and what the clients make of it."""

import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time

import hvac
import pytest

import servers
from authority import Authority
from servers import wait_until
from wire import Connection


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "ca").mkdir()
    return Authority(tmp_path / "ca", "ours")


@pytest.fixture
def start_tls(start_airlock, authority, tmp_path):
    """Airlock with a certificate in `server.crt` and `server.key`; settings as a configuration file has them."""
    def start(*arguments, wait_for_ready=True, **settings):
        certificate, key = authority.issue("server")
        key.chmod(0o600)
        settings = {"tls_cert_file": str(certificate), "tls_key_file": str(key)} | settings
        (tmp_path / "config.json").write_text(json.dumps(settings))
        server = start_airlock("--config", str(tmp_path / "config.json"), *arguments, wait_for_ready=wait_for_ready)
        server.tls, server.certificate, server.key = authority.client(), certificate, key
        return server

    return start


def shown(server):
    """The certificate that a new connection gets."""
    return ssl.get_server_certificate(server.host_and_port)


def test_the_clients_of_a_vault_reach_it_with_the_authoritys_certificate(start_tls, authority, tmp_path):
    server = start_tls()
    assert server.url.startswith("https://")
    assert server.stdout == f"airlock ready on {server.url}\n"
    ca = str(authority.path)
    client = hvac.Client(url=server.url, token=server.token, verify=ca)
    client.secrets.kv.v2.create_or_update_secret("connections/pg", {"conn_uri": "postgres://h"})
    assert client.secrets.kv.v2.read_secret_version("connections/pg")["data"]["data"] == {"conn_uri": "postgres://h"}

    def run(*command, **environment):
        done = subprocess.run(
            command, env=servers.clean_environment(tmp_path, **environment), capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    bao = servers.TOOLS / "py/bin/bao"
    code, output = run(
        bao, "kv", "get", "-field=conn_uri", "secret/connections/pg", BAO_ADDR=server.url, BAO_CACERT=ca,
        BAO_TOKEN=server.token)
    assert (code, output) == (0, "postgres://h")
    code, output = run("curl", "-sS", "--cacert", ca, f"{server.url}/v1/sys/health")
    assert code == 0 and '"sealed":false' in output
    own = {"AIRLOCK_ADDR": server.url, "AIRLOCK_TOKEN": server.token}
    explain = [servers.airlock_program(), "explain", "connection", "pg"]
    code, output = run(*explain, **own, AIRLOCK_CACERT=ca)
    assert code == 0 and "Airflow would get this connection" in output
    assert run(*explain, **own)[0] == 1, "a certificate of nobody known was believed"
    (tmp_path / "one.env").write_text("AIRFLOW_VAR_GREETING=hello\n")
    imported = [servers.airlock_program("conn-import"), str(tmp_path / "one.env")]
    assert run(*imported, **own)[0] == 1
    code, output = run(*imported, **own, AIRLOCK_CACERT=ca)
    assert code == 0 and "imported 0 connections, 1 variable" in output
    code, output = run(*imported, "--url", server.url, "--cacert", ca, AIRLOCK_TOKEN=server.token)
    assert code == 0 and "unchanged 1" in output


def test_a_renewed_certificate_is_taken_at_sighup_and_open_connections_go_on(start_tls, authority):
    server = start_tls()
    before, kept = shown(server), Connection(server)
    assert kept.get("/v1/sys/health").status == 200
    authority.issue("server")
    server.child.send_signal(signal.SIGHUP)
    wait_until(lambda: shown(server) != before, "the new certificate is served", process=server.child)
    assert shown(server) == server.certificate.read_text()
    assert kept.get("/v1/sys/health").status == 200
    assert kept.http.sock.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(before)
    assert server.stop() == 0


@pytest.mark.parametrize("damage", ["no file", "no certificate", "another key", "no key"])
def test_broken_files_are_named_at_the_start_and_at_sighup_keep_what_was_there(
        start_tls, start_airlock, authority, damage):
    server = start_tls()
    before = shown(server)
    broken = server.key if "key" in damage else server.certificate
    match damage:
        case "no file": broken.unlink()
        case "another key": shutil.copy(authority.issue("other")[1], broken)
        case _: broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    server.child.send_signal(signal.SIGHUP)
    wait_until(lambda: "the certificate in use stays" in server.stderr, "the log says so", process=server.child)
    assert str(broken) in server.stderr
    assert shown(server) == before and Connection(server).get("/v1/sys/health").status == 200
    assert server.stop() == 0

    again = start_airlock(
        "--tls-cert-file", str(server.certificate), "--tls-key-file", str(server.key), wait_for_ready=False)
    assert again.wait() == 1
    assert str(broken) in again.stderr and "PRIVATE" not in again.stderr


def test_sighup_does_not_end_airlock_without_tls(start_airlock):
    server = start_airlock()
    server.child.send_signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP" in server.stderr, "the signal is noticed", process=server.child)
    assert Connection(server).get("/v1/sys/health").status == 200


def handshake(server, **limits):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ciphers = limits.pop("ciphers", None)
    if ciphers:
        context.set_ciphers(ciphers)
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name, value in limits.items():
        setattr(context, name, value)
    with socket.create_connection(server.host_and_port, timeout=10) as plain, context.wrap_socket(plain) as secure:
        return secure.version(), secure.cipher()[0], secure.selected_alpn_protocol()


def test_only_tls_of_today_is_spoken(start_tls):
    server = start_tls()
    assert handshake(server)[::2] == ("TLSv1.3", "http/1.1")
    version, cipher, _ = handshake(server, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2" and cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)
    for old in [
            {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1, "ciphers": "ALL:@SECLEVEL=0"},
            {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0"}]:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(server, **old)
    assert Connection(server).get("/v1/sys/health").status == 200


def test_plain_http_to_the_tls_port_is_told_what_is_wrong(start_tls):
    server = start_tls()
    with socket.create_connection(server.host_and_port, timeout=10) as plain:
        plain.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := plain.recv(4096):
            answer += part
    assert answer == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def test_a_client_that_stalls_in_the_handshake_is_let_go_and_holds_up_nobody(start_tls):
    server = start_tls()
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(socket.create_connection(server.host_and_port, timeout=20)) for _ in range(3)]
        stalled[1].sendall(b"\x16\x03\x01")
        stalled[2].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        assert Connection(server).get("/v1/sys/health").status == 200
        for connection in stalled:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    assert time.monotonic() - begun < 18


def test_a_clients_certificate_is_asked_for_but_not_demanded(start_tls, authority, tmp_path):
    server = start_tls()
    stranger = Authority(tmp_path, "stranger")
    assert Connection(server).get("/v1/sys/health").status == 200
    server.tls.load_cert_chain(*stranger.issue("client"))
    assert Connection(server).get("/v1/sys/health").status == 200


def test_where_it_is_demanded_only_certificates_of_the_named_authorities_get_in(start_tls, authority, tmp_path):
    ours, others = Authority(tmp_path, "clients"), Authority(tmp_path, "strangers")
    server = start_tls(tls_require_and_verify_client_cert=True, tls_client_ca_file=str(ours.path))

    def outcome(certificate):
        server.tls = authority.client()
        if certificate:
            server.tls.load_cert_chain(*certificate)
        try:
            return Connection(server).get("/v1/sys/health").status
        except (ssl.SSLError, ConnectionError):
            return "refused"

    assert outcome(ours.issue("good")) == 200
    refused = {
        "none": None, "another authority": others.issue("bad"), "expired": ours.issue("old", days=-1),
        "the server's own": (server.certificate, server.key)}
    assert {name: outcome(certificate) for name, certificate in refused.items()} == dict.fromkeys(refused, "refused")
    assert outcome(ours.issue("good")) == 200


def test_tls_may_listen_on_any_address(start_tls):
    server = start_tls("--listen", "0.0.0.0:0")
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert Connection(server).get("/v1/sys/health").status == 200
    assert "plain HTTP" not in server.stderr


def test_a_key_that_others_may_read_is_warned_of(start_tls, authority):
    certificate, key = authority.issue("open")
    key.chmod(0o644)
    server = start_tls(tls_cert_file=str(certificate), tls_key_file=str(key))
    assert f"everybody on this machine may read {key}" in server.stderr
    assert "everybody on this machine" not in start_tls("--data-dir", str(server.folder / "two")).stderr


@pytest.mark.parametrize("settings, named", [
    ({"tls_key_file": None}, "tls_key_file"), ({"tls_cert_file": None}, "tls_cert_file"),
    ({"tls_client_ca_file": "ca.pem"}, "tls_require_and_verify_client_cert"),
    ({"tls_require_and_verify_client_cert": True}, "tls_client_ca_file"),
    ({"x_forwarded_for_authorized_addrs": ["10.0.0.0/33"]}, "x_forwarded_for_authorized_addrs"),
    ({"x_forwarded_for_authorized_addrs": ["10.0.0.1", 5]}, "x_forwarded_for_authorized_addrs"),
    ({"require_request_header": "yes"}, "require_request_header")])
def test_settings_that_would_promise_more_than_is_done_are_refused(start_airlock, tmp_path, settings, named):
    (tmp_path / "ca.pem").touch()
    given = {"tls_cert_file": "a.crt", "tls_key_file": "a.key"} | settings
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in given.items() if v is not None}))
    server = start_airlock("--config", str(tmp_path / "config.json"), wait_for_ready=False)
    assert server.wait() == 2
    assert named in server.stderr
