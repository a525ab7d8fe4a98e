"""`scripts/differential` with few operations: no answer may differ that docs/compatibility.md does not tell of."""

import pytest

import differences
import random_differential
from random_operations import AREAS, choose
from random_operations.world import Operation, World
from servers import REPOSITORY
from wire import Answer


def test_random_operations_are_answered_alike(long, airlock_only, request):
    if request.config.getoption("--server") != "both":
        pytest.skip("compares the two servers")
    shown = []
    seeds, operations = (range(1, 21), 1000) if long else (range(1, 4), 250)
    kinds = random_differential.report(seeds, operations, list(AREAS), show=shown.append)
    assert kinds == 0, "\n".join(shown)


def answered(status, text):
    return Answer(status, {"Location": None}, text.encode())


def test_another_status_member_or_value_is_a_difference():
    history = [Operation("GET", "/v1/secret/data/a")]
    body = '{"data":{"data":{"k":"v"},"metadata":{"version":1}}}'
    assert differences.difference(history, answered(200, body), answered(200, body)) is None
    for status, other in [(404, body), (200, body.replace('"v"', '"w"')), (200, body.replace("1", "2")), (200, body.replace("1", "true")), (200, "")]:
        assert differences.difference(history, answered(200, body), answered(status, other))


def test_every_deliberate_difference_is_told_to_users():
    page = (REPOSITORY / "docs/compatibility.md").read_text()
    for known in differences.KNOWN:
        assert f"\n| {known.documented}" in page, known.documented


def test_a_seed_makes_the_same_operations_again():
    def made():
        world = World(7)
        return [str(choose(world, list(AREAS))) for _ in range(300)]
    assert made() == made()
