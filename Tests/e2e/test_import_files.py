"""`conn-import` of files, held against the real Airflows: what their exports hold arrives with the very same fields, and
a file means what `LocalFilesystemBackend` reads from it, or is refused.

Refused is what some Airflow could not hold (see `cannot_be_held`), and what YAML's two versions read differently."""

import json
import random
import subprocess

import hvac
import pytest
import yaml
from airflow.sdk.definitions.connection import Connection

import servers
from importing import Import, mount, mounted  # a fixture among them

AIRFLOWS = ["airflow2", "airflow3"]
CASES = 200
FIELDS = ["conn_type", "host", "login", "password", "schema", "port", "extra", "description"]


@pytest.fixture(scope="module")
def client(airlock):
    return hvac.Client(url=airlock.url, token=airlock.token)


@pytest.fixture
def run(airlock, tmp_path):
    return Import(tmp_path, airlock)


def ask(airflow, folder, **request):
    """One run of that Airflow's own code; see files_with_airflow.py."""
    result = subprocess.run(
        [servers.TOOLS / airflow / "bin/python", servers.REPOSITORY / "Tests/e2e/files_with_airflow.py", str(folder)],
        input=json.dumps(request), text=True, capture_output=True, timeout=120,
        env=servers.clean_environment(folder))
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def stored(client, mount, kind="connections"):
    """All data objects of a mount."""
    names = client.secrets.kv.v2.list_secrets(kind, mount_point=mount)["data"]["keys"]
    read = client.secrets.kv.v2.read_secret_version
    return {name: read(f"{kind}/{name}", mount_point=mount, raise_on_deleted_version=True)["data"]["data"] for name in names}


def as_workers_read(data):
    """The Task SDK's fields of a secret's data object, as VaultBackend gives it that."""
    try:
        if "conn_uri" in data:
            connection = Connection(conn_id="c", uri=data["conn_uri"])
        else:
            connection = Connection.from_json(json.dumps(data), conn_id="c")
        return {name: getattr(connection, name) for name in FIELDS}
    except Exception as error:
        return {"error": type(error).__name__}


def as_read_back(objects):
    return {name: as_workers_read(data) for name, data in objects.items()}


# --- Exports -------------------------------------------------------------------------------------------------------

WORDS = [
    "user", "p@ss/w:rd?#", "yes", "No", "null", "~", "0123", "1e3", "5432", "2024-01-01", "1:30", ".5", "true", " padded ", "", "#hash",
    "a # b", "'quoted'", '"double"', "back\\slash", "${HOME}", "$(x)", "`x`", "é", "e\u0301", "日本", "😀", "a: b", "- a", "{}", "[]", "&a", "*a", "!t",
    "%41", "100%", "| pipe", "> fold", "@at", "x" * 200 + " " + "y" * 90, "=", "<<", "tab\there", "two\nlines", "two\n\n lines \n", "\u2028", "\ufeff", "<&>",
]
TYPES = ["postgres", "http", "google_cloud_platform", "my-type", "HTTP", "aws", "postgresql", "a b"]
EXTRAS = [
    None, "", "{}", '{"a": 1.50}', '{"verify": false, "n": null, "l": [1, "2"]}', '{"big": 12345678901234567890123, "f": 1e3}',
    '{ "spaced" :  "x" }', '{"é": "\\u00e9😀"}', '{"__extra__": "x"}', '{"k": "${X} # y"}', "text", "[1, 2]", '"s"',
    '{"keyfile_dict": "{\\"private_key\\": \\"-----BEGIN\\\\nX\\\\n\\"}"}',
]


def odd_connections(seed):
    rng = random.Random(seed)

    def word():
        return rng.choice([None, *WORDS]) if rng.random() < 0.9 else "".join(rng.choice(WORDS) for _ in range(3))

    made = {}
    for number in range(CASES):
        made[f"c{number}.x-y_z"] = {
            "conn_type": rng.choice(TYPES), "host": word(), "login": word(), "password": word(), "schema": word(),
            "port": rng.choice([None, 0, 1, 5432, 65535]), "extra": rng.choice(EXTRAS), "description": word()}
    return made


def cannot_be_held(fields):
    """An extra that is no object is refused by Airflow 3's API server."""
    if not fields["extra"]:
        return False
    try:
        return not isinstance(json.loads(fields["extra"]), dict)
    except ValueError:
        return True


def as_read(fields):
    """As Airflow's JSON form reads them back: types in one spelling; no extra and an empty one are the same to it."""
    kind = fields["conn_type"]
    return fields | {
        "conn_type": "postgres" if kind == "postgresql" else kind.replace("-", "_"), "extra": fields["extra"] or None,
        "port": fields["port"] and int(fields["port"])}


@pytest.fixture(scope="module", params=AIRFLOWS)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    given = odd_connections(request.param)
    if request.param == "airflow3":  # which takes no other
        given = {name: fields for name, fields in given.items() if not cannot_be_held(fields)}
    variables = {f"v{number}": text for number, text in enumerate([*WORDS, '{"a": [1, {"b": 1.5}], "é": []}', '{"value": 1}', "5", "[]"])}
    found = ask(request.param, folder, do="export", connections=given, variables=variables)
    assert len(found) > CASES / 2
    return request.param, folder, found, variables


@pytest.mark.parametrize("name", ["connections.json", "connections.yaml", "objects.env"])
def test_what_airflow_exports_arrives_with_the_very_same_fields(exported, run, client, mount, name):
    airflow, folder, found, _ = exported
    result = run(str(folder / name), "--skip-rejected", "--mount-point", mount)
    expected = {key: as_read(fields) for key, fields in found.items() if not cannot_be_held(fields)}
    read = as_read_back(stored(client, mount))
    assert read.keys() == expected.keys(), result.stderr
    for key, fields in read.items():
        assert fields == expected[key], key
    assert result.returncode == (1 if len(expected) < len(found) else 0), result.stderr


def test_an_exported_uri_means_what_airflow_reads_from_it(exported, run, client, mount):
    """It is refused only where the URI does not hold the connection any more."""
    airflow, folder, found, _ = exported
    lines = [line.split("=", 1) for line in (folder / "uris.env").read_text().splitlines()]
    result = run(str(folder / "uris.env"), "--skip-rejected", "--mount-point", mount)
    read = as_read_back(stored(client, mount))
    assert len(read) > len(lines) / 3
    for key, uri in lines:
        meant = as_workers_read({"conn_uri": uri})
        if key in read:
            assert some(read[key]) == some(meant), key
        else:
            assert some(meant) != some(found[key]), f"{key}: {result.stderr}"


def some(fields):
    """What is there: a URI cannot tell an empty text from none."""
    return {name: value for name, value in fields.items() if value}


def test_exported_variables_arrive_as_airflow_would_import_them(exported, run, client, mount):
    airflow, folder, _, variables = exported
    result = run(str(folder / "variables.json"), "--variables", "--mount-point", mount)
    assert result.returncode == 0, result.stderr
    for key, data in stored(client, mount, "variables").items():
        text = variables.pop(key)
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if isinstance(value, str):
            assert data["value"] == (text if airflow == "airflow3" else value)  # 2.10 drops the quotes of a JSON text
        elif airflow == "airflow2" and value == {"value": 1}:
            assert data["value"] == "1" and "is read as Airflow 3 reads it" in result.stderr
        else:
            assert data["value"] == json.dumps(value, indent=2) or json.loads(data["value"]) == value
    assert variables == {}


# --- Files by hand -------------------------------------------------------------------------------------------------

def odd_files(seed):
    """Files as people and programs write them: URIs, fields, lists of one, `extra_dejson`, in all styles of YAML."""
    rng = random.Random(seed)
    words = [word for word in WORDS if word.strip() and word != "1e3"]  # text in YAML 1.1, a number in YAML 1.2: refused

    def value(depth=0):
        kind = rng.randrange(8 if depth < 3 else 5)
        if kind > 5:
            return {rng.choice(words): value(depth + 1) for _ in range(rng.randrange(4))}
        return rng.choice(words) if kind < 3 else [None, True, 1, 1.5, -7, 10**20][rng.randrange(6)] if kind < 5 else [value(depth + 1)]

    def connection():
        way = rng.randrange(6)
        if way == 0:
            return f"http://user:{rng.randrange(99)}@host{rng.randrange(9)}:80/path?k=%7Bv%7D"
        fields = {"conn_type": rng.choice(["http", "postgres", "a_b"])}
        fields |= {name: rng.choice([None, *words]) for name in ("host", "login", "password", "schema", "description") if rng.random() < 0.6}
        if rng.random() < 0.6:
            fields["port"] = rng.choice([None, 0, 80, 65535])
        if rng.random() < 0.6:
            fields[rng.choice(["extra", "extra_dejson"])] = {rng.choice(words): value() for _ in range(rng.randrange(1, 4))}
        return [fields] if way == 1 else fields

    made = {f"c{number}": connection() for number in range(40)}
    yield "indented.json", json.dumps(made, indent=1, ensure_ascii=False)
    yield "dense.json", json.dumps(made, separators=(",", ":"))
    for number, options in enumerate([
        {}, {"default_flow_style": True}, {"allow_unicode": True, "width": 20}, {"default_style": '"'}, {"default_style": "'"},
        {"default_style": "|"}, {"default_style": ">", "width": 30}, {"explicit_start": True, "explicit_end": True, "indent": 7},
    ]):
        yield f"style{number}.yaml", yaml.safe_dump(made, **options)


WRITTEN = """\
%YAML 1.2
--- # one document
defaults: &defaults
  conn_type: http   # a comment
  login: "yes"
  port: 8080
merged:
  <<: *defaults
  port: 81
  extra: &extra {list: &list [1, two, 3.50], again: *list}
several:
  <<: [{host: first}, *defaults, {host: second, schema: s}]
  extra: *extra
folded: {conn_type: ssh, password: plain text
    over lines, host: 'it''s'}
block:
  conn_type: ssh
  description: >-
    folded
    lines

    kept
  extra_dejson:
    key: |
      -----BEGIN-----
      x
    "quoted key": null
? complex
: "http://h:1/p\\x41"
tagged: !!map {conn_type: !!str http, port: !!int 80, extra: {a: !!float 1.5, b: !!str 1, c: !!null '', d: !!bool true}}
list:
- http://u:p@h/d
uri: {uri: "http://u:p@h:1/d?a=b"}
...
"""


@pytest.mark.parametrize("airflow", AIRFLOWS)
def test_a_file_means_what_the_local_filesystem_backend_reads(airflow, run, client, tmp_path):
    files = dict(odd_files(airflow)) | {"written.yaml": WRITTEN}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    expected, found = ask(airflow, tmp_path, do="read", names=list(files)), {}
    for name in files:
        for mount in mounted(client, "2"):
            result = run(name, "--mount-point", mount)
            assert result.returncode == 0, result.stderr
            found |= {f"{name}: {key}": data for key, data in stored(client, mount).items()}
    read = as_read_back(found)
    for key, fields in read.items():
        name, id = key.split(": ")
        assert fields == as_read(expected[name].pop(id)), key
    assert not any(expected.values())
