"""hvac and mounts of its own on each server, for the tests of what hvac gets."""

import uuid

import hvac
import pytest

import servers


@pytest.fixture(scope="module")
def client(vault_server):
    return hvac.Client(url=vault_server.url, token=vault_server.token)


def new_name(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def v2(client):
    """KV version 2 on a mount of its own; `v2.mount` names it."""
    yield from mounted(client, "2", client.secrets.kv.v2)


@pytest.fixture
def v1(client):
    yield from mounted(client, "1", client.secrets.kv.v1)


def mounted(client, version, kv):
    name = new_name(f"kv{version}")
    servers.enable_kv(client, name, version)
    yield Mounted(kv, name)
    client.sys.disable_secrets_engine(name)


class Mounted:
    """hvac's KV client with `mount_point` filled in."""

    def __init__(self, kv, mount):
        self.kv, self.mount = kv, mount

    def __getattr__(self, name):
        method = getattr(self.kv, name)
        return lambda *args, **kwargs: method(*args, mount_point=self.mount, **kwargs)


def refused(exception, *messages):
    """The call raises exactly this exception with exactly these errors."""
    return pytest.raises(exception, check=lambda raised: type(raised) is exception and raised.errors == list(messages))
