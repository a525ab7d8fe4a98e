"""Certificates and signed tokens of the tests' own making."""

import base64
import datetime
import ipaddress
import json
import ssl
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority with its files in `folder`."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.signed(self.key, name, x509.BasicConstraints(ca=True, path_length=0))
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(PEM))

    def signed(self, key, subject, *extensions, days=1):
        now = datetime.datetime.now(datetime.timezone.utc)

        def named(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = (
            x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(self.name))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3)).not_valid_after(now + datetime.timedelta(days=days)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def client(self):
        """An `ssl.SSLContext` of a client that trusts this authority and no other."""
        return ssl.create_default_context(cafile=self.path)

    def issue(self, name, address="127.0.0.1", days=1):
        """Files with a certificate for one address and with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(self.signed(key, name, names, days=days).public_bytes(PEM))
        private.write_bytes(
            key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, private

    def server(self, **issued):
        """An `ssl.SSLContext` of a server with a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("-".join(["server", *map(str, issued.values())]), **issued))
        return context

    @property
    def public_key(self):
        return self.key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def jwt(self, seconds=600, **claims):
        """Signed with this authority's key."""
        now = int(time.time())

        def part(content):
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        head = part(b'{"alg":"ES256","typ":"JWT"}')
        body = part(json.dumps({"iat": now, "nbf": now - 1, "exp": now + seconds} | claims).encode())
        r, s = utils.decode_dss_signature(self.key.sign(head + b"." + body, ec.ECDSA(hashes.SHA256())))
        return b".".join([head, body, part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))]).decode()
