"""Clients with certificates: what authorities make for them, and both servers asked with them over TLS."""

import contextlib
import datetime
import json
import re

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


@pytest.fixture(scope="module")
def tls_servers(request, files, tmp_path_factory):
    """The chosen servers, both with a certificate of one authority."""
    folder = tmp_path_factory.mktemp("servers")
    authority = Authority(folder, "servers")
    certificate = authority.issue("server")
    started = []
    for name in chosen(request.config):
        if name == "openbao":
            server = servers.start_openbao(folder / name, tls=certificate)
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

    def connection(self, certificate, token=None):
        connection = Connection(self.server, token=token)
        context = self.server.authority.client()
        if file := self.files.clients[certificate]:
            context.load_cert_chain(file)
        connection.http._context = context
        return connection

    def send(self, method, path, body=None, certificate="none", token=None):
        with contextlib.closing(self.connection(certificate, token or self.server.token)) as connection:
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
