"""`airlock uri` against the three Airflows it models: random texts, and not one difference is allowed.

Each case goes to Airflow and to `airlock uri`. Both must give the same fields, the same URI, or both refuse (the wording
is free, but Airlock's must not repeat the input). The Task SDK runs in this process; Airflow 2.10.5 and 3.3.2 run as
subprocesses where their Pythons are installed, and are skipped where they are not.

Out of reach, and so not generated:
- halves of surrogate pairs as characters of a text (a Swift string cannot hold them; `airlock uri` refuses them, see the
  last test). Written as escapes inside `extra` they are fine, and are generated;
- JSON nested within a few levels of Python's recursion limit, which depends on who calls;
- characters assigned after Unicode 14, the version of Python 3.11's tables, are generated only by chance.

AIRLOCK_BIN is the folder of the `airlock` program (default `.build/debug`), URI_CASES and URI_SEED choose how much is
tried and from where.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AIRLOCK = Path(os.environ.get("AIRLOCK_BIN", ROOT / ".build" / "debug")) / "airlock"
CASES = int(os.environ.get("URI_CASES", "20000"))
SEED = int(os.environ.get("URI_SEED", "20250"))
FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")

# Runs in each Airflow's own Python. Masking is switched off: it changes no field and grows slower with each secret seen.
ORACLE = r'''
import json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")

def load(kind):
    if kind == "sdk":
        import airflow.sdk.log
        from airflow.sdk.definitions import connection
        airflow.sdk.log.mask_secret = lambda *a, **k: None
        connection.log.disabled = True
    else:
        from airflow.models import connection
        connection.mask_secret = lambda *a, **k: None
    return connection.Connection

def uri_of(conn):
    try:
        return conn.get_uri()
    except Exception:
        return None

def parsed(make, names=FIELDS):
    try:
        conn = make()
        fields = [getattr(conn, name) for name in names]
    except Exception:
        return None
    return fields, uri_of(conn)

def answer(Connection, texts, objects, json_texts):
    return (
        [parsed(lambda: Connection(conn_id="c", uri=text)) for text in texts],
        [(parsed(lambda: Connection(conn_id="c", **fields)) or (None, None))[1] for fields in objects],
        [(parsed(lambda: Connection.from_json(text.strip(), conn_id="c"), FIELDS + ("description",)) or (None, None))[0] for text in json_texts],
    )
'''
MAIN = r'''
if __name__ == "__main__":
    given = json.load(sys.stdin)
    out = sys.stdout
    sys.stdout = sys.stderr
    json.dump(answer(load("orm"), *given), out)
'''


# --- Cases ---------------------------------------------------------------------------------------------------------

TYPES = [
    "postgres", "postgresql", "mysql", "http", "https", "google-cloud-platform", "google_cloud_platform", "HTTP", "My-Type_X",
    "a", "s3", "jdbc", "aws", "spark+x.y", "postgresql+psycopg2", "1a", "", "é", "-", "postgresql-", "ſ", "\tmysql", " http",
]
HOSTS = [
    "h", "host.example.com", "Host.EXAMPLE.Com", "", "[::1]", "[2001:db8::1]", "[fe80::1%25eth0]", "[fe80::1%ETH0]", "[::ffff:1.2.3.4]",
    "[1.2.3.4]", "[v1.x]", "[V1.x]", "[vF.:a]", "[v.x]", "[v1.]", "[]", "[::1", "::1]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]",
    "[1:2:3:4:5:6:7:8:9]", "[::1::2]", "[:1:2:3:4:5:6:7]", "[12345::]", "[g::]", "[::1%]", "[::1%a%b]", "[::01.2.3.4]",
    "[::256.1.1.1]", "[::1.2.3]", "x[::1]y", "h1:27017,h2:27017", "h1,h2", "%2Ftmp%2Fsocket", "%2Ftmp:Up%2Fer", "A%2Fb", "a%2fB%zz",
    "ExAmPle%41", "Ünïcode.ÉXAMPLE", "ΑΣ", "ΑΣ.ΣΑ", "Σ", "İstanbul", "K", "\u2100.com", "a\uff0fb", "a\uff20b", "\ufe16", "\u212b",
    "e\u0301", "𝔸𝕓", "𐐀𐐁", "ß", "ǅ", "https%3A%2F%2Fx", "h%00", "h%E4", "h%C3%A4", "h\x7f", "h\x01", "h.", "-", "_a_",
]
TEXTS = [
    "", "user", "pass", "p@ss", "p%40ss", "p:w", "a/b", "a%2Fb", "a%2fb", "a+b", "a%2Bb", "a b", "a%20b", "%", "%%", "%2", "%zz", "%00", "%e4",
    "%C3%A4", "%C3", "%ED%A0%80", "%F0%9F%98%80", "%F0%9F", "%F4%90%80%80", "%C0%80", "é%A9", "%C3é", "ä", "日本", "😀", "\u00a0", "\u2028",
    "\ufeff", "\x00", "\x1f", "\x7f", "\x85", "\t", "\n", "\r", "pa\nss", "[", "]", "[x]", "#", "?", "&", "=", ";", "'", '"', "\\", "<>",
    "\u2100", "\uff1a", "e\u0301", "\u0301", "ﬀ", "x" * 300, "://", "%3A%2F%2F", "~!$*(),", "__extra__", "null", "NaN", "{", "}",
]
PORTS = [
    "", "", "", ":5432", ":0", ":00080", ":65535", ":65536", ":99999999999999999999", ":-1", ":+1", ":1_0", ":٣", ":²", ":a", ":", ": 1", ":1 ", ":80:81",
    ":" + "0" * 4298 + "80", ":" + "0" * 4299 + "80",
]
VALUES = [
    "", "1", "0", "-0", "007", "1.0", "1e3", "1E+3", "1e-7", "-1.5e300", "1e999", "-1e999", "1.", ".5", "01", "-", "+1", "1e", "1e5x",
    "12345678901234567890123", "0.1", "1e16", "1e15", "123456789012345678.9", "9007199254740993.0", "5e-324", "1.7976931348623157e308",
    "0.0001", "0.00001", "100000.0", "2e-5", "true", "false", "null", "True", "NaN", "Infinity", "-Infinity", "-NaN", "nul", "{}", "[]",
    '{"a":1}', '{"a":1,"a":2,"b":[1,2.50,{"c":null}]}', '{"a":1,}', "[1,]", '["x"', '"s"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud800\\u0041"', '"\\ud800\\ud83d\\ude00"', '"\\u00e9\\/\\b\\f\\n\\r\\t"', '"\\x"', '"\\u12"', '"a\nb"', '"a\x7fb"', ' 1 ', "\t[ 1 , 2 ]\n", "\u00a01",
    "\ufeff1", "é", "😀", '"é😀"', '{"é":"\\u0000"}', "1 2", "{'a':1}", "1" * 4300, "1" * 4301, "-" + "9" * 4300, "1" * 4301 + "x", "1" * 4301 + ".5",
    '[' * 50 + ']' * 50, '[' * 50, "a+b", "a%2Bb", "https://x", "x;y=1", "%7B%22a%22%3A1%7D", "a=b", "=", "s\u0301",
]
NAMES = ["a", "b", "c", "A", "", "é", "e\u0301", "__extra__", "__Extra__", "%5F_extra__", "a+b", "a%20b", "a b", "key", "verify", "%00", "%ff", "k" * 40]
JUNK = ["://", ":", "/", "//", "@", "?", "#", "&", "=", "%", "%2", "%25", "[", "]", "+", ";", " ", "\t", "\n", "\r", "\x00", "\x1c", "\x85", "\u3000", "é",
        "ſ", "😀", "\u2100", "\ufe6b", "\uff1f", "\u0345", "Σ", "_", "-", ".", "A", "z", "0", "9", '"', "'", "{", "}", "\\", "|", "^", "<", "\ufeff", "\x7f",
        "http://", "HTTP://", "postgresql://", "__extra__="]


def quoted(rng, text):
    """Percent-encodes as a careful person, or a careless one, would."""
    way = rng.random()
    if way < 0.45:
        return text
    keep = rng.random() * 0.6 if way < 0.7 else 0
    return "".join(c if c.isalnum() and c.isascii() or rng.random() < keep else
                   "".join("%%%02X" % b for b in c.encode()) for c in text)


def any_char(rng):
    way = rng.random()
    if way < 0.55:
        return chr(rng.randrange(128))
    top = 0x300 if way < 0.7 else 0x3100 if way < 0.85 else 0x10000 if way < 0.95 else 0x20000
    while True:
        code = rng.randrange(top)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def word(rng):
    way = rng.random()
    if way < 0.6:
        return rng.choice(TEXTS)
    if way < 0.8:
        return "".join(rng.choice("abcXYZ019-_.~") for _ in range(rng.randrange(1, 12)))
    return "".join(any_char(rng) for _ in range(rng.randrange(0, 8)))


def query(rng):
    parts = []
    for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 12])):
        name = quoted(rng, rng.choice(NAMES)) if rng.random() < 0.85 else word(rng)
        value = quoted(rng, rng.choice(VALUES)) if rng.random() < 0.8 else word(rng)
        parts.append(rng.choice(["=", "=", "=", "=", "=", "", "=="]).join([name, value]))
    return rng.choice(["&", "&", "&", "&", "&&", ";"]).join(parts)


def uri(rng):
    text = rng.choice(TYPES) if rng.random() < 0.8 else word(rng)
    text += rng.choice(["://"] * 12 + [":", ":/", "//", ":///", ""])
    if rng.random() < 0.15:
        text += rng.choice(["http", "https", "HTTPS", rng.choice(TYPES), word(rng)]) + "://"
    if rng.random() < 0.6:
        text += quoted(rng, word(rng))
        if rng.random() < 0.8:
            text += ":" + quoted(rng, word(rng))
        text += "@"
    text += (rng.choice(HOSTS) if rng.random() < 0.8 else quoted(rng, word(rng))) + rng.choice(PORTS)
    if rng.random() < 0.6:
        text += "/" + quoted(rng, word(rng))
    if rng.random() < 0.6:
        text += "?" + query(rng)
    if rng.random() < 0.08:
        text += "#" + word(rng)
    return text


def plain_uri(rng):
    """What people write who do it right."""
    name = lambda: "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(rng.randrange(1, 14)))
    text = rng.choice(["postgres", "mysql", "http", "google-cloud-platform", "aws"]) + "://" + name() + ":" + quoted(rng, name())
    text += "@" + name() + rng.choice(["", ".example.com"]) + rng.choice(["", ":5432", ":1"]) + rng.choice(["", "/" + name()])
    return text + rng.choice(["", "?" + "&".join(name() + "=" + name() for _ in range(rng.randrange(1, 4)))])


def mutated(rng, text):
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at = rng.randrange(len(text) + 1)
        way = rng.random()
        if way < 0.55:
            text = text[:at] + (rng.choice(JUNK) if rng.random() < 0.8 else any_char(rng)) + text[at:]
        elif way < 0.8:
            text = text[:at] + text[at + rng.randrange(1, 4):]
        elif way < 0.9:
            end = rng.randrange(len(text) + 1)
            text = text[:at] + text[min(at, end):end] + text[at:]
        else:
            text = text[:at] + text[at:].swapcase()
    return text


def opens_like_object(text):
    return text.strip()[:1] == "{" and text.strip()[1:].strip()[:1] in ("\"", "'", "}")


def texts(rng, count):
    found = ["", " ", "hello", "://", "//", "a://", "//h", "a:b-a://h", "x:h/?a=x://y", "http://http://h", "HTTP://http://h", "http://HTTP://h"]
    while len(found) < count:
        way = rng.random()
        text = plain_uri(rng) if way < 0.2 else uri(rng) if way < 0.6 else mutated(rng, uri(rng)) if way < 0.85 \
            else mutated(rng, plain_uri(rng)) if way < 0.97 else "".join(any_char(rng) for _ in range(rng.randrange(30)))
        # Those `airlock uri parse` reads as JSON, by design.
        if not opens_like_object(text):
            found.append(text)
    return found


def unquoted_text(rng):
    return rng.choice(HOSTS) if rng.random() < 0.3 else word(rng)


def objects(rng, count):
    found = [{}]
    while len(found) < count:
        fields = {}
        for name in ("host", "login", "password", "schema"):
            if rng.random() < 0.7:
                fields[name] = unquoted_text(rng)
        if rng.random() < 0.25:
            fields["host"] = rng.choice(TYPES + ["http"]) + "://" + unquoted_text(rng)
        if rng.random() < 0.9:
            fields["conn_type"] = rng.choice(TYPES) if rng.random() < 0.9 else word(rng)
        if rng.random() < 0.5:
            fields["port"] = rng.choice([0, 1, 5432, 65535, 65536, -1, 2**31, 2**62])
        if rng.random() < 0.6:
            fields["extra"] = extra(rng)
        for name in list(fields):
            if rng.random() < 0.05:
                fields[name] = None
        found.append(fields)
    return found


def extra(rng):
    if rng.random() < 0.3:
        return rng.choice(VALUES)
    members = []
    strings_only = rng.random() < 0.5
    for _ in range(rng.randrange(4)):
        value = rng.choice(VALUES) if not strings_only and rng.random() < 0.4 else json.dumps(word(rng), ensure_ascii=rng.random() < 0.5)
        members.append(json.dumps(rng.choice(NAMES + ["\\ud800"])).replace("\\\\", "\\") + ":" + value)
    return "{" + ",".join(members) + "}"


def scalar(rng):
    return rng.choice(VALUES) if rng.random() < 0.4 else json.dumps(word(rng), ensure_ascii=rng.random() < 0.5)


def json_texts(rng, count):
    """Airflow's JSON form, mostly with values of the right kind."""
    names = ["conn_type", "host", "login", "password", "schema", "port", "extra", "description"]
    found = ["{}", " {} ", "{'conn_type':'mysql'}", '{"conn_type":"mysql",}']
    while len(found) < count:
        members = []
        for name in rng.sample(names, rng.randrange(len(names) + 1)):
            if name == "port" and rng.random() < 0.9:
                value = rng.choice(["5432", '"5432"', '" 5_432 "', '"٣"', '"1__0"', '"_1"', '"+7"', '"- 7"', '"-7"', '"abc"', '""', "0", '"0"', "0.5", "-1.5",
                                    "5432.0", "1e3", "1e999", "NaN", "true", "false", "null", "[]", "[1]", "99999999999999999999", "1e18",
                                    '"\\u00a05\\u2003"', '"' + "0" * 4300 + '"', '"' + "0" * 4301 + '"'])
            elif name == "extra":
                value = json.dumps(extra(rng)) if rng.random() < 0.5 else extra(rng) if rng.random() < 0.5 else scalar(rng)
            else:
                value = scalar(rng) if rng.random() < 0.2 else json.dumps(unquoted_text(rng) if name != "conn_type" else rng.choice(TYPES))
            members.append(json.dumps(name) + rng.choice([":", ": ", "\n:\t"]) + value)
        if rng.random() < 0.15:
            members.append(rng.choice(['"uri":""', '"uri":null', '"uri":"mysql://u:p@h/d?a=1"', '"uri":"mysql://u:@h:x"', '"uri":0', '"uri":"http://h"']))
        if rng.random() < 0.1:
            members.append(rng.choice(['"conn_id":"x"', '"team_name":"t"', '"user":"u"', '"conn_uri":"x"', '"extra_dejson":{}', '"":1', '"host":"again"',
                                       '"password":null', '"password":0', '"password":""', '"\\u0068ost":"h"', '"host\\ud800":""']))
        rng.shuffle(members)
        text = "{" + rng.choice([",", ", "]).join(members) + "}"
        text = mutated(rng, text) if rng.random() < 0.1 else text
        text = rng.choice(["", "", "", "", " ", "\n", "\u00a0"]) + text + rng.choice(["", "", "", "", " ", "\u2003"])
        if opens_like_object(text):
            found.append(text)
    return found


def can_be_held(fields):
    """Airlock's connection has texts where texts belong, and a port of 64 bits; it refuses what Airflow would keep beyond."""
    if fields is None:
        return False
    port = fields[FIELDS.index("port")]
    texts = [field for name, field in zip(FIELDS + ("description",), fields) if name != "port" and field is not None]
    return all(isinstance(text, str) and not any(0xD800 <= ord(c) < 0xE000 for c in text) for text in texts) and (
        port is None or -(2**63) <= port < 2**63)


# --- Comparing -----------------------------------------------------------------------------------------------------


def airlock(command, dialect, lines):
    done = subprocess.run([AIRLOCK, "uri", command, "--dialect", dialect], input="".join(json.dumps(line) + "\n" for line in lines),
                          capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n")
    assert answers.pop() == "" and len(answers) == len(lines)
    return [json.loads(answer) for answer in answers]


def compare(dialect, ask, count=CASES, seed=SEED):
    rng = random.Random(f"{seed}-{dialect}")
    inputs, fields, objects_as_text = texts(rng, count), objects(rng, count // 2), json_texts(rng, count // 2)
    expected, expected_uris, expected_from_text = ask(inputs, fields, objects_as_text)
    differences = []

    def check(what, given, airflow, ours):
        if airflow != ours:
            differences.append((what, given, airflow, ours))

    parsed = airlock("parse", dialect, inputs)
    accepted = []
    for text, airflow, ours in zip(inputs, expected, parsed):
        if "error" in ours:
            assert len(text) < 4 or text not in ours["error"], "an error repeats its input"
        check("parse", text, airflow and list(airflow[0]), None if "error" in ours else [ours[name] for name in FIELDS])
        if airflow:
            accepted.append((dict(zip(FIELDS, airflow[0])), airflow[1]))
    for (given, airflow), ours in zip(accepted, airlock("build", dialect, [given for given, _ in accepted])):
        check("get_uri of what was parsed", given, airflow, ours.get("uri"))
    for given, airflow, ours in zip(fields, expected_uris, airlock("build", dialect, fields)):
        check("get_uri", given, airflow, ours.get("uri"))
    for text, airflow, ours in zip(objects_as_text, expected_from_text, airlock("parse", dialect, objects_as_text)):
        check("JSON", text, airflow[:-1] if can_be_held(airflow) else None, None if "error" in ours else [ours[name] for name in FIELDS])
    shown = "\n".join(f"{what}\n  given  {ascii(given)[:400]}\n  Airflow {ascii(airflow)[:400]}\n  Airlock {ascii(ours)[:400]}"
                      for what, given, airflow, ours in differences[:10])
    assert not differences, f"{len(differences)} differences\n{shown}"
    refused = sum(answer is None for answer in expected)
    assert count * 0.05 < refused < count * 0.6, f"{refused} of {count} refused: the cases have lost their balance"


def in_airflow(name):
    python = ROOT / ".tools" / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f".tools/{name} is not installed")

    def ask(home):
        def run(*given):
            # An empty Fernet key stores fields as they are, which is quicker and changes none of them.
            environment = dict(os.environ, AIRFLOW_HOME=str(home), AIRFLOW__CORE__FERNET_KEY="", AIRFLOW__CORE__LOAD_EXAMPLES="False",
                               AIRFLOW__LOGGING__LOGGING_LEVEL="CRITICAL", PYTHONWARNINGS="ignore")
            done = subprocess.run([python, "-c", ORACLE + MAIN], input=json.dumps(given), env=environment,
                                  capture_output=True, text=True, timeout=1800)
            assert done.returncode == 0, done.stderr[-2000:]
            return json.loads(done.stdout)
        return run
    return ask


@pytest.fixture
def task_sdk():
    pytest.importorskip("airflow.sdk.definitions.connection")
    space = {"__name__": "oracle"}
    exec(ORACLE, space)
    connection = space["load"]("sdk")
    return lambda *given: space["answer"](connection, *given)


@pytest.fixture
def airflow_2(tmp_path):
    return in_airflow("airflow2")(tmp_path)


@pytest.fixture
def airflow_3_server(tmp_path):
    return in_airflow("airflow3")(tmp_path)


def test_the_task_sdk_and_airlock_agree(task_sdk):
    compare("sdk", task_sdk)


def test_airflow_2_10_and_airlock_agree(airflow_2):
    compare("2.10", airflow_2)


def test_the_airflow_3_api_server_and_airlock_agree(airflow_3_server):
    compare("server", airflow_3_server)


def test_half_a_surrogate_pair_is_refused_and_the_order_of_lines_kept():
    lines = ['"http://h/\\ud800"', '"http://a"', "5", "", '"http://b"', '"http://c']
    done = subprocess.run([AIRLOCK, "uri", "parse"], input="\n".join(lines), capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer.get("host") for answer in answers] == [None, "a", None, None, "b", None]
    assert [("error" in answer) for answer in answers] == [True, False, True, True, False, True]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
