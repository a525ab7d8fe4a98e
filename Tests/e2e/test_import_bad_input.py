"""What conn-import says about bad input: every known pitfall of Airflow's forms, and files that are broken as files. A message
has file, line and fix, and never any of the text; nothing is written.

Each pitfall stands in a .env, a JSON and a YAML file. No server is asked: all this is decided before."""

import json
import os
import re
import time

import pytest

from importing import CANARY, alone  # a fixture among them

C = CANARY  # every row has it where a secret might be


# --- Pitfalls ------------------------------------------------------------------------------------------------------
# (input, whether it is refused, what is said about it); "" is nothing at all. Objects are values of JSON.

URIS = [
    # Silent corruption
    (f"google_cloud_platform://u:{C}@h?project=p", "error", "google-cloud-platform://"),
    (f'"mysql://u:{C}@h/d"', "error", "remove the quotes"),
    (f'\ufeff{{"conn_type": "http", "password": "{C}"}}', "error", "byte-order mark"),
    (f'\ufeff[{{"password": "{C}"}}]', "error", "byte-order mark"),
    (f"hello{C}", "error", "there is no `://`"),
    (f"username:{C}?schema=airflow", "error", "there is no `://`"),
    (f"jdbc:postgresql://h:5432/{C}", "error", "with the whole inner URL as `host`"),
    (f"azure://appid:12345?tenantId={C}", "warning", "without `@`"),
    (f"http://h/?endpoint_url=https://{C}:9000", "error", "%3A%2F%2F"),
    (f"http://host/?cb=http://{C}", "error", "%3A%2F%2F"),
    (f"http://host/path#{C}", "warning", "%23"),
    (f"mysql://u:{C}\nss@h", "error", "control character"),
    (f"mysql://u:{C}\tss@h", "error", "%09"),
    (f"mysql://u:{C}%E4ss@h", "error", "%C3%A4"),
    (f"http://h/?token={C}+b", "warning", "%2B"),
    (f"http://h/?a=1&a={C}", "error", "given before"),
    (f"http://h/?a=1;b={C}", "warning", "%3B"),
    (f"http://h/?__extra__=%7B%7D&other={C}", "error", "__extra__"),
    (f"mysql://u:{C}@Host.Example.COM", "warning", "lower case"),
    (f"https://api:8443/{C}", "warning", "http://"),
    (f"postgresql+psycopg2://u:{C}@h", "warning", "postgres://"),
    # Loud failures
    (f"s3://AK:{C}/cd@b", "error", "%2F"),
    (f"s3://AK:{C}#cd@b", "error", "%23"),
    (f"s3://AK:{C}?cd@b", "error", "%3F"),
    (f"s3://AK:{C}[x@b", "error", "%5B"),
    (f"s3://AK:{C}]x@b", "error", "%5D"),
    (f"s3://AK:{C}\u2100@b", "error", "percent-encode"),
    (f"mongo://u:{C}@h1:27017,h2:27017", "error", "use JSON"),
    (f"mongo://u:{C}@h1,h2", "", ""),
    (f"my-type://user:{C}@https://host", "error", "://"),
    (f"my-type://a://b://{C}", "error", "://"),
    (f"http://h?a=http://x&b=http://{C}", "error", "%3A%2F%2F"),
    # Read differently by the API server and the workers: stored so that both read the workers' fields
    (f"http://h/?verify=false&timeout=30&id=007&v=1e3&n=null&big=12345678901234567890123&c={C}", "", ""),
    (f"http://h/?keyfile_dict=%7B%22private_key%22%3A%22{C}%22%7D", "", ""),
    # Both dialects must hold what get_uri() would lose
    ("", "error", "nothing to read|no `://`"),
]
NAMES = ["username", "user", "hostname", "engine", "dbname"]
OBJECTS = [
    *[({"conn_type": "http", name: C}, "error", "--map-aliases") for name in NAMES],
    ({"conn_uri": f"http://u:{C}@h"}, "error", "--map-aliases"),
    ({"conn_type": "http", C: 1}, "error", "a field that Airflow does not know"),
    ({"conn_type": "http", "conn_id": C}, "error", "another id"),
    ({"uri": f"http://u:{C}@h", "login": "x"}, "error", "beside other fields"),
    ({"uri": f"http://u:{C}@h"}, "", ""),
    ({"conn_type": "http", "password": 12345, "login": C}, "warning", "in quotes"),
    ({"conn_type": "http", "port": "5432", "login": C}, "", ""),
    ({"conn_type": "http", "port": "", "login": C}, "", ""),
    ({"conn_type": "http", "port": 5432.0, "login": C}, "", ""),
    ({"conn_type": "http", "port": None, "login": C}, "", ""),
    ({"conn_type": "http", "port": C}, "error", "as a number"),
    ({"conn_type": "http", "port": 65536, "login": C}, "error", "port"),
    ({"conn_type": "http", "extra": C}, "error", "extra"),
    ({"conn_type": "http", "extra": [1, C]}, "error", "object"),
    ({"conn_type": "http", "password": f"{C}%2Fb"}, "warning", "percent-escapes"),
    ({"host": C}, "error", 'add "conn_type"'),
    ({"conn_type": "http", "password": True, "login": C}, "error", "text"),
    ({"conn_type": "jdbc", "host": f"jdbc:postgresql://h:5432/{C}"}, "warning", "use_cache"),
    ({"conn_type": "my-type_x", "description": C, "host": "Host"}, "warning", "use_cache"),
]


def env_line(number, value):
    text = json.dumps(value) if isinstance(value, dict) else value
    quoted = "'" + text + "'" if text else ""
    return f"AIRFLOW_CONN_R{number}={quoted}"


def forms(rows):
    env, line = [], 1
    starts = {}
    for number, (value, *_) in enumerate(rows):
        starts[number] = line
        env.append(env_line(number, value))
        line += env[-1].count("\n") + 1
    yield "rows.env", "\n".join(env), starts
    made = {f"r{number}": value for number, (value, *_) in enumerate(rows)}
    text = json.dumps(made, indent=1)
    yield "rows.json", text, {number: text[:text.index(f'"r{number}":')].count("\n") + 1 for number in range(len(rows))}
    # A text in quotes and a line for each row, as YAML takes JSON's.
    text = "".join(f"r{number}: {json.dumps(value)}\n" for number, value in enumerate(made.values()))
    yield "rows.yaml", text, {number: number + 1 for number in range(len(rows))}


@pytest.mark.parametrize("rows", [URIS, OBJECTS], ids=["uris", "objects"])
def test_every_pitfall_is_refused_or_warned_of_with_its_place_and_fix(alone, rows):
    for name, text, starts in forms(rows):
        result = alone(alone.file(text, name), "--dry-run")
        notes = re.findall(rf"^{re.escape(name)}:(\d+)(?::\d+)?: (warning: )?(.*)$", result.stderr, re.MULTILINE)
        for number, (value, verdict, needle) in enumerate(rows):
            found = [("warning" if warning else "error", said) for line, warning, said in notes if int(line) == starts[number]]
            if name == "rows.yaml" and isinstance(value, dict) and not isinstance(value.get("password", ""), str):
                verdict = ""  # in YAML the text that it is written as
            where = f"{name}, row {number}: {found}"
            if not verdict:
                assert found == [], where
                continue
            assert any(kind == verdict and re.search(needle, said) for kind, said in found), where
            if verdict == "warning":
                assert all(kind == "warning" for kind, _ in found), where


def test_an_alias_is_mapped_on_demand_and_never_over_a_field(alone):
    shape = {"engine": "postgres", "host": "h", "username": "u", "password": C, "dbname": "d", "port": 5432, "dbInstanceIdentifier": "db-1"}
    for name, text in [("rds.json", json.dumps({"pg": shape})), ("rds.yaml", json.dumps({"pg": shape})), ("rds.env", f"AIRFLOW_CONN_PG={json.dumps(shape)}")]:
        alone.file(text, name)
        refused = alone(name, "--dry-run")
        assert refused.returncode == 1 and refused.stderr.count("--map-aliases") >= 4
        mapped = alone(name, "--dry-run", "--map-aliases")
        assert mapped.returncode == 0 and "`dbInstanceIdentifier` is left out" in mapped.stderr
    both = alone.file(json.dumps({"pg": {"conn_type": "postgres", "login": "a", "user": C}}), "both.json")
    result = alone(both, "--dry-run", "--map-aliases")
    assert result.returncode == 1 and "`login` is given twice" in result.stderr


# --- Broken files --------------------------------------------------------------------------------------------------

WHOLE = json.dumps({"a": f"http://u:{C}@h", "b": {"conn_type": "http", "password": C}}, indent=1)
BOMB = "a: &a {conn_type: http, extra: {x: " + C + "}}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12))
FILES = [
    ("cut.json", WHOLE[:-30], r"cut\.json:\d+:\d+: .*one whole JSON object"),
    ("cut2.json", WHOLE[:-1], r"cut2\.json:\d+:\d+: .*one whole JSON object"),
    ("more.json", WHOLE + WHOLE, r"more\.json:\d+:\d+: text after the value"),
    ("empty.json", "", r"empty\.json:1:1: the file is empty"),
    ("list.json", f'[{{"conn_id": "a", "password": "{C}"}}]', r"list\.json:1:1: expected an object"),
    ("comma.json", f'{{"a": "http://{C}",}}', r"comma\.json:1:\d+: expected a member name"),
    ("single.json", f"{{'a': 'http://{C}'}}", r"single\.json:1:2: expected a member name"),
    ("nan.json", f'{{"a": "http://{C}", "b": NaN}}', r"nan\.json:1:\d+: invalid value"),
    ("deep.json", '{"a": ' + "[" * 100_000, r"deep\.json:1:\d+: nested too deeply"),
    ("utf16.json", WHOLE.encode("utf-16"), r"utf16\.json:1: .*UTF-8"),
    ("utf16le.json", WHOLE.encode("utf-16-le"), r"utf16le\.json:1: .*UTF-8"),
    ("utf16.yaml", f"a: http://{C}".encode("utf-16"), r"utf16\.yaml:1: .*UTF-8"),
    ("utf16.env", f"A=http://{C}".encode("utf-16"), r"utf16\.env:1: .*UTF-8"),
    ("latin.json", f'{{"a": "http://ü{C}@h"}}'.encode("latin-1"), r"latin\.json:1:\d+: invalid UTF-8"),
    ("latin.yaml", f"b: x\na: http://ü{C}@h".encode("latin-1"), r"latin\.yaml:2: .*UTF-8"),
    ("latin.env", f"A=http://ü{C}@h".encode("latin-1"), r"latin\.env:1: .*UTF-8"),
    ("twice.json", f'{{"a": "http://{C}",\n"a": "http://{C}"}}', r"twice\.json:1:2: .*also given at twice\.json:2:1"),
    ("twice2.json", f'{{"a": {{"conn_type": "x",\n"conn_type": "{C}"}}}}', r"twice2\.json:1:2: a repeated member name \(line 2\)"),
    ("twice3.json", f'{{"a": {{"conn_type": "x", "extra": {{"a": [{{"b": 1,\n"b": "{C}"}}]}}}}}}', r"twice3\.json:1:2: a repeated member name \(line 2\)"),
    ("twice.yaml", f"a: http://{C}\nb: http://h\na: http://h\n", r"twice\.yaml:1:1: .*also given at twice\.yaml:3:1"),
    ("twice2.yaml", f"a:\n  host: {C}\n  host: h\n", r"twice2\.yaml:3: a name that was given before"),
    ("half.json", f'{{"a": {{"conn_type": "x", "password": "{C}\\ud800"}}}}', r"half\.json:1:2: half a surrogate pair"),
    ("cut.yaml", f'a: {{conn_type: http, password: "{C}', r"cut\.yaml:\d+:\d+: no valid YAML"),
    ("tab.yaml", f"a:\n\tpassword: {C}\n", r"tab\.yaml:2:1: no valid YAML"),
    ("empty.yaml", "# nothing\n", r"empty\.yaml:\d+:\d+: the file is empty"),
    ("list.yaml", f"- conn_id: a\n  password: {C}\n", r"list\.yaml:1:1: the file must be one mapping"),
    ("two.yaml", f"a: http://h\n---\nb: http://{C}\n", r"two\.yaml:2:1: there is more than one document"),
    ("tag.yaml", f"a: !!python/object/apply:os.system [{C}]\n", r"tag\.yaml:1:4: a tag other than"),
    ("tag2.yaml", f"a: {{conn_type: http, password: !vault {C}}}\n", r"tag2\.yaml:1:\d+: a tag other than"),
    ("tag3.yaml", f"a: {{conn_type: http, extra: {{n: !!int {C}}}}}\n", r"tag3\.yaml:1:1: a tag in front of a value of another kind"),
    ("cycle.yaml", f"a: &a {{conn_type: http, password: {C}, extra: {{x: *a}}}}\n", r"cycle\.yaml:1:\d+: an alias inside the very value"),
    ("cycle2.yaml", f"&root\na: *root\nb: {C}\n", r"cycle2\.yaml:2:4: an alias inside the very value"),
    ("stray.yaml", f"a: *nowhere\nb: {C}\n", r"stray\.yaml:1:4: an alias without an anchor"),
    ("bomb.yaml", BOMB, r"bomb\.yaml:\d+:\d+: the value is larger than 1 MiB, with its aliases"),
    ("deep.yaml", "a: " + "[" * 100_000, r"deep\.yaml:1:\d+: .*(nested too deeply|no valid YAML)"),
    ("key.yaml", f"a: {{conn_type: http, [x, {C}]: y}}\n", r"key\.yaml:1:\d+: a name that is no plain text"),
    ("norway.yaml", f"a:\n  conn_type: http\n  extra:\n    verify: no\n    x: {C}\n", r"norway\.yaml:1:1: a value that YAML 1.1.*\(line 4\)"),
    ("number.json", f'{{"a": 5, "b": "http://{C}@h"}}', r"number\.json:1:2: a connection is a URI or an object.*--variables"),
    ("variables.json", f'{{"region": "{C}"}}', r"variables\.json:1:2: there is no `://`.*--variables"),
    ("objects.json", f'{{"setting": {{"a": "{C}"}}}}', r"objects\.json:1:2: there is no field of a connection.*--variables"),
    ("lists.json", f'{{"a": ["http://{C}", "http://h"]}}', r"lists\.json:1:2: a list stands for several"),
    ("id.json", f'{{"http://{C}@h": "a", "http://{C}@h": "b"}}', r"id\.json:1:\d+: .*"),
]


@pytest.mark.parametrize("name, content, said", FILES, ids=[name for name, *_ in FILES])
def test_a_broken_file_is_refused_by_place_and_reason(alone, name, content, said):
    result = alone(alone.file(content, name), "--dry-run")
    assert result.returncode == 1
    assert re.search("^" + said, result.stderr, re.MULTILINE), result.stderr
    assert "would import 0 connections, 0 variables" in result.stdout or name in ("number.json", "list.json", "twice.yaml"), result.stdout


def test_a_file_that_ends_too_early_offers_nothing_even_when_rejected_lines_are_skipped(alone):
    alone.file(WHOLE[:-30], "cut.json")
    result = alone("cut.json", "--dry-run", "--skip-rejected")
    assert result.returncode == 1 and "would import 0 connections" in result.stdout


@pytest.mark.parametrize("name, before, after", [
    ("big.json", '{"a": "http://', '@h"}'), ("big.yaml", "a: http://", "@h\n"), ("big.env", "AIRFLOW_CONN_A=http://", "@h\n"),
    ("quoted.env", "AIRFLOW_CONN_A='http://", "@h'\n"),
])
def test_a_value_of_100_megabytes_is_refused_soon(alone, name, before, after):
    with open(alone.folder / name, "w") as file:
        file.write(before + CANARY)
        for _ in range(100):
            file.write("x" * (1 << 20))
        file.write(after)
    started = time.monotonic()
    result = alone(name, "--dry-run")
    assert result.returncode == 1
    assert re.search(rf"^{name}:1(:\d+)?: .*(larger than 1 MiB|too long)", result.stderr, re.MULTILINE), result.stderr
    assert time.monotonic() - started < 20
    (alone.folder / name).unlink()


def test_files_that_cannot_be_read_are_named_with_the_reason(alone):
    os.symlink("b.json", alone.folder / "a.json")
    os.symlink("a.json", alone.folder / "b.json")
    (alone.folder / "x.json").mkdir()
    os.symlink("nowhere.yaml", alone.folder / "dangling.yaml")
    os.symlink("/proc/self/mem", alone.folder / "memory.env")  # reading it fails, for root too
    for name, said in [
        ("a.json", "its symbolic links lead in a circle"), ("x.json", "this is a folder with the name of a file"),
        ("dangling.yaml", "there is no such file"), ("memory.env", "cannot be read"),
    ]:
        result = alone(name, "--dry-run")
        assert (result.returncode, result.stdout) == (1, ""), name
        assert result.stderr.startswith(f"{name}: {said}"), result.stderr


# --- Places --------------------------------------------------------------------------------------------------------

def test_a_folder_gives_its_known_files_in_order_and_names_the_others(alone):
    folder = alone.folder / "secrets"
    (folder / "inner").mkdir(parents=True)
    os.symlink(folder, folder / "loop")
    for name, text in {
        "b.json": '{"b": "http://h"}', "a.yaml": "a: http://h\n", "c.yml": "c: http://h\n", ".env": "AIRFLOW_VAR_D=1\n", "e.env": "e=http://h\n",
        "notes.txt": CANARY, ".hidden.json": CANARY, "b.json~": CANARY, "b.env.bak": CANARY, "inner/f.json": CANARY,
    }.items():
        (folder / name).write_text(text)
    result = alone("secrets", "--dry-run")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[2:] for row in rows if row[0] == "import"] == [
        ["d", "secrets/.env:1"], ["a", "secrets/a.yaml:1:1"], ["b", "secrets/b.json:1:2"], ["c", "secrets/c.yml:1:1"], ["e", "secrets/e.env:1"]]
    assert [row[2] for row in rows if row[0] == "skip"] == [".hidden.json", "b.env.bak", "b.json~", "inner", "loop", "notes.txt"]
    (folder / "x.json").mkdir()
    assert "secrets/x.json: this is a folder with the name of a file" in alone("secrets", "--dry-run").stderr
    (alone.folder / "empty").mkdir()
    assert "there is no .env, .json, .yaml or .yml file" in alone("empty", "--dry-run").stderr


def test_standard_input_is_read_as_the_format_says(alone):
    for format, text in [(None, "AIRFLOW_CONN_A=http://h"), ("env", "a=http://h"), ("json", '{"a": "http://h"}'), ("yaml", "a: http://h")]:
        result = alone("-", "--dry-run", *(["--format", format] if format else []), input=text)
        assert result.returncode == 0, result.stderr
        assert re.match(r"import +connection +a +stdin:1", result.stdout)
    assert alone("-", "--format", "toml", "--dry-run").returncode == 2
    alone.file('{"a": "http://h"}', "export.txt")
    assert "give --format" in alone("export.txt", "--dry-run").stderr
    assert alone("export.txt", "--dry-run", "--format", "json").returncode == 0


def test_the_environment_of_the_process_is_read_on_demand(alone):
    result = alone(
        "--from-environment", "--dry-run", AIRFLOW_CONN_PG=f"postgres://u:{CANARY}@h", AIRFLOW_VAR_REGION="eu # west",
        AIRFLOW_CONN__SALES___API=json.dumps({"conn_type": "http", "password": CANARY}), AIRFLOW_CONN_BAD=f"nothing-{CANARY}",
        AIRFLOW__CORE__FERNET_KEY=CANARY)
    assert result.returncode == 1
    assert re.findall(r"import +(\w+) +(\S+) +environment (\w+)", result.stdout) == [
        ("connection", "pg", "AIRFLOW_CONN_PG"), ("connection", "sales/api", "AIRFLOW_CONN__SALES___API"), ("variable", "region", "AIRFLOW_VAR_REGION")]
    assert re.search("^environment AIRFLOW_CONN_BAD: ", result.stderr, re.MULTILINE)
    assert "FERNET" not in result.stdout + result.stderr
