"""What `scripts/differential` goes by: which answers differ, and that users are told of every difference that is meant."""

import differences
import random_differential
from random_operations import AREAS, choose
from random_operations.world import Operation, World
from servers import REPOSITORY
from wire import Answer


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
