"""Run by the Python of an Airflow 3 installation: looks connections up COUNT times, each time in backends made anew from the
environment's settings, as Airflow itself does, and prints how often each host was the answer.

    python airflow_lookups.py COUNT ID...
"""

import collections
import json
import sys

from airflow.configuration import initialize_secrets_backends
from airflow.models import Connection
from airflow.providers.hashicorp.secrets.vault import VaultBackend


def look_up(name):
    [backend] = [backend for backend in initialize_secrets_backends() if isinstance(backend, VaultBackend)]
    try:
        text = backend.get_conn_value(name)
    except Exception as error:  # what a task would log
        return f"{type(error).__name__}"
    return None if text is None else f"{Connection(uri=text).host}"


count, *names = sys.argv[1:]
print(json.dumps({
    name: collections.Counter(str(look_up(name)) for _ in range(int(count))) for name in names}))
