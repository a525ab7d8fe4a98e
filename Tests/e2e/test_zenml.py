"""ZenML's two Vault clients, unmodified, against both servers: the secrets store of 0.98 and the secrets manager of 0.43."""

import contextlib
import json
import pathlib
import subprocess
import uuid

import pytest

import servers
from wire import Connection

COMPONENT = "22222222-2222-4222-8222-222222222222"
CHECK_AND_SET = "check-and-set parameter did not match the current version"
POLICY = """path "secret/config" { capabilities = ["update"] }
path "secret/data/zenml/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/zenml/*" { capabilities = ["delete", "list"] }
"""


class Raised(Exception):
    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Client:
    """A class in ZenML's own environment (zenml_clients/)."""

    def __init__(self, environment, program, folder):
        python = servers.TOOLS / environment / "bin/python"
        assert python.exists(), f"no {python}: run scripts/install-tools"
        script = pathlib.Path(__file__).parent / "zenml_clients" / program
        self.errors = open(folder / f"{program}.stderr", "wb")
        self.child = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=folder,
            env=servers.clean_environment(folder, ZENML_ANALYTICS_OPT_IN="false", ZENML_CONFIG_PATH=folder / "zenml"))

    def __getattr__(self, method):
        def call(*arguments, **named):
            self.child.stdin.write(json.dumps([method, arguments, named]) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
            assert line, f"{self.child.args[1]} ended:\n{pathlib.Path(self.errors.name).read_text(errors='replace')[-2000:]}"
            answer = json.loads(line)
            if "raised" in answer:
                raise Raised(answer["raised"], answer["text"])
            return answer["result"]
        return call

    def close(self):
        self.child.kill()  # left to itself, ZenML takes seconds to end
        self.child.wait(20)
        self.child.stdin.close()
        self.child.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def raises(kind, text=""):
    with pytest.raises(Raised) as raised:
        yield
    assert raised.value.kind == kind and text in raised.value.text


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Both, started at the same time: importing ZenML takes seconds."""
    folder = tmp_path_factory.mktemp("zenml")
    both = Client("zenml98", "store.py", folder), Client("zenml43", "manager.py", folder)
    yield both
    for one in both:
        one.close()


@pytest.fixture
def connection(vault_server):
    connection = Connection(vault_server)
    yield connection
    connection.close()


@pytest.fixture
def store(clients, vault_server):
    clients[0].open(vault_addr=vault_server.url, vault_token=vault_server.token)
    return clients[0]


@pytest.fixture
def manager(clients, vault_server):
    """Opens the manager with a scope; without one it is the component's."""
    def opened(scope="component", **settings):
        clients[1].open(COMPONENT, url=vault_server.url, token=vault_server.token, mount_point="secret", scope=scope, **settings)
        return clients[1]
    return opened


# The secrets store of 0.98


def test_the_store_creates_reads_updates_and_deletes_a_secret(store, connection):
    secret, values = str(uuid.uuid4()), {"user": "ada", "password": "Grüße \"quoted\" \\ 😀"}
    store.create(secret, values)
    assert store.read(secret) == values
    stored = connection.get(f"/v1/secret/data/zenml/{secret}").data
    assert set(stored["data"]) == {"zenml_secret_values", "zenml_secret_metadata"}
    assert stored["data"]["zenml_secret_values"] == values and stored["data"]["zenml_secret_metadata"]["zenml_secret_id"] == secret

    store.update(secret, {"user": "grace"})
    assert store.read(secret) == {"user": "grace"}
    store.delete(secret)
    with raises("KeyError", "Can't find the secret values"):
        store.read(secret)
    assert connection.get(f"/v1/secret/metadata/zenml/{secret}").status == 404
    store.delete(secret)  # deleting again is no error


def test_the_store_never_overwrites_a_secret_that_exists(store):
    secret = str(uuid.uuid4())
    store.create(secret, {"n": "1"})
    with raises("RuntimeError", CHECK_AND_SET):
        store.create(secret, {"n": "2"})
    assert store.read(secret) == {"n": "1"}


def test_the_store_keeps_as_many_versions_as_it_is_told_to(clients, vault_server, connection):
    connection.post("/v1/sys/mounts/zen-versions", {"type": "kv-v2"})
    store = clients[0]
    store.open(vault_addr=vault_server.url, vault_token=vault_server.token, mount_point="zen-versions", max_versions=1)
    assert connection.get("/v1/zen-versions/config").data["max_versions"] == 1
    secret = str(uuid.uuid4())
    store.create(secret, {"n": "1"})
    store.update(secret, {"n": "2"})
    assert list(connection.get(f"/v1/zen-versions/metadata/zenml/{secret}").data["versions"]) == ["2"]


def test_one_server_does_not_read_the_secrets_of_another_zenml(clients, vault_server, store):
    secret = str(uuid.uuid4())
    store.create(secret, {"n": "1"})
    clients[0].open(vault_addr=vault_server.url, vault_token=vault_server.token, owner=str(uuid.uuid4()))
    with raises("KeyError"):
        clients[0].read(secret)


def test_a_wrong_token_is_an_error_at_the_start(clients, vault_server):
    with raises("RuntimeError", "permission denied"):
        clients[0].open(vault_addr=vault_server.url, vault_token="nonsense")


@pytest.fixture
def approle(connection):
    """A role that may do what the store does and nothing else."""
    connection.post("/v1/sys/auth/zen-approle", {"type": "approle"})
    connection.put("/v1/sys/policies/acl/zenml", {"policy": POLICY})
    connection.post("/v1/auth/zen-approle/role/zenml", {"token_policies": "zenml", "token_ttl": "1h", "token_max_ttl": "2h"})
    role_id = connection.get("/v1/auth/zen-approle/role/zenml/role-id").data["role_id"]
    secret_id = connection.post("/v1/auth/zen-approle/role/zenml/secret-id").data["secret_id"]
    return {"auth_method": "app_role", "auth_mount_point": "zen-approle", "app_role_id": role_id, "app_secret_id": secret_id}


def test_the_store_logs_in_by_approle_renews_its_token_and_logs_in_again(clients, vault_server, connection, approle):
    store = clients[0]
    store.open(vault_addr=vault_server.url, **approle)
    secret, first = str(uuid.uuid4()), store.token()
    store.create(secret, {"n": "1"})

    store.time_passes(renewable=True)
    assert store.read(secret) == {"n": "1"} and store.token() == first
    looked_up = connection.post("/v1/auth/token/lookup", {"token": first}).data
    assert looked_up["last_renewal"] and looked_up["path"] == "auth/zen-approle/login"

    store.time_passes(renewable=False)
    store.update(secret, {"n": "2"})
    assert store.token() != first and store.read(secret) == {"n": "2"}

    connection.post("/v1/auth/token/revoke", {"token": store.token()})
    with raises("RuntimeError", "permission denied"):
        store.read(secret)
    store.time_passes(renewable=True)  # a renewal that fails makes it log in anew
    assert store.read(secret) == {"n": "2"}


def test_a_wrong_secret_id_is_an_error_at_the_start(clients, vault_server, approle):
    with raises("RuntimeError", "invalid role or secret ID"):
        clients[0].open(vault_addr=vault_server.url, **approle | {"app_secret_id": "wrong"})


# The secrets manager of 0.43


def test_the_manager_registers_reads_lists_updates_and_deletes_a_secret(manager, connection):
    secrets = manager()
    assert secrets.names() == []
    secrets.create("db", {"user": "ada", "password": "x=y&z"})
    secrets.create("api_key+1@home=.-", {"token": "t"})
    assert secrets.read("db") == {"user": "ada", "password": "x=y&z"}
    assert secrets.names() == ["api_key+1@home=.-", "db"]
    assert connection.get(f"/v1/secret/data/zenml/component/{COMPONENT}/db").data["data"]["user"] == "ada"

    secrets.update("db", {"user": "grace"})
    assert secrets.read("db") == {"user": "grace"}
    with raises("SecretExistsError", "already exists"):
        secrets.create("db", {"user": "eve"})
    with raises("KeyError", "does not exist"):
        secrets.update("never", {"user": "eve"})

    secrets.delete("db")
    with raises("KeyError"):
        secrets.read("db")
    secrets.delete_all()
    assert secrets.names() == []


def test_the_scopes_of_the_manager_do_not_see_one_another(manager):
    scopes = {"none": {}, "global": {}, "component": {}, "namespace": {"namespace": "team-a"}}
    for scope, settings in scopes.items():
        manager(scope, **settings).create("shared", {"scope": scope})
    for scope, settings in scopes.items():
        secrets = manager(scope, **settings)
        assert secrets.read("shared") == {"scope": scope}
        assert secrets.names() == ["shared"]
    with raises("KeyError"):
        manager("namespace", namespace="team-b").read("shared")
    manager("component").delete("shared")
    assert manager("global").read("shared") == {"scope": "global"}


def test_the_manager_says_that_its_token_is_refused(clients, vault_server):
    clients[1].open(COMPONENT, url=vault_server.url, token="nonsense", mount_point="secret", scope="global")
    with raises("RuntimeError", "error authenticating with Vault"):
        clients[1].read("db")


# From the one to the other


def test_the_secrets_of_the_manager_move_into_the_store(manager, store, connection):
    """As `zenml secrets-manager secret migrate --delete` does: list, read, create, delete, one after the other."""
    old = manager("namespace", namespace="to-migrate")
    secrets = {f"secret-{n}": {"user": f"user-{n}", "password": "ü" * n} for n in range(1, 6)}
    for name, values in secrets.items():
        old.create(name, values)

    moved = {}
    for name in old.names():
        moved[name] = str(uuid.uuid4())
        store.create(moved[name], old.read(name))
        old.delete(name)

    assert {name: store.read(secret) for name, secret in moved.items()} == secrets
    assert old.names() == []
    assert set(moved.values()) <= set(connection.list("/v1/secret/metadata/zenml").data["keys"])
