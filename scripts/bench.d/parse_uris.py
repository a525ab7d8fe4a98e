"""Seconds that Airflow's Task SDK takes for one URI. Runs in Airflow's own Python; the URIs are JSON lines."""

import json
import logging
import sys
import time
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import airflow.sdk.log  # noqa: E402
from airflow.sdk.definitions import connection  # noqa: E402

# Masking changes no field and grows slower with each secret seen.
airflow.sdk.log.mask_secret = lambda *_, **__: None
connection.log.disabled = True

with open(sys.argv[1]) as lines:
    uris = [json.loads(line) for line in lines]
begun = time.perf_counter()
for uri in uris:
    connection.Connection(conn_id="c", uri=uri)
print((time.perf_counter() - begun) / len(uris))
