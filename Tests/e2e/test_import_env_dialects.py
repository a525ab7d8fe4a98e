"""Lines of .env files held against a real shell, the real python-dotenv and Docker's rule: each line is read as one of them
reads it, as all of them where they agree, or it is refused."""

import io
import logging
import random
import re
import subprocess

import hvac
import pytest
from dotenv import dotenv_values

from importing import Import, mounted

CASES = 400
PIECES = [
    "k", "q c", "#", " #x", "'", '"', "\\", "\\n", "$", "$x", "${Y}", "$(z)", "`", "{", "}", '{"k": 1}', "=", "%", " ", "\t", "\\'", '\\"', "!",
    "~", "*", ";", "&", "é",
]


def odd_values():
    rng = random.Random(20)
    values = {""}
    while len(values) < CASES:
        value = "".join(rng.choice(PIECES) for _ in range(rng.randrange(4)))
        values.add(rng.choice(["{}", "'{}'", '"{}"', "{} # note"]).replace("{}", value, 1))
    return sorted(values)


def in_shell(value, folder):
    script = f"set -a; A={value}\nprintf %s \"$A\""
    result = subprocess.run(["/bin/sh", "-c", script], capture_output=True, cwd=folder, env={"PATH": "/nowhere"}, text=True)
    return None if result.stderr else result.stdout


def in_dotenv(value):
    return dotenv_values(stream=io.StringIO(f"A={value}\n"), interpolate=False).get("A")


def in_docker(value):
    """https://docs.docker.com/reference/cli/docker/container/run/#env-file: all that follows `=`."""
    return value


@pytest.fixture
def mount(airlock):
    yield from mounted(hvac.Client(url=airlock.url, token=airlock.token), "2")


def test_each_line_means_what_a_shell_or_dotenv_reads_or_is_refused(airlock, mount, tmp_path):
    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    run = Import(tmp_path, airlock)
    values = odd_values()
    name = run.file("".join(f"AIRFLOW_VAR_V{number}={value}\n" for number, value in enumerate(values)))
    result = run(name, "--skip-rejected", "--mount-point", mount)
    refused = {int(line) - 1 for line in re.findall(r"^prod\.env:(\d+): (?!warning)", result.stderr, re.MULTILINE)}
    client = hvac.Client(url=airlock.url, token=airlock.token)
    read = client.secrets.kv.v2.read_secret_version
    (tmp_path / "empty").mkdir()
    for number, value in enumerate(values):
        shell, dotenv, docker = in_shell(value, tmp_path / "empty"), in_dotenv(value), in_docker(value)
        if number in refused:
            # A value that opens like JSON must be closed like JSON.
            assert not shell == dotenv == docker or value.startswith("{"), value
            continue
        ours = read(f"variables/v{number}", mount_point=mount, raise_on_deleted_version=True)["data"]["data"]["value"]
        assert ours in (shell, dotenv), value
        if shell == dotenv:
            assert ours == shell, value
    assert CASES / 10 < len(refused) < CASES / 2


def test_a_name_alone_which_docker_takes_from_its_environment_is_refused(tmp_path):
    run = Import(tmp_path, None)
    result = run(run.file("AIRFLOW_CONN_PG\nAIRFLOW_VAR_A=b\n"), "--dry-run", AIRFLOW_CONN_PG="postgres://h")
    assert result.returncode == 1
    assert "prod.env:1: there is no '='" in result.stderr
