"""KV version 1 and 2: write, read, patch, delete, undelete, destroy, metadata, configuration, lists and subkeys."""

from .world import Operation

PATHS = [
    "a", "b", "app", "app/db", "app/db/main", "app/web", "connections/pg", "connections/my", "variables/x", "Case", "case",
    "sp%20ace", "caf%C3%A9", "plus+plus", "deep/er/and/deeper", "x%2F9", "dot.name", "data/data", "metadata/a",
]
VALUES = [
    "v", "", "two words", "Grüße 😀", "line\nbreak", "\"quoted\" \\ back", "<html>&", True, False, None, 0, 7, -1, 1.5, 2**40, [],
    [1, "two", None], {}, {"nested": {"deep": [1, {"x": 2}]}}, {"b": 1, "a": 2}, "x" * 3000,
]
KEYS = ["k", "value", "conn_uri", "password", "a", "b", "é", "with blank", "n", "o"]
VERSIONS = [[1], ["1"], [1, 2], "1", "1,2", [2, 3, 99], ["2", 1], [0], [-1], 1]
BAD_VERSIONS = [[], "", None, ["x"], [1.5], {}, [[1]], True, [None]]
DURATIONS = ["1h", "90m", "1h30m", 3600, "7200", "2d", "0s", 0, "", "1.5h", "10000s", None]
BAD_DURATIONS = ["1w", "bogus", "-1s", -5, " 5m ", "1H", [1], {}, True, 90.7]
NUMBERS = [0, 1, 2, 3, 5, "4", 10]
BAD_NUMBERS = ["x", -1, 1.5, "", [], {}, True, None, 4294967296]
FLAGS = [True, False, "true", "0", 1, 0]
MERGE = {"Content-Type": "application/merge-patch+json"}


def secret(world):
    return {world.one(KEYS): world.one(VALUES) for _ in range(world.random.randint(0, 3))} or {"k": "v"}


def place(world, version):
    """A mount of this version, and a path that more often than not exists."""
    mounts = [name for name, mount in world.kv.items() if mount.version == version]
    if not mounts:
        return None, None, None
    name = world.one(mounts)
    mount = world.kv[name]
    known = list(mount.versions)
    path = world.one(known) if known and world.often(0.75) else world.one(PATHS)
    return name, path, mount


def on_version_2(make):
    def operation(world):
        name, path, mount = place(world, 2)
        return None if name is None else make(world, name, path, mount)
    return operation


def on_version_1(make):
    def operation(world):
        name, path, mount = place(world, 1)
        return None if name is None else make(world, name, path, mount)
    return operation


def wrote(mount, path):
    def then(answer):
        if answer.status == 200:
            mount.versions[path] = mount.versions.get(path, 0) + 1
    return then


def options(world, current):
    if world.often(0.55):
        return {}
    cas = world.one([current, current, current, 0, current + 1, str(current), current - 1, "x", 1.5, None, True, ""])
    return {"options": world.one([{"cas": cas}, {"cas": cas}, {"cas": cas}, {}, None])}


@on_version_2
def write(world, name, path, mount):
    body = {"data": secret(world)} | options(world, mount.versions.get(path, 0))
    return Operation(world.one(["POST", "PUT"]), f"/v1/{name}/data/{path}", body, world.anyone(), then=wrote(mount, path))


@on_version_2
def read(world, name, path, mount):
    current = mount.versions.get(path, 0)
    query = world.one(["", "", "", "?version=1", f"?version={current}", f"?version={current + 1}", "?version=0", "?version=-1",
                       "?version=", "?version=x", "?version=1.5", f"?version={max(1, current - 1)}", "?version=99999999999"])
    return Operation("GET", f"/v1/{name}/data/{path}{query}", None, world.anyone())


@on_version_2
def patch(world, name, path, mount):
    body = {"data": secret(world)} | options(world, mount.versions.get(path, 0))
    headers = MERGE if world.often(0.9) else world.one([
        {}, {"Content-Type": "application/json"}, {"Content-Type": "application/merge-patch+json; charset=utf-8"}, {"Content-Type": ""}])
    return Operation("PATCH", f"/v1/{name}/data/{path}", body, world.anyone(), headers, then=wrote(mount, path))


@on_version_2
def delete(world, name, path, mount):
    return Operation("DELETE", f"/v1/{name}/data/{path}{world.one(['', '', '?version=1'])}", None, world.anyone())


@on_version_2
def change_versions(world, name, path, mount):
    versions = world.one(VERSIONS) if world.often(0.85) else world.one(BAD_VERSIONS)
    action = world.one(["delete", "undelete", "undelete", "destroy"])
    return Operation(world.one(["POST", "PUT"]), f"/v1/{name}/{action}/{path}", {"versions": versions}, world.anyone())


def listing(world, folder):
    """A path and method that list this folder, with paging now and then."""
    pages = world.one(["", "", "", "after=app", "limit=1", "after=a&limit=2", "limit=0", "limit=-1", "limit=x", "after=zzz", "after="])
    method = world.one(["LIST", "LIST", "GET", "SCAN"])
    query = [*(["list=" + world.one(["true", "1", "TRUE"])] if method == "GET" else []), *([pages] if pages else [])]
    return method, folder + ("?" + "&".join(query) if query else "")


FOLDERS = ["", "/", "/app", "/app/", "/app/db", "/connections", "/connections/", "/never", "/a", "/deep/er/", "/sp%20ace"]


@on_version_2
def list_folder(world, name, path, mount):
    kind = world.weighted({"metadata": 10, "detailed-metadata": 2, "data": 1})
    method, path = listing(world, f"/v1/{name}/{kind}{world.one(FOLDERS)}")
    return Operation(method, path, None, world.anyone())


@on_version_2
def read_metadata(world, name, path, mount):
    return Operation("GET", f"/v1/{name}/metadata/{path}", None, world.anyone())


def custom_metadata(world):
    if world.often(0.1):
        return world.one([{"": "v"}, {"k": ""}, {"k" * 129: "v"}, {"k": "v" * 513}, {f"k{n}": "v" for n in range(65)},
                          {"k": {"o": 1}}, {"k": [1]}, "text", [1], 7, {"k": True}])
    return world.one([{}, None, {"owner": "ops"}, {"owner": "dev", "team": "data"}, {"n": 7}, {"owner": None}, {"é": "ü"}])


def settings(world, bad=0.05):
    return world.fields(
        0.35, max_versions=BAD_NUMBERS if world.often(bad) else NUMBERS, cas_required=["x", [], None] if world.often(bad) else FLAGS,
        delete_version_after=BAD_DURATIONS if world.often(bad) else DURATIONS)


@on_version_2
def write_metadata(world, name, path, mount):
    body = settings(world)
    if body.get("cas_required") and world.often(0.7):
        del body["cas_required"]  # or most writes of a run would be refused
    if world.often(0.6):
        body["custom_metadata"] = custom_metadata(world)
    if world.often(0.05):
        body["metadata_cas_required"] = world.one(FLAGS)
    if world.often(0.08):
        body["metadata_cas"] = world.one([0, 1, 2, "1", "x", None])
    token = world.anyone()
    if world.often(0.4):
        for member in list(body):
            if world.often(0.2):
                body[member] = None
        return Operation("PATCH", f"/v1/{name}/metadata/{path}", body, token, MERGE)
    return Operation(world.one(["POST", "PUT"]), f"/v1/{name}/metadata/{path}", body, token,
                     then=lambda answer: mount.versions.setdefault(path, 0) if answer.status == 204 else None)


@on_version_2
def delete_metadata(world, name, path, mount):
    return Operation("DELETE", f"/v1/{name}/metadata/{path}", None, world.anyone(),
                     then=lambda answer: mount.versions.pop(path, None) if answer.status == 204 else None)


@on_version_2
def configuration(world, name, path, mount):
    if world.often(0.5):
        return Operation("GET", f"/v1/{name}/config", None, world.anyone())
    body = settings(world)
    if body.get("cas_required") in (True, "true", 1):
        body["cas_required"] = False
    return Operation(world.one(["POST", "PUT"]), f"/v1/{name}/config", body, world.anyone(0.8))


@on_version_2
def subkeys(world, name, path, mount):
    query = world.one(["", "", "?depth=1", "?depth=2", "?depth=0", "?depth=-1", "?depth=x", "?version=1", "?version=1&depth=1"])
    return Operation("GET", f"/v1/{name}/subkeys/{path}{query}", None, world.anyone())


@on_version_1
def plain_write(world, name, path, mount):
    body = secret(world)
    if world.often(0.3):
        body[world.one(["ttl", "lease"])] = world.one(["30m", 90, "120", "junk", "9000h", None, "2d", "", -5, [1], 1.5, "0"])
    if world.often(0.05):
        body = world.one([{}, None, "null"])
    return Operation(world.one(["POST", "PUT"]), f"/v1/{name}/{path}", body, world.anyone(),
                     then=lambda answer: mount.versions.setdefault(path, 1) if answer.status == 204 else None)


@on_version_1
def plain_read(world, name, path, mount):
    return Operation("GET", f"/v1/{name}/{path}", None, world.anyone())


@on_version_1
def plain_list(world, name, path, mount):
    method, path = listing(world, f"/v1/{name}{world.one(FOLDERS)}")
    return Operation(method, path, None, world.anyone())


@on_version_1
def plain_delete(world, name, path, mount):
    return Operation("DELETE", f"/v1/{name}/{path}", None, world.anyone(),
                     then=lambda answer: mount.versions.pop(path, None) if answer.status == 204 else None)


OPERATIONS = {
    write: 14, read: 12, patch: 6, delete: 3, change_versions: 8, list_folder: 6, read_metadata: 7, write_metadata: 7,
    delete_metadata: 1, configuration: 3, subkeys: 3, plain_write: 5, plain_read: 5, plain_list: 3, plain_delete: 1,
}
