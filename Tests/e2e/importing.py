"""conn-import, run in a folder of its own, and mounts for it to fill, for the tests of what it does."""

import os
import pty
import subprocess
import uuid

import hvac
import pytest

import servers

CANARY = "canary-2b7d9e"


class Import:
    """Runs the program in a folder of its own, with no setting of the person who tests."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server

    def file(self, text, name="prod.env"):
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def __call__(self, *arguments, input="", **environment):
        defaults = {"AIRLOCK_ADDR": self.server.url, "AIRLOCK_TOKEN": self.server.token} if self.server else {}
        result = subprocess.run(
            [servers.airlock_program("conn-import"), *arguments], cwd=self.folder, input=input, text=True,
            capture_output=True, timeout=60, env=servers.clean_environment(self.folder, **(defaults | environment)))
        assert CANARY not in result.stdout + result.stderr, "a secret was printed"
        return result


@pytest.fixture
def run(vault_server, tmp_path):
    return Import(tmp_path, vault_server)


@pytest.fixture
def alone(tmp_path):
    """For what the program does before it asks any server."""
    return Import(tmp_path, None)


@pytest.fixture(scope="module")
def client(vault_server):
    return hvac.Client(url=vault_server.url, token=vault_server.token)


@pytest.fixture
def mount(client):
    yield from mounted(client, "2")


@pytest.fixture
def old_mount(client):
    yield from mounted(client, "1")


def mounted(client, version):
    name = f"m{uuid.uuid4().hex[:8]}"
    servers.enable_kv(client, name, version)
    yield name
    client.sys.disable_secrets_engine(name)


def read(client, mount, path):
    return client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)["data"]


def secret(client, mount, path):
    return read(client, mount, path)["data"]


def on_a_terminal(run, *arguments):
    """The exit code, and all that the program writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = servers.clean_environment(run.folder, AIRLOCK_ADDR=run.server.url, AIRLOCK_TOKEN=run.server.token)
    with subprocess.Popen([servers.airlock_program("conn-import"), *arguments], cwd=run.folder, env=environment,
                          stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:
            pass  # a terminal's other end has gone
        code = child.wait(60)
    os.close(ours)
    return code, shown.decode()
