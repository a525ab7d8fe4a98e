"""Run by the Python of .tools/clients, not by pytest: runs the commands of standard input with airflowctl, unmodified, in one
process, because it takes seconds to start. Prints what each printed and how it ended, one JSON line a command.

    [["connections", "list"], ["connections", "get", "pg"]]
"""

import contextlib
import io
import json
import sys

from airflowctl.__main__ import main

for arguments in json.load(sys.stdin):
    sys.argv = ["airflowctl", *arguments]
    printed, code = io.StringIO(), 0
    with contextlib.redirect_stdout(printed):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps({"code": code if isinstance(code, int) else 1, "stdout": printed.getvalue()}), flush=True)
