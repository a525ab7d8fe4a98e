"""Which functions the linker is to lay side by side. `scripts/link-order` runs it.

Of a file that a program maps, Linux makes resident the 64 KB around each page that is touched. A start touches 5,000 functions in
1.3 MB of the code, all over it, and would have twenty. Named are those which make the most 64 KB pieces superfluous."""

import bisect
import collections
import pathlib
import re
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/e2e"))

import callgrind  # noqa: E402

NAMES = 500
PIECE = 1 << 16
LARGEST = 200_000  # a section of several pieces gains nothing by being moved
HEADING = """\
# Functions that a start, a login and a read run, for the linker to lay side by side. Written by scripts/link-order; a name that is
# no more does no harm.
"""


class Section:
    def __init__(self, start, size):
        self.start, self.size, self.symbols = start, size, []


def sections(linker_map):
    """Those with code, as the linker's map tells of them, and how often a name is used."""
    found, uses, current = [], collections.Counter(), None
    for line in linker_map.read_text(errors="replace").splitlines():
        if not (columns := re.match(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ ( *)(\S.*)$", line)):
            continue
        start, size, indent, name = int(columns[1], 16), int(columns[2], 16), len(columns[3]), columns[4]
        if indent == 0:
            current = None
        elif indent == 8:
            current = Section(start, size) if ":(.text" in name and size else None
            if current:
                found.append(current)
        elif current:
            current.symbols.append(name)
            uses[name] += 1
    return sorted(found, key=lambda section: section.start), uses


def executed(profile, program):
    """The addresses of the program's own instructions that ran."""
    names, mine, address, found = {}, False, 0, set()
    for line in profile.read_text(errors="replace").splitlines():
        if (named := re.match(r"c?ob=\((\d+)\)(?: (.*))?$", line)):
            if named[2]:
                names[named[1]] = named[2]
            if not line.startswith("c"):
                mine = names[named[1]] == str(program)
        elif (cost := re.match(r"(0x[0-9a-f]+|[+-]\d+|\*) ", line)):
            text = cost[1]
            address = int(text, 16) if text[0] == "0" else address + (0 if text == "*" else int(text))
            if mine:
                found.add(address)
    return found


def chosen(known, uses, addresses):
    """A name for each section to move: first those of the pieces that the fewest share."""
    starts = [section.start for section in known]
    pieces, staying, names = collections.defaultdict(set), set(), {}
    for address in sorted(addresses):
        section = known[bisect.bisect_right(starts, address) - 1]
        if not address < section.start + section.size:
            continue
        name = next((name for name in section.symbols if uses[name] == 1), None)
        if name and section.size <= LARGEST:
            names[section] = name
            pieces[address // PIECE].add(section)
        else:
            staying.add(address // PIECE)
    moved = set()
    for piece in sorted(pieces.keys() - staying, key=lambda piece: (len(pieces[piece]), piece)):
        if len(moved | pieces[piece]) > NAMES:
            break
        moved |= pieces[piece]
    return sorted(names[section] for section in moved)


def main(linker_map, output):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder) / "airlock"
        with callgrind.airlock(folder, "--dump-instr=yes", "--demangle=no") as server:
            login = server.approle()
            for _ in range(3):
                server.client.post("/v1/auth/approle/login", login)
            server.hits(3)
            server.ordinary(3)
            addresses = executed(server.dump(), folder / "airlock")
    known, uses = sections(pathlib.Path(linker_map))
    names = chosen(known, uses, addresses)
    assert len(names) > NAMES / 2, f"{len(names)} names of {len(known)} sections, {len(addresses)} addresses"
    pathlib.Path(output).write_text(HEADING + "".join(name + "\n" for name in names))
    print(f"{len(names)} names")


if __name__ == "__main__":
    main(*sys.argv[1:])
