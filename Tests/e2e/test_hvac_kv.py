"""hvac on the key-value engine of both servers, and its mounts: values and exceptions, exactly."""

import datetime
import uuid

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

import servers
from hvac_client import client, new_name, refused, v1, v2  # fixtures among them


# KV version 2


def test_a_secret_reads_back_as_it_was_written_with_its_version(v2):
    written = v2.create_or_update_secret("connections/pg", secret={"conn_uri": "postgres://u:p@h/db", "n": 7, "x": None})
    read = v2.read_secret_version("connections/pg", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"conn_uri": "postgres://u:p@h/db", "n": 7, "x": None}
    assert read["data"]["metadata"] == written["data"]
    assert written["data"] == {
        "created_time": written["data"]["created_time"], "custom_metadata": None, "deletion_time": "",
        "destroyed": False, "version": 1}
    age = datetime.datetime.now(datetime.timezone.utc) - moment(written["data"]["created_time"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=1)
    assert (read["lease_id"], read["renewable"], read["lease_duration"]) == ("", False, 0)
    assert (read["wrap_info"], read["warnings"], read["auth"]) == (None, None, None)
    assert uuid.UUID(read["request_id"])


def moment(text):
    assert text.endswith("Z")
    return datetime.datetime.fromisoformat(text[:-1][:26]).replace(tzinfo=datetime.timezone.utc)


def test_every_version_can_be_read_and_the_latest_is_the_default(v2):
    for value in ["one", "two", "three"]:
        v2.create_or_update_secret("v", secret={"value": value})
    assert v2.read_secret_version("v", raise_on_deleted_version=True)["data"]["data"] == {"value": "three"}
    assert v2.read_secret_version("v", version=1, raise_on_deleted_version=True)["data"]["data"] == {"value": "one"}
    with refused(InvalidPath):
        v2.read_secret_version("v", version=4, raise_on_deleted_version=True)


def test_what_is_not_there_is_invalid_path_with_no_message(v2):
    for absent in [
        lambda: v2.read_secret_version("never", raise_on_deleted_version=True),
        lambda: v2.read_secret_metadata("never"),
        lambda: v2.list_secrets("never"),
        lambda: v2.list_secrets(""),
    ]:
        with refused(InvalidPath):
            absent()


def test_list_names_keys_and_folders_in_order_with_the_list_verb(v2):
    for path in ["b", "a/x", "a/y/z", "a", "ä"]:
        v2.create_or_update_secret(path, secret={"k": "v"})
    assert v2.list_secrets("")["data"] == {"keys": ["a", "a/", "b", "ä"]}
    assert v2.list_secrets("a")["data"] == {"keys": ["x", "y/"]}
    assert v2.list_secrets("a/")["data"] == {"keys": ["x", "y/"]}


def test_check_and_set_writes_only_over_the_version_it_names(v2):
    mismatch = "check-and-set parameter did not match the current version"
    assert v2.create_or_update_secret("c", secret={"n": 1}, cas=0)["data"]["version"] == 1
    with refused(InvalidRequest, mismatch):
        v2.create_or_update_secret("c", secret={"n": 2}, cas=0)
    assert v2.create_or_update_secret("c", secret={"n": 2}, cas=1)["data"]["version"] == 2
    with refused(InvalidRequest, mismatch):
        v2.create_or_update_secret("c", secret={"n": 3}, cas=1)
    assert v2.read_secret_version("c", raise_on_deleted_version=True)["data"]["data"] == {"n": 2}


def test_check_and_set_can_be_required_by_the_mount_and_by_the_key(v2):
    required = "check-and-set parameter required for this call"
    v2.update_metadata("k", cas_required=True)
    with refused(InvalidRequest, required):
        v2.create_or_update_secret("k", secret={"n": 1})
    v2.configure(cas_required=True)
    with refused(InvalidRequest, required):
        v2.create_or_update_secret("other", secret={"n": 1})
    assert v2.read_configuration()["data"]["cas_required"] is True
    assert v2.create_or_update_secret("other", secret={"n": 1}, cas=0)["data"]["version"] == 1


def test_a_deleted_version_says_when_and_comes_back_by_undelete(v2):
    v2.create_or_update_secret("d", secret={"n": 1})
    v2.delete_latest_version_of_secret("d")
    with pytest.raises(InvalidPath):
        v2.read_secret_version("d", raise_on_deleted_version=True)
    deleted = v2.read_secret_version("d", raise_on_deleted_version=False)["data"]
    assert deleted["data"] is None
    assert deleted["metadata"]["version"] == 1 and deleted["metadata"]["destroyed"] is False
    assert moment(deleted["metadata"]["deletion_time"]) >= moment(deleted["metadata"]["created_time"])

    v2.undelete_secret_versions("d", versions=[1])
    back = v2.read_secret_version("d", raise_on_deleted_version=True)["data"]
    assert back["data"] == {"n": 1} and back["metadata"]["deletion_time"] == ""


def test_a_destroyed_version_is_gone_for_good_and_the_others_stay(v2):
    for n in [1, 2, 3]:
        v2.create_or_update_secret("d", secret={"n": n})
    v2.destroy_secret_versions("d", versions=[2])
    v2.undelete_secret_versions("d", versions=[2])
    with pytest.raises(InvalidPath) as raised:
        v2.read_secret_version("d", version=2, raise_on_deleted_version=True)
    assert raised.value.json["data"]["data"] is None
    assert raised.value.json["data"]["metadata"]["destroyed"] is True
    assert v2.read_secret_version("d", version=1, raise_on_deleted_version=True)["data"]["data"] == {"n": 1}
    assert v2.read_secret_version("d", raise_on_deleted_version=True)["data"]["data"] == {"n": 3}


def test_deleting_single_versions_leaves_the_latest_readable(v2):
    for n in [1, 2]:
        v2.create_or_update_secret("d", secret={"n": n})
    v2.delete_secret_versions("d", versions=[1])
    versions = v2.read_secret_metadata("d")["data"]["versions"]
    assert versions["1"]["deletion_time"] != "" and versions["2"]["deletion_time"] == ""
    assert v2.read_secret_version("d", raise_on_deleted_version=True)["data"]["data"] == {"n": 2}


def test_metadata_is_written_read_and_repeated_with_the_data(v2):
    v2.create_or_update_secret("m", secret={"n": 1})
    v2.update_metadata("m", max_versions=3, cas_required=False, delete_version_after="1h30m", custom_metadata={"owner": "ops"})
    metadata = v2.read_secret_metadata("m")["data"]
    assert {name: metadata[name] for name in [
        "current_version", "oldest_version", "max_versions", "cas_required", "delete_version_after", "custom_metadata"]
    } == {"current_version": 1, "oldest_version": 0, "max_versions": 3, "cas_required": False,
          "delete_version_after": "1h30m0s", "custom_metadata": {"owner": "ops"}}
    assert metadata["versions"] == {
        "1": {"created_time": metadata["created_time"], "deletion_time": "", "destroyed": False}}
    written = v2.create_or_update_secret("m", secret={"n": 2})["data"]
    assert written["custom_metadata"] == {"owner": "ops"}
    assert moment(written["deletion_time"]) - moment(written["created_time"]) == datetime.timedelta(hours=1, minutes=30)


def test_old_versions_are_trimmed_by_the_next_write(v2):
    v2.update_metadata("t", max_versions=2)
    for n in range(1, 5):
        v2.create_or_update_secret("t", secret={"n": n})
    metadata = v2.read_secret_metadata("t")["data"]
    assert (sorted(metadata["versions"]), metadata["oldest_version"], metadata["current_version"]) == (["3", "4"], 3, 4)
    with refused(InvalidPath):
        v2.read_secret_version("t", version=2, raise_on_deleted_version=True)


def test_patch_keeps_the_members_that_it_does_not_name(v2):
    v2.create_or_update_secret("p", secret={"a": 1, "b": {"c": 2}})
    v2.patch("p", secret={"b": {"d": 3}, "e": 4})
    assert v2.read_secret_version("p", raise_on_deleted_version=True)["data"]["data"] == {
        "a": 1, "b": {"d": 3}, "e": 4}
    with pytest.raises(InvalidPath):
        v2.patch("never", secret={"a": 1})


def test_deleting_the_metadata_removes_the_key_and_restarts_its_versions(v2):
    for n in [1, 2]:
        v2.create_or_update_secret("gone", secret={"n": n})
    assert v2.delete_metadata_and_all_versions("gone").status_code == 204
    with refused(InvalidPath):
        v2.read_secret_metadata("gone")
    assert v2.create_or_update_secret("gone", secret={"n": 3})["data"]["version"] == 1


def test_the_configuration_is_what_was_set_and_the_default_before(v2):
    before = v2.read_configuration()["data"]
    assert (before["cas_required"], before["delete_version_after"], before["max_versions"]) == (False, "0s", 0)
    assert v2.configure(max_versions=1, delete_version_after="3h").status_code == 204
    after = v2.read_configuration()["data"]
    assert (after["cas_required"], after["delete_version_after"], after["max_versions"]) == (False, "3h0m0s", 1)


# KV version 1


def test_a_version_1_secret_is_written_listed_replaced_and_deleted(v1):
    assert v1.create_or_update_secret("a/b", secret={"x": "1", "y": "2"}).status_code == 204
    assert v1.read_secret("a/b")["data"] == {"x": "1", "y": "2"}
    assert v1.list_secrets("")["data"] == {"keys": ["a/"]}
    assert v1.list_secrets("a")["data"] == {"keys": ["b"]}
    v1.create_or_update_secret("a/b", secret={"x": "3"})
    assert v1.read_secret("a/b")["data"] == {"x": "3"}
    assert v1.delete_secret("a/b").status_code == 204
    for absent in [lambda: v1.read_secret("a/b"), lambda: v1.list_secrets("")]:
        with refused(InvalidPath):
            absent()


def test_the_lease_of_a_version_1_secret_comes_from_its_ttl(v1):
    v1.create_or_update_secret("with", secret={"ttl": "30m", "x": "1"})
    v1.create_or_update_secret("without", secret={"x": "1"})
    assert v1.read_secret("with")["lease_duration"] == 1800
    assert v1.read_secret("without")["lease_duration"] == 2764800


# Mounts


def test_a_mount_is_enabled_listed_and_disabled_with_all_that_it_held(client):
    name = new_name("mount")
    assert client.sys.enable_secrets_engine("kv", path=name, options={"version": "2"}, description="d").status_code == 204
    listed = client.sys.list_mounted_secrets_engines()
    assert listed[f"{name}/"] == listed["data"][f"{name}/"]
    entry = listed["data"][f"{name}/"]
    assert (entry["type"], entry["options"], entry["description"]) == ("kv", {"version": "2"}, "d")
    with refused(InvalidRequest, f"path is already in use at {name}/"):
        client.sys.enable_secrets_engine("kv", path=name)

    servers.wait_until(lambda: client.adapter.get(f"/v1/{name}/metadata/k", raise_exception=False).status_code == 404, "the mount is made")
    client.secrets.kv.v2.create_or_update_secret("k", secret={"a": 1}, mount_point=name)
    assert client.sys.disable_secrets_engine(name).status_code == 204
    assert f"{name}/" not in client.sys.list_mounted_secrets_engines()["data"]
    servers.enable_kv(client, name)
    with refused(InvalidPath):
        client.secrets.kv.v2.read_secret_version("k", mount_point=name, raise_on_deleted_version=True)
    client.sys.disable_secrets_engine(name)


def test_a_fresh_server_has_secret_with_version_2(client):
    entry = client.sys.list_mounted_secrets_engines()["data"]["secret/"]
    assert (entry["type"], entry["options"]) == ("kv", {"version": "2"})


def test_an_unknown_mount_is_named_to_root_and_hidden_from_others(client):
    with refused(InvalidPath, 'no handler for route "nomount/data/x". route entry not found.'):
        client.secrets.kv.v2.read_secret_version("x", mount_point="nomount", raise_on_deleted_version=True)
    with refused(Forbidden, "permission denied"):
        hvac.Client(url=client.url, token="nonsense").secrets.kv.v2.read_secret_version(
            "x", mount_point="nomount", raise_on_deleted_version=True)
