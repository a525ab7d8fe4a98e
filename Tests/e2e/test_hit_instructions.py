"""A cached read stays as cheap as docs/benchmarks/hit-instructions.txt says, counted in instructions, which are the same in each
run: of the debug build that everything else here tests, and with --long of a release build too, which is made for it."""

import os
import re
import subprocess
import sys

import pytest

import servers

sys.path.insert(0, str(servers.REPOSITORY / "scripts/bench.d"))

import hit_instructions  # noqa: E402

SCRIPT = servers.REPOSITORY / "scripts/hit-instructions"


def test_a_hit_takes_no_more_than_a_tenth_more_instructions_than_recorded(airlock_only, long):
    folders = {"debug": os.path.dirname(servers.airlock_program())} | ({"release": ""} if long else {})
    for build, folder in folders.items():
        ended = subprocess.run(
            [SCRIPT, "check", build], env=os.environ | {"AIRLOCK_BIN": folder}, capture_output=True, text=True, timeout=3000)
        assert ended.returncode == 0, ended.stderr
        assert re.search(rf"^a hit takes [\d,]+ instructions in a {build} build", ended.stdout, re.MULTILINE), ended.stdout


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(hit_instructions, "RECORD", tmp_path / "hit-instructions.txt")
    hit_instructions.record("debug", 1000, 5000)


def test_growth_by_more_than_a_tenth_is_refused_with_both_figures(recorded):
    hit_instructions.check("debug", 1100)
    with pytest.raises(SystemExit) as refusal:
        hit_instructions.check("debug", 1101)
    assert "a hit takes 1,101 instructions in a debug build; 1,000 are recorded (+10.1 %)" in str(refusal.value)


def test_a_build_of_which_nothing_is_recorded_is_refused(recorded):
    with pytest.raises(SystemExit, match="nothing is recorded for release"):
        hit_instructions.check("release", 1)


def test_recording_one_build_keeps_what_is_recorded_of_the_other(recorded):
    hit_instructions.record("release", 70, 900)
    hit_instructions.record("debug", 900, 4000)
    assert {build: line[:2] for build, line in hit_instructions.lines().items()} == {"debug": (900, 4000), "release": (70, 900)}
