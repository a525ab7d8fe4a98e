"""Airlock in front of OpenBao, as the tests of the read-through cache want it: a proxy of the test's own between the two, an
AppRole of Airlock's in OpenBao, and another of Airflow's in Airlock."""

import concurrent.futures
import json
import pathlib
import re
import subprocess
import threading

import servers
from fault_proxy import FaultProxy
from wire import Connection

HERE = pathlib.Path(__file__).parent
UPSTREAM_POLICY = """
path "+/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
path "+/data/forbidden/*" { capabilities = ["deny"] }
path "+/forbidden/*" { capabilities = ["deny"] }
path "sys/*" { capabilities = ["deny"] }
"""
READER = 'path "airflow/data/*" { capabilities = ["read"] }'


class Upstream:
    """An OpenBao with a mount for one test and a login for Airlock."""

    count = 0

    def __init__(self, bao, version=2):
        Upstream.count += 1
        self.bao = bao
        self.version = version
        self.client = Connection(bao)
        self.mount = f"kv{Upstream.count}"
        done(self.client.post(f"/v1/sys/mounts/{self.mount}", {"type": "kv", "options": {"version": str(version)}}))
        if version == 2:
            servers.wait_until(lambda: self.client.post(f"/v1/{self.mount}/data/ready", {"data": {"a": "b"}}).status == 200,
                               "OpenBao has made the mount")
        done(self.client.put("/v1/sys/policies/acl/airlock", {"policy": UPSTREAM_POLICY}))
        if "approle/" not in self.client.get("/v1/sys/auth").data:
            done(self.client.post("/v1/sys/auth/approle", {"type": "approle"}))
        done(self.client.put(
            "/v1/auth/approle/role/airlock", {"role_id": "airlock", "token_policies": "airlock", "token_ttl": "1h"}))
        self.secret_id = done(self.client.put("/v1/auth/approle/role/airlock/secret-id", {})).data["secret_id"]

    def kwargs(self, url, **changed):
        """What Airlock is told about it; `None` leaves a key out."""
        kwargs = {
            "url": url, "mount_point": self.mount, "kv_engine_version": self.version, "auth_type": "approle",
            "role_id": "airlock", "secret_id": self.secret_id, "timeout": 2} | changed
        return {key: value for key, value in kwargs.items() if value is not None}

    def path(self, name):
        return f"{self.mount}/data/{name}" if self.version == 2 else f"{self.mount}/{name}"

    def write(self, name, data):
        """Behind Airlock's back."""
        return done(self.client.post(f"/v1/{self.path(name)}", {"data": data} if self.version == 2 else data))

    def delete(self, name):
        return done(self.client.delete(f"/v1/{self.path(name)}"))


class Front:
    """Airlock with the mount `airflow/` in front of `upstream`, and clients of it. `stop` and `start` again keep its data."""

    def __init__(self, bao, folder, start_airlock, version=2, kwargs=None, behind_proxy=True, **settings):
        self.upstream = Upstream(bao, version)
        self.proxy = FaultProxy(bao.host_and_port) if behind_proxy else None
        self.config_path = pathlib.Path(folder) / "config.json"
        self.start_airlock = start_airlock
        url = self.proxy.url if behind_proxy else bao.url
        self.mount = {"backend": "vault", "kwargs": self.upstream.kwargs(url, **(kwargs or {})), **settings}
        self.config = {"mounts": {"airflow": self.mount}}
        self.airlock = self.client = None

    def start(self, **options):
        self.config_path.write_text(json.dumps(self.config))
        self.airlock = self.start_airlock("--config", str(self.config_path), **options)
        self.client = Connection(self.airlock)
        return self

    def stop(self):
        self.client.close()
        assert self.airlock.stop() == 0, self.airlock.stderr

    def restart(self, **options):
        self.stop()
        return self.start(**options)

    def end(self):
        """Whatever happened to it, Airlock still runs or ended well."""
        if self.airlock is not None:
            if self.airlock.child.poll() is None:
                self.stop()
            assert self.airlock.child.returncode == 0, f"airlock ended by itself:\n{self.airlock.stderr[-4000:]}"
        if self.proxy is not None:
            self.proxy.close()

    # As a client

    def read(self, name, client=None, **more):
        path = f"/v1/airflow/data/{name}" if self.upstream.version == 2 else f"/v1/airflow/{name}"
        return (client or self.client).get(path, **more)

    def write(self, name, data):
        body = {"data": data} if self.upstream.version == 2 else data
        path = f"/v1/airflow/data/{name}" if self.upstream.version == 2 else f"/v1/airflow/{name}"
        return done(self.client.post(path, body))

    def invalidate(self, **scope):
        return done(self.client.post("/v1/sys/airlock/invalidate", scope))

    def token(self, policy, name="limited"):
        """A token of Airlock's with one policy."""
        done(self.client.put(f"/v1/sys/policies/acl/{name}", {"policy": policy}))
        made = done(self.client.post("/v1/auth/token/create", {"policies": [name], "no_default_policy": True}))
        return made.json["auth"]["client_token"]

    def approle(self):
        """A login at Airlock for Airflow, which may read the mount; returns (role id, secret id)."""
        done(self.client.put("/v1/sys/policies/acl/airflow", {"policy": READER}))
        if "approle/" not in self.client.get("/v1/sys/auth").data:
            done(self.client.post("/v1/sys/auth/approle", {"type": "approle"}))
        done(self.client.put("/v1/auth/approle/role/airflow", {"role_id": "airflow", "token_policies": "airflow"}))
        return "airflow", done(self.client.put("/v1/auth/approle/role/airflow/secret-id", {})).data["secret_id"]

    def look_up(self, tmp_path, approle, *arguments):
        """What `airflow_lookups.py` prints: real Airflow with Airlock as its vault."""
        role_id, secret_id = approle
        kwargs = {
            "connections_path": "connections", "variables_path": "variables", "mount_point": "airflow",
            "url": self.airlock.url, "auth_type": "approle", "role_id": role_id, "secret_id": secret_id}
        finished = subprocess.run(
            [servers.TOOLS / "airflow3/bin/python", HERE / "airflow_lookups.py", *map(str, arguments)],
            env=servers.clean_environment(
                tmp_path, AIRFLOW_HOME=tmp_path / "airflow",
                AIRFLOW__SECRETS__BACKEND="airflow.providers.hashicorp.secrets.vault.VaultBackend",
                AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps(kwargs)),
            capture_output=True, text=True, timeout=180, cwd=tmp_path)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return json.loads(finished.stdout.splitlines()[-1])

    # What Airlock says about itself

    def metric(self, name, **labels):
        """The sum of a metric's series that have these labels."""
        return sum(value for _, value in self.series(name, **labels))

    def series(self, name, **labels):
        text = done(self.client.get("/v1/sys/metrics")).text
        found = []
        for line in text.splitlines():
            if match := re.fullmatch(r"(\w+)(?:\{(.*)\})? ([0-9.e+-]+|NaN|\+Inf)", line):
                has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
                if match[1] == name and labels.items() <= has.items():
                    found.append((has, float(match[3])))
        return found


def done(answer, *statuses):
    assert answer.status in (statuses or (200, 204)), answer
    return answer


def value(answer):
    """The one field that the tests store."""
    assert answer.status == 200, answer
    data = answer.data
    return (data["data"] if "metadata" in data else data)["value"]


def outcome(answer):
    return answer.headers["X-Cache"]


def at_once(count, work):
    """`work(n)` in as many threads, begun together; the results in order."""
    barrier = threading.Barrier(count)

    def begin(n):
        barrier.wait(30)
        return work(n)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))
