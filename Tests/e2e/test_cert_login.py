"""The cert login: the same certificates and requests go over TLS to the real OpenBao and to Airlock, and both must answer
alike."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client_certificates import LOGIN, PEM, WEB, Issuer, files, same, tls_servers  # fixtures among them
from wire import Connection


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


def test_without_tls_there_is_no_certificate(vault_server):
    root = Connection(vault_server)
    assert root.post("/v1/sys/auth/cert", {"type": "cert"}).status == 204
    answer = root.post(LOGIN, {}, token=None)
    assert (answer.status, answer.errors) == (400, ["no client certificate found"])
    claimed = {"X-Forwarded-Client-Cert": "x", "X-SSL-Client-Cert": "x", "Ssl-Client-Cert": "x"}
    assert root.post(LOGIN, {}, token=None, headers=claimed).status == 400
