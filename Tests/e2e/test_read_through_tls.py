"""A vault behind TLS with a CA of its own, and what happens when its certificate is no longer the right one."""

import pytest

from authority import Authority
from front import outcome, value
from servers import wait_until


@pytest.mark.parametrize("wrong", ["of another authority", "expired", "of another address", "no TLS at all"])
def test_a_certificate_that_is_not_the_right_one_is_an_outage(front, tmp_path, wrong):
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    right = ours.server()
    front = front(start=False)
    front.proxy.tls = right
    front.mount["kwargs"] |= {"url": front.proxy.url, "verify": str(ours.path)}
    front.start()
    front.upstream.write("connections/pg", {"value": "before"})
    assert value(front.read("connections/pg")) == "before"
    count = len(front.proxy.requests)

    front.proxy.tls = {
        "of another authority": others.server(), "expired": ours.server(days=-1),
        "of another address": ours.server(address="127.0.0.2"), "no TLS at all": None}[wrong]
    front.proxy.drop_clients()
    front.invalidate(mount="airflow")
    answer = front.read("connections/pg")
    assert (value(answer), outcome(answer)) == ("before", "STALE")
    unknown = front.read("connections/never")
    assert (unknown.status, unknown.headers["Retry-After"]) == (503, "1")
    assert len(front.proxy.requests) == count, "a token was sent to a server that was not verified"

    front.upstream.write("connections/pg", {"value": "after"})
    front.proxy.tls = right
    answer = wait_until(lambda: outcome(answer := front.read("connections/pg")) != "STALE" and answer, "it is over")
    assert value(answer) == "after"


def test_an_authority_of_ones_own_is_not_trusted_unless_it_is_named(front, tmp_path):
    front = front(start=False)
    front.proxy.tls = Authority(tmp_path, "ours").server()
    front.mount["kwargs"]["url"] = front.proxy.url
    front.start()
    assert front.read("connections/pg").status == 503
    assert front.proxy.requests == []
