"""The list for the linker: how it is made of a profile and the linker's map, and that it stays small."""

import sys

import servers

sys.path.insert(0, str(servers.REPOSITORY / "scripts/bench.d"))

import link_order  # noqa: E402

MAP = """\
     VMA      LMA     Size Align Out     In      Symbol
   10000    10000    30000    16 .text
   10000    10000      100    16         /objects/A.o:(.text.$first)
   10000    10000      100     1                 $first
   10100    10100      100    16         /objects/A.o:(.text)
   10100    10100       10     1                 twice
   10110    10110       10     1                 once
   20000    20000      100    16         /objects/B.o:(.text.$second)
   20000    20000      100     1                 $second
   30000    30000      100    16         /objects/C.o:(.text)
   30000    30000      100     1                 twice
   40000    40000      100    16 .data
   40000    40000      100    16         /objects/C.o:(.data)
"""
PROFILE = """\
ob=(1) /tmp/airlock
fn=(1) $first
0x10004 1
+4 1
* 1
cob=(2) /lib/libc.so.6
cfn=(2) read
calls=1 0x20004
-8 5
ob=(2)
0x20000 1
"""


def test_the_program_s_own_instructions_are_told_from_those_of_libraries(tmp_path):
    (tmp_path / "profile").write_text(PROFILE)
    assert link_order.executed(tmp_path / "profile", "/tmp/airlock") == {0x10004, 0x10008, 0x10000}


def test_pieces_that_few_functions_share_come_first_and_one_with_a_function_of_no_name_of_its_own_stays(tmp_path, monkeypatch):
    (tmp_path / "map").write_text(MAP)
    known, uses = link_order.sections(tmp_path / "map")
    assert [section.start for section in known] == [0x10000, 0x10100, 0x20000, 0x30000]
    touched = {0x10004, 0x10104, 0x20004, 0x30004}
    assert link_order.chosen(known, uses, touched) == ["$first", "$second", "once"]
    monkeypatch.setattr(link_order, "NAMES", 2)
    assert link_order.chosen(known, uses, touched) == ["$second"]


def test_the_list_stays_small():
    assert (servers.REPOSITORY / "scripts/link-order.txt").stat().st_size < 40_000
