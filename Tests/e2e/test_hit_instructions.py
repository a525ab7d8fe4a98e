"""A cached read stays as cheap as docs/benchmarks/hit-instructions.txt says, counted in instructions, which are the same in each
run: of the debug build that everything else here tests, and with --long of a release build too, which is made for it."""

import os
import re
import subprocess

import servers

SCRIPT = servers.REPOSITORY / "scripts/hit-instructions"


def test_a_hit_takes_no_more_than_a_tenth_more_instructions_than_recorded(airlock_only, long):
    folders = {"debug": os.path.dirname(servers.airlock_program())} | ({"release": ""} if long else {})
    for build, folder in folders.items():
        ended = subprocess.run(
            [SCRIPT, "check", build], env=os.environ | {"AIRLOCK_BIN": folder}, capture_output=True, text=True, timeout=3000)
        assert ended.returncode == 0, ended.stderr
        assert re.search(rf"^a hit takes [\d,]+ instructions in a {build} build", ended.stdout, re.MULTILINE), ended.stdout
