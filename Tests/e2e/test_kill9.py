"""What was acknowledged survives `kill -9`. `scripts/kill-rounds` runs the same by hand."""

import random

import kill_rounds


def test_no_acknowledged_write_is_lost_by_kill_9_under_write_load(airlock_only, long, tmp_path):
    rounds, seed = 200 if long else 20, random.randrange(1_000_000)
    print(f"seed {seed}")
    assert kill_rounds.run(rounds, tmp_path, seed) >= rounds
