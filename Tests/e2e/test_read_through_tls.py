"""A vault behind TLS with a CA of its own, and what happens when its certificate is no longer the right one."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from front import outcome, value
from servers import wait_until


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.signed(self.key, name, x509.BasicConstraints(ca=True, path_length=0))
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def signed(self, key, subject, *extensions, days=1):
        now = datetime.datetime.now(datetime.timezone.utc)
        def named(text): return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        builder = (
            x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(self.name))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3)).not_valid_after(now + datetime.timedelta(days=days)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, address="127.0.0.1", days=1):
        """An `ssl.SSLContext` with a certificate of this authority for one address."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        file = self.folder / f"{self.name}-{address}-{days}.pem"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + self.signed(key, "server", name, days=days).public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.mark.parametrize("wrong", ["of another authority", "expired", "of another address", "no TLS at all"])
def test_a_certificate_that_is_not_the_right_one_is_an_outage(front, tmp_path, wrong):
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    right = ours.server()
    front = front(start=False)
    front.proxy.tls = right
    front.mount["kwargs"] |= {"url": front.proxy.url, "verify": str(ours.path)}
    front.start()
    front.upstream.write("connections/pg", {"value": "before"})
    assert value(front.read("connections/pg")) == "before"
    count = len(front.proxy.requests)

    front.proxy.tls = {
        "of another authority": others.server(), "expired": ours.server(days=-1),
        "of another address": ours.server("127.0.0.2"), "no TLS at all": None}[wrong]
    front.proxy.drop_clients()
    front.invalidate(mount="airflow")
    answer = front.read("connections/pg")
    assert (value(answer), outcome(answer)) == ("before", "STALE")
    unknown = front.read("connections/never")
    assert (unknown.status, unknown.headers["Retry-After"]) == (503, "1")
    assert len(front.proxy.requests) == count, "a token was sent to a server that was not verified"

    front.upstream.write("connections/pg", {"value": "after"})
    front.proxy.tls = right
    answer = wait_until(lambda: outcome(answer := front.read("connections/pg")) != "STALE" and answer, "it is over")
    assert value(answer) == "after"


def test_an_authority_of_ones_own_is_not_trusted_unless_it_is_named(front, tmp_path):
    front = front(start=False)
    front.proxy.tls = Authority(tmp_path, "ours").server()
    front.mount["kwargs"]["url"] = front.proxy.url
    front.start()
    assert front.read("connections/pg").status == 503
    assert front.proxy.requests == []
