"""Kong's `ttl`, `neg_ttl` and `resurrect_ttl` as settings of a mount: `ttl`, `negative_ttl`, and `max_stale`, which is `ttl` and
`resurrect_ttl` together (https://developer.konghq.com/gateway/entities/vault/hashicorp/). An answer that says nothing about the
secret never replaces a value within `resurrect_ttl`."""

import time

import pytest

import fault_proxy as faults
from front import done, outcome, value
from servers import wait_until

TTL, RESURRECT_TTL = 1, 2
TIMES = {"ttl": f"{TTL}s", "negative_ttl": "1s", "max_stale": f"{TTL + RESURRECT_TTL}s"}
NO_ANSWERS = {
    "refused": faults.refuse,
    "404 with a message": faults.answer(404, {"errors": ["no handler for route"]}), "404 of a gateway": faults.html(404)}


@pytest.fixture
def kong(front):
    front = front(**TIMES)
    front.upstream.write("customer/acme", {"value": "ACME Inc."})
    return front


@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_a_value_that_has_expired_serves_on_while_the_vault_is_away_and_then_is_no_404(kong, fault):
    begun = time.monotonic()
    assert value(kong.read("customer/acme")) == "ACME Inc."
    with kong.proxy.failing(NO_ANSWERS[fault]):
        seen = set()
        while time.monotonic() - begun < TTL + RESURRECT_TTL - 0.7:
            answer = kong.read("customer/acme")
            assert value(answer) == "ACME Inc."
            seen.add(outcome(answer))
            time.sleep(0.2)
        assert "STALE" in seen
        over = wait_until(lambda: (answer := kong.read("customer/acme")).status != 200 and answer, "resurrect_ttl is over")
        assert over.status == 503 and time.monotonic() - begun > TTL + RESURRECT_TTL - 0.2
        assert kong.read("customer/nobody").status == 503, "never asked for: not known to be absent"
    wait_until(lambda: kong.read("customer/acme").status == 200, "the vault is back")


def test_what_is_not_there_is_not_asked_for_again_within_neg_ttl_and_what_is_made_is_found_after_it(kong):
    assert kong.read("customer/new").status == 404
    kong.upstream.write("customer/new", {"value": "New Ltd."})
    found = wait_until(lambda: (answer := kong.read("customer/new")).status == 200 and answer, "neg_ttl is over")
    assert value(found) == "New Ltd."
    with kong.proxy.failing(faults.refuse):
        wait_until(lambda: outcome(kong.read("customer/new")) == "STALE", "ttl is over")
        assert value(kong.read("customer/new")) == "New Ltd.", "the 404 from before came back"


def test_a_deletion_is_the_vaults_own_answer_and_serves_on_as_such(kong):
    """Kong keeps a deleted value for `resurrect_ttl` by itself; Airlock says what the vault says."""
    assert value(kong.read("customer/acme")) == "ACME Inc."
    done(kong.upstream.client.delete(f"/v1/{kong.upstream.mount}/metadata/customer/acme"))
    wait_until(lambda: kong.read("customer/acme").status == 404, "ttl is over")
    with kong.proxy.failing(faults.refuse):
        wait_until(lambda: outcome(kong.read("customer/acme")) == "STALE", "neg_ttl is over")
        assert kong.read("customer/acme").status == 404
