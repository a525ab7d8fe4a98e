"""What the JWT and Kubernetes logins trust, of the tests' own making: keys, signed tokens, and a server of key sets and
token reviews."""

import base64
import http.server
import json
import threading

import jwt as pyjwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ALGORITHMS = {"rsa": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed25519": "EdDSA"}


class Key:
    """A signing key; `kind` names its type and the algorithm it signs with unless told otherwise."""

    def __init__(self, kind="p256", kid=None):
        self.kid, self.algorithm = kid, ALGORITHMS[kind]
        self.private = {
            "rsa": lambda: rsa.generate_private_key(65537, 2048), "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "p384": lambda: ec.generate_private_key(ec.SECP384R1()), "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate}[kind]()

    @property
    def pem(self):
        public = self.private.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self, **more):
        known = pyjwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        known.pop("key_ops", None)
        return known | {"use": "sig"} | ({"kid": self.kid} if self.kid else {}) | more

    def sign(self, claims, algorithm=None, **header):
        """Without a `kid` when that is null."""
        header = {"kid": self.kid} | header
        header = {name: value for name, value in header.items() if value is not None}
        return pyjwt.encode(claims, self.private, algorithm or self.algorithm, headers=header)


def part(content):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Issuer:
    """An HTTP server on a free loopback port, TLS with `context`. `answers` maps a path to a JSON value, a status, or a
    function of the request's body and headers that returns a status and a JSON value; `requests` are those it got."""

    def __init__(self, context=None):
        self.answers, self.requests = {}, []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                issuer.requests.append((self.command, self.path, dict(self.headers), body))
                answer = issuer.answers.get(self.path, 404)
                status, value = (answer, "") if isinstance(answer, int) else (200, answer)
                if callable(answer):
                    status, value = answer(body, self.headers)
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def asked(self, path):
        return sum(1 for request in self.requests if request[1] == path)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Cluster(Issuer):
    """A Kubernetes API server that gives every token the same review."""

    REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"

    def __init__(self, user, context=None):
        super().__init__(context)
        self.user, self.answers[self.REVIEWS] = user, self.review
        self.reset()

    def reset(self):
        self.status, self.raw = 201, None
        self.verdict = {"authenticated": True, "user": dict(self.user), "audiences": ["https://k"]}
        self.requests.clear()

    def review(self, body, headers):
        spec = json.loads(body)["spec"]
        return self.status, self.raw if self.raw is not None else {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": spec, "status": self.verdict}

    @property
    def asked(self):
        """The bearers and bodies it was asked with."""
        return [(headers["Authorization"], json.loads(body)["spec"]) for _, path, headers, body in self.requests if path == self.REVIEWS]
