"""HTTP as bytes: methods, paths and bodies go out exactly as written, and connections are kept alive."""

import http.client
import json


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def errors(self):
        return self.json["errors"]

    def __repr__(self):
        return f"{self.status} {self.text.strip()}"


class Connection:
    """One keep-alive connection, opened again only when the server closed it."""

    def __init__(self, server, token=True, timeout=30):
        self.token = server.token if token is True else token
        tls = getattr(server, "tls", None)
        self.http = (
            http.client.HTTPSConnection(*server.host_and_port, timeout=timeout, context=tls) if tls
            else http.client.HTTPConnection(*server.host_and_port, timeout=timeout))

    def send(self, method, path, body=None, token=True, headers=()):
        """`body` is JSON text, bytes, or anything that JSON can say; `token=None` sends none."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        token = self.token if token is True else token
        self.http.putrequest(method, path, skip_accept_encoding=True)
        if token is not None:
            self.http.putheader("X-Vault-Token", token)
        for name, value in dict(headers).items():
            self.http.putheader(name, value)
        if "Transfer-Encoding" in dict(headers):
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif body is not None:
            self.http.putheader("Content-Length", str(len(body)))
        try:
            self.http.endheaders(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may answer and close before it has read all of a body it refuses
        response = self.http.getresponse()
        return Answer(response.status, response.headers, response.read())

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def list(self, path, **more):
        return self.send("LIST", path, **more)

    def post(self, path, body=None, **more):
        return self.send("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.send("PUT", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.send("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.send("DELETE", path, **more)

    def close(self):
        self.http.close()
