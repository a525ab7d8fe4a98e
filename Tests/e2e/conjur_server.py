"""A Conjur of the tests' own: what CLIENTS.md section 5 and Conjur's source say of the calls that Airlock makes, with their
statuses, the life of access tokens, the limits of lists and URLs, and what policy loads do. Loopback only, one thread a
connection. It can be stopped and started again, as Conjur can."""

import base64
import collections
import contextlib
import http.server
import json
import secrets
import ssl
import threading
import time
import urllib.parse

import yaml

ACCOUNT = "default"
URL_IDS = 75  # more ids in one URL are too long for what stands before Conjur


class Variable:
    """The tag `!variable` of a policy, the one that clients of variables load."""

    def __init__(self, name):
        self.name = name


class PolicyLoader(yaml.SafeLoader):
    pass


PolicyLoader.add_constructor("!variable", lambda loader, node: Variable(loader.construct_scalar(node)))


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status, code=None, message="", headers=()):
        super().__init__(status)
        error = {"error": {"code": code, "message": message}}
        # `head :forbidden` and `head :unauthorized` have no body.
        self.answer = (status, [("Content-Type", "application/json"), *headers] if code else [],
                       json.dumps(error).encode() if code else b"")


def not_found(account, identifier):
    return Refusal(404, "not_found", f"CONJ00076E Variable {account}:variable:{identifier} is empty or not found.")


class ConjurServer:
    """`variables` maps an id to its values, oldest first; `branches` are the policies that variables can be made in."""

    def __init__(self, tls=None, account=ACCOUNT, base=""):
        self.tls, self.account, self.base = tls, account, base
        self.variables = collections.defaultdict(list)
        self.branches = {"root"}
        self.api_keys = {"admin": "admin-api-key"}
        self.passwords = {}  # authn-ldap/<service> login: password
        self.jwts = {}  # authn-jwt/<service> token: host
        self.hosts_by_certificate = {}  # authn-cert or authn-k8s/<service> common name: host
        self.denied, self.hidden = set(), set()
        self.token_seconds, self.list_limit = 480, 0
        self.busy = 0  # so many policy loads are turned away
        self.fault = None  # (status, headers, body) in place of every answer
        self.requests = []  # (method, raw target, body)
        self.statuses = []
        self.tokens = {}
        self.lock = threading.RLock()
        self.port = 0
        self.start()

    # What a test does with it

    def start(self):
        self.listener = Listener(("127.0.0.1", self.port), self)
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        """As a machine that is gone: nobody listens, and open connections are closed."""
        self.listener.shutdown()
        self.listener.server_close()
        self.listener.hang_up()
        self.thread.join(10)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{self.base}"

    def put(self, identifier, *values):
        """Behind Airlock's back."""
        with self.lock:
            self.variables[identifier] += [v if isinstance(v, bytes) else v.encode() for v in values]

    def end_tokens(self):
        with self.lock:
            self.tokens = {}

    def token(self, login):
        return self.issue(login).decode()

    def count(self, *beginnings):
        """How many requests' lines (method and raw target) begin so."""
        return sum(f"{method} {target}".startswith(beginnings) for method, target, _ in self.requests)

    @contextlib.contextmanager
    def failing(self, status, body=b"", **headers):
        self.fault = (status, list(headers.items()), body)
        try:
            yield
        finally:
            self.fault = None

    # What it answers

    def answer(self, method, target, headers, body, certificate):
        path, _, query = target.partition("?")
        if not path.startswith(f"{self.base}/"):
            return 404, [("Content-Type", "text/html")], b"<html>No such page.</html>"
        path = path.removeprefix(self.base)
        # An id keeps its slashes as %2F; what is decoded is decoded once, and a plus in a path is a plus.
        parts = [urllib.parse.unquote(part, errors="strict") for part in path.strip("/").split("/")]
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, errors="strict"))
        if method == "POST" and parts[-1] == "authenticate":
            return 200, [("Content-Type", "application/json")], self.authenticate(parts[:-1], body, certificate)
        self.authorized(headers.get("Authorization", ""))
        match method, parts:
            case "GET", ["whoami"]:
                return as_json({"account": self.account, "username": "admin"})
            case "GET", ["secrets"]:
                return as_json(self.batch(fields.get("variable_ids", "")))
            case "GET", ["secrets", str(account), "variable", *identifier]:
                value = self.value(account, "/".join(identifier), fields.get("version"))
                return 200, [("Content-Type", "application/octet-stream"), ("Content-Disposition", "attachment")], value
            case "POST", ["secrets", str(account), "variable", *identifier]:
                self.set(account, "/".join(identifier), body)
                return 201, [], b""
            case "POST", ["policies", str(account), "policy", *branch]:
                return as_json(self.load(account, "/".join(branch), body), 201)
            case "GET", ["resources", str(account), "variable"]:
                return as_json(self.list(account, fields))
        return 404, [("Content-Type", "text/html")], b"<html>The page you were looking for doesn't exist.</html>"

    def issue(self, login):
        now = int(time.time())
        payload = {"sub": login, "iat": now} | ({} if self.token_seconds == 480 else {"exp": now + self.token_seconds})
        token = json.dumps({
            "protected": base64.urlsafe_b64encode(b'{"alg":"conjur.org/slosilo/v2"}').decode(),
            "payload": base64.urlsafe_b64encode(json.dumps(payload).encode()).decode(),
            "signature": secrets.token_urlsafe(48)}).encode()
        with self.lock:
            self.tokens[token] = time.monotonic() + self.token_seconds
        return token

    def authenticate(self, parts, body, certificate):
        service = "/".join(parts[:2]) if parts[0] != "authn" else "authn"
        account, *login = parts[1 if service == "authn" else 2:]
        login = login[0] if login else None
        host = None
        if service == "authn" and (login in self.api_keys) and secrets.compare_digest(self.api_keys[login], body.decode()):
            host = login
        elif service.startswith("authn-ldap/") and self.passwords.get((service, login)) == body.decode():
            host = login
        elif service.startswith("authn-jwt/"):
            jwt = dict(urllib.parse.parse_qsl(body.decode())).get("jwt")
            host = self.jwts.get((service, jwt))
            host = host if login in (None, host) else None
        elif service.startswith(("authn-cert/", "authn-k8s/")) or service == "authn" and not body:
            host = self.hosts_by_certificate.get((service, certificate))
            host = host if login in (None, host) else None
        if account != self.account or host is None:
            raise Refusal(401)
        return self.issue(host)

    def authorized(self, header):
        token = None
        if header.startswith('Token token="') and header.endswith('"'):
            with contextlib.suppress(ValueError):
                token = base64.b64decode(header[len('Token token="'):-1], validate=True)
        with self.lock:
            if self.tokens.get(token, 0) < time.monotonic():
                raise Refusal(401)

    def visible(self, account, identifier):
        return account == self.account and identifier in self.variables and identifier not in self.hidden

    def value(self, account, identifier, version=None):
        with self.lock:
            if not self.visible(account, identifier):
                raise not_found(self.account, identifier)
            if identifier in self.denied:
                raise Refusal(403)
            values = self.variables[identifier]
            number = len(values) if version is None else int(version)
            if not 1 <= number <= len(values):
                raise not_found(self.account, identifier)
            return values[number - 1]

    def batch(self, text):
        ids = text.split(",")
        if len(ids) > URL_IDS:
            raise Refusal(414)
        if not text or "" in ids:
            raise Refusal(422, "argument_error", "variable_ids")
        if len(set(ids)) != len(ids):
            raise Refusal(422, "duplicate_variable", "CONJ00078E")
        with self.lock:
            prefix = f"{self.account}:variable:"
            names = [name.removeprefix(prefix) for name in ids]
            for name, full in zip(names, ids):
                if not full.startswith(prefix) or not self.visible(self.account, name):
                    raise not_found(self.account, name)
            if self.denied & set(names):
                raise Refusal(403)
            values = {full: self.value(self.account, name) for name, full in zip(names, ids)}
        try:
            return {full: value.decode() for full, value in values.items()}
        except UnicodeDecodeError:
            raise Refusal(406, "not_acceptable", "CONJ00074E Issue encoding secret into JSON format") from None

    def set(self, account, identifier, value):
        with self.lock:
            if not self.visible(account, identifier):
                raise not_found(self.account, identifier)
            if identifier in self.denied:
                raise Refusal(403)
            if not value.strip():
                raise Refusal(422, "argument_error", "'value' may not be empty")
            self.variables[identifier].append(value)

    def load(self, account, branch, text):
        with self.lock:
            if account != self.account or branch not in self.branches:
                raise Refusal(404, "not_found", f"Policy '{branch}' not found in account '{account}'")
            if self.busy:
                self.busy -= 1
                raise Refusal(409, "policy_conflict", "Concurrent policy load in progress, please retry",
                              [("Retry-After", "3")])
            try:
                policy = yaml.load(text.decode(), PolicyLoader)
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise Refusal(422, "policy_invalid", str(error)) from None
            if not isinstance(policy, list) or not all(isinstance(entry, Variable) and entry.name for entry in policy):
                raise Refusal(422, "policy_invalid", "Unexpected node in the policy")
            for entry in policy:
                self.variables[entry.name if branch == "root" else f"{branch}/{entry.name}"] += []
            return {"created_roles": {}, "version": 1}

    def list(self, account, fields):
        limit = int(fields["limit"]) if "limit" in fields else None
        if self.list_limit and limit is not None and limit > self.list_limit:
            raise Refusal(422, "unprocessable_entity", f"'Limit' parameter must not exceed {self.list_limit}")
        with self.lock:
            ids = sorted(name for name in self.variables if self.visible(account, name))
        if limit is None and (self.list_limit or "offset" in fields):
            limit = self.list_limit or 10
        offset = int(fields.get("offset", 0))
        return [{"id": f"{self.account}:variable:{name}", "owner": f"{self.account}:user:admin", "permissions": [],
                 "annotations": [], "secrets": []} for name in ids[offset:][:limit]]


def as_json(content, status=200):
    return status, [("Content-Type", "application/json; charset=utf-8")], json.dumps(content).encode()


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, conjur):
        self.conjur = conjur
        self.open = set()
        super().__init__(address, Handler)

    def finish_request(self, request, address):
        if self.conjur.tls:
            try:
                request = self.conjur.tls.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        self.open.add(request)
        try:
            super().finish_request(request, address)
        finally:
            self.open.discard(request)
            with contextlib.suppress(OSError):
                request.close()

    def hang_up(self):
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(2)

    def handle_error(self, request, address):
        pass  # a client that went away


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer goes at once, and in one piece

    def serve(self):
        conjur = self.server.conjur
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with conjur.lock:
            conjur.requests.append((self.command, self.path, body))
        try:
            status, headers, content = conjur.fault or conjur.answer(
                self.command, self.path, self.headers, body, self.common_name())
        except Refusal as refusal:
            status, headers, content = refusal.answer
        with conjur.lock:
            conjur.statuses.append(status)
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = serve

    def common_name(self):
        if not self.server.conjur.tls:
            return None
        subject = dict(pair for part in (self.connection.getpeercert() or {}).get("subject", ()) for pair in part)
        return subject.get("commonName")

    def log_message(self, *arguments):
        pass
