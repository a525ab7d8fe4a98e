"""A proxy that stands between Airlock and OpenBao, counts what passes, and can do everything that a network, a gateway or a
half-dead server does. Loopback only, one thread a connection, plain HTTP or TLS."""

import contextlib
import http.client
import json
import re
import socket
import struct
import threading

KEPT_OUT = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Request:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body

    @property
    def path(self):
        return self.target.split("?")[0].removeprefix("/v1/")

    @property
    def kind(self):
        """`login`, `read`, `list`, `write` (secrets), or `other`: health, lookups, mounts."""
        if re.match(r"auth/.+/login\b", self.path):
            return "login"
        if re.match(r"(sys|auth)/", self.path):
            return "other"
        if self.method == "LIST" or re.search(r"[?&]list=true", self.target):
            return "list"
        return "read" if self.method == "GET" else "write"


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def head(self, length=None):
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in KEPT_OUT]
        if length is not False:
            lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        return "\r\n".join([*lines, "", ""]).encode()


def json_reply(status, body):
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], text.encode())


class Exchange:
    """One request under way, for a fault to deal with."""

    def __init__(self, proxy, client, request):
        self.proxy = proxy
        self.client = client
        self.request = request

    def forward(self):
        upstream = http.client.HTTPConnection(*self.proxy.target, timeout=30)
        with contextlib.closing(upstream):
            upstream.putrequest(self.request.method, self.request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in self.request.headers.items():
                if name not in KEPT_OUT:
                    upstream.putheader(name, value)
            if self.request.body:
                upstream.putheader("Content-Length", str(len(self.request.body)))
            upstream.endheaders(self.request.body or None)
            response = upstream.getresponse()
            return Reply(response.status, response.getheaders(), response.read())

    def send(self, reply):
        self.client.sendall(reply.head() + reply.body)

    def reset(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed


class Closed(Exception):
    """The connection to the client ends here."""


class FaultProxy:
    """`fault` is what happens to each request: a function of the `Exchange`; `None` passes everything on."""

    def __init__(self, target):
        self.target = target
        self.fault = None
        self.tls = None  # an `ssl.SSLContext` of a server
        self.requests = []
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.clients = set()
        self.listener = None
        self.port = 0
        self.listen()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    # What was seen

    def seen(self, kind, path=None):
        with self.lock:
            return [one for one in self.requests if one.kind == kind and path in (None, one.path)]

    def count(self, kind, path=None):
        return len(self.seen(kind, path))

    def forget(self):
        with self.lock:
            self.requests.clear()

    # What goes wrong

    @contextlib.contextmanager
    def failing(self, fault):
        """For as long as the block lasts. Requests that are held are let go at its end."""
        if fault is refuse:
            self.close()
        else:
            self.released.clear()
            self.fault = fault
        try:
            yield
        finally:
            self.fault = None
            self.released.set()
            if self.listener is None:
                self.listen()

    def listen(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self.listener = listener
        threading.Thread(target=self.accept, args=[listener], daemon=True).start()

    def close(self):
        """Nothing listens here any more, and no connection is left."""
        listener, self.listener = self.listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self.drop_clients()

    def drop_clients(self):
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    # Serving

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.clients.add(client)
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                plain, client = client, self.tls.wrap_socket(client, server_side=True)  # which empties the plain one
                with self.lock:
                    self.clients = self.clients - {plain} | {client}
            reader = client.makefile("rb")
            while request := self.read(reader):
                with self.lock:
                    self.requests.append(request)
                exchange = Exchange(self, client, request)
                (self.fault or pass_on)(exchange)
        except (OSError, Closed, http.client.HTTPException, ValueError):  # ValueError: what came is no HTTP
            pass
        finally:
            with self.lock:
                self.clients.discard(client)
            client.close()
            with contextlib.suppress(OSError, UnboundLocalError):
                reader.close()  # holds the socket too

    @staticmethod
    def read(reader):
        line = reader.readline().decode("latin-1").strip()
        if not line:
            return None
        method, target, _ = line.split(" ")
        headers = {}
        while header := reader.readline().decode("latin-1").strip():
            name, value = header.split(":", 1)
            headers[name.lower()] = value.strip()
        return Request(method, target, headers, reader.read(int(headers.get("content-length", 0))))


# Faults. Those that take arguments return the function.


def pass_on(exchange):
    exchange.send(exchange.forward())


def refuse(exchange):
    """Marks the fault of a closed door; `FaultProxy.failing` closes it."""
    raise Closed


def late(seconds, only=lambda request: True):
    """The upstream answers at once; its answer arrives `seconds` later."""
    def fault(exchange):
        reply = exchange.forward()
        if only(exchange.request):
            exchange.proxy.released.wait(seconds)
        exchange.send(reply)
    return fault


def held(only=lambda request: True, holding=None):
    """The upstream's answer is there but does not arrive before `released` is set. `holding` is set when one waits."""
    def fault(exchange):
        reply = exchange.forward()
        if only(exchange.request):
            if holding is not None:
                holding.set()
            exchange.proxy.released.wait(60)
        exchange.send(reply)
    return fault


def hang(exchange):
    exchange.proxy.released.wait(60)
    raise Closed


def reset(exchange):
    exchange.reset()


def close_without_a_word(exchange):
    raise Closed


def truncate(exchange):
    """The whole length is promised, half of it comes."""
    reply = exchange.forward()
    exchange.client.sendall(reply.head(max(2, len(reply.body))) + reply.body[:len(reply.body) // 2])
    raise Closed


def drip(exchange):
    reply = exchange.forward()
    exchange.client.sendall(reply.head())
    for byte in reply.body:
        exchange.client.sendall(bytes([byte]))
        if exchange.proxy.released.wait(0.1):
            break
    raise Closed


def without_end(exchange):
    exchange.client.sendall(Reply(200, [("Content-Type", "application/json")], b"").head(False) + b'{"data":{"data":{"a":"')
    while not exchange.proxy.released.is_set():
        exchange.client.sendall(b"a" * 65536)
    raise Closed


def not_http(exchange):
    exchange.client.sendall(b"\x15\x03\x01\x00\x02\x02\x28 this is no HTTP\r\n\r\n")
    raise Closed


def answer(status, body):
    def fault(exchange):
        exchange.send(json_reply(status, body))
    return fault


def html(status):
    def fault(exchange):
        page = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"
        exchange.send(Reply(status, [("Content-Type", "text/html; charset=utf-8")], page))
    return fault


def half_json(exchange):
    """Whole as HTTP, half as JSON."""
    reply = exchange.forward()
    exchange.send(Reply(200, reply.headers, reply.body[:len(reply.body) // 2] or b"{"))


def redirect_to(url):
    def fault(exchange):
        exchange.send(Reply(307, [("Location", url + exchange.request.target)], b""))
    return fault


def only(applies, fault):
    """`fault` for the requests that `applies` says yes to; everything else passes."""
    def chosen(exchange):
        (fault if applies(exchange.request) else pass_on)(exchange)
    return chosen
