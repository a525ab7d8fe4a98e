"""`conn-import plan` and `apply` on mounts that are looked at without it, for the tests of what they do."""

import stat

import hvac
import pytest

from importing import CANARY, mounted

FILE = f"""AIRFLOW_CONN_PG=postgres://user:{CANARY}-1@db.example.com:5432/app
AIRFLOW_CONN_API='{{"conn_type": "http", "host": "Api.Example.com", "password": "{CANARY}-2"}}'
AIRFLOW_CONN__SALES___PG="postgres://u:{CANARY}%2F3@h/d"
AIRFLOW_VAR_REGION=eu-{CANARY}
"""


class Target:
    """One mount, looked at without conn-import."""

    def __init__(self, client, mount, version):
        self.client, self.mount, self.version = client, mount, version

    def __getitem__(self, path):
        try:
            if self.version == 1:
                return self.client.secrets.kv.v1.read_secret(path, mount_point=self.mount)["data"]
            return self.client.secrets.kv.v2.read_secret_version(
                path, mount_point=self.mount, raise_on_deleted_version=True)["data"]["data"]
        except hvac.exceptions.InvalidPath:
            return None

    def __setitem__(self, path, data):
        kv = self.client.secrets.kv
        (kv.v1 if self.version == 1 else kv.v2).create_or_update_secret(path, data, mount_point=self.mount)

    def delete(self, path):
        self.client.secrets.kv.v2.delete_latest_version_of_secret(path, mount_point=self.mount)

    def versions(self, path):
        metadata = self.client.secrets.kv.v2.read_secret_metadata(path, mount_point=self.mount)["data"]
        return metadata["current_version"]

    def names(self, folder="connections"):
        kv = self.client.secrets.kv
        try:
            return (kv.v1 if self.version == 1 else kv.v2).list_secrets(folder, mount_point=self.mount)["data"]["keys"]
        except hvac.exceptions.InvalidPath:
            return []


@pytest.fixture
def target(client):
    for mount in mounted(client, "2"):
        yield Target(client, mount, 2)


@pytest.fixture
def plain(client):
    for mount in mounted(client, "1"):
        yield Target(client, mount, 1)


@pytest.fixture(params=[1, 2])
def either(request, client):
    for mount in mounted(client, str(request.param)):
        yield Target(client, mount, request.param)


def plan(run, target, *arguments, files=("prod.env",), out="plan.json", **environment):
    keep = ["--out", out] if out else []
    result = run("plan", *files, "--mount-point", target.mount, *keep, *arguments, **environment)
    for name in filter(None, [out]):
        path = run.folder / name
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert CANARY not in path.read_text()
    return result


def apply(run, *arguments, **environment):
    result = run("apply", "plan.json", *arguments, **environment)
    journal = run.folder / "plan.json.journal"
    if journal.exists():
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        assert CANARY not in journal.read_text()
    return result
