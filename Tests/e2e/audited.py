"""An Airlock with an audit log, and what stands in it."""

import json
import re

import pytest

CODE = re.compile(r"hmac-sha256:[0-9a-f]{64}")


def start_audited(start, folder, path=None, **more):
    """An Airlock whose audit log is `path`."""
    path = path or folder / "audit.log"
    config = folder / "config.json"
    config.write_text(json.dumps({"audit": str(path)} | more))
    return start("--config", str(config)), path


@pytest.fixture
def audited(tmp_path, start_airlock):
    """Makes an Airlock that writes an audit log."""
    return lambda path=None, **more: start_audited(start_airlock, tmp_path, path, **more)


def entries(log):
    return [json.loads(line) for line in log.read_bytes().splitlines()]
