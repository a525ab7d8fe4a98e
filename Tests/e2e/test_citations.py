"""What comments cite can be found: the sections of docs/vault-protocol.md, and in it the tests that show them."""

import re

from servers import REPOSITORY

PAGE = REPOSITORY / "docs/vault-protocol.md"
SECTIONS = re.findall(r"^##+ (\d+(?:\.\d+)?)\.? ", PAGE.read_text(), re.MULTILINE)
CITATION = re.compile(r"VAULT-PROTOCOL((?:(?:,| and| to|-)?\s*\d+(?:\.\d+)?)*)")


def cited():
    """(place, the numbers there) of every citation."""
    for folder in ("Sources", "Tests", "docs", "scripts"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in (".swift", ".py", ".md", ".txt", ".http") and path.name not in ("test_citations.py", PAGE.name):
                # A citation may go on in the comment's next line.
                text = re.sub(r"\n *(///?|#) *", " ", path.read_text())
                for found in CITATION.finditer(text):
                    yield path.relative_to(REPOSITORY), re.findall(r"\d+(?:\.\d+)?", found[1])


def test_every_citation_names_a_section_that_is_there():
    citations = list(cited())
    assert len(citations) > 50
    assert [(str(place), numbers) for place, numbers in citations if not numbers or not set(numbers) <= set(SECTIONS)] == []


def test_every_section_names_tests_that_are_there():
    tests = {path.name: path for path in (REPOSITORY / "Tests").rglob("*") if path.suffix in (".swift", ".py", ".txt")}
    parts = re.split(r"^##+ ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    told = [part for part in parts if "Shown by: " in part]
    # A section that is only a heading has its own sections.
    assert all(len(part.splitlines()) <= 2 for part in parts if part not in told)
    for part in told:
        for name, headings in re.findall(r"`([\w.]+\.(?:swift|py|txt))`(?: \(([^()]*)\))?", " ".join(part.split("Shown by: ")[1].split())):
            assert name in tests, (part.splitlines()[0], name)
            known = re.findall(r"^# (.*)$", tests[name].read_text(), re.MULTILINE)
            assert set(headings.split("; ") if headings else []) <= set(known), (part.splitlines()[0], headings)
