"""Run by the Python of an Airflow installation, not by pytest: fills the metadata database that the environment names, through
Airflow's own models, and prints what Airflow gives back from it as one JSON line.

The standard input is a JSON list of steps. Each has the `fernet_key` that Airflow's setting then holds (empty: no
encryption), `teams` (names), `connections` (fields by id), `variables` (values by key, or fields), and `sql` for what the
models refuse. The keys of the last but one open all that is read back; the last is made after that.
"""

import json
import os
import sys

import airflow
from airflow import settings
from airflow.models import Connection, Variable, crypto
from sqlalchemy import text

FIELDS = ["conn_type", "description", "host", "login", "password", "schema", "port", "extra"]


def use_key(key):
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = key
    if airflow.__version__.startswith("2."):
        crypto._fernet = None
    else:
        crypto.get_fernet.cache_clear()


def fill(session, step):
    use_key(step["fernet_key"])
    for name in step.get("teams", []):
        from airflow.models.team import Team

        session.add(Team(name=name))
    session.flush()
    for conn_id, fields in step.get("connections", {}).items():
        session.add(Connection(conn_id=conn_id, **fields))
    for key, value in step.get("variables", {}).items():
        session.add(Variable(key=key, **(value if isinstance(value, dict) else {"val": value})))
    session.flush()
    for statement in step.get("sql", []):
        session.execute(text(statement))
    session.commit()


session = settings.Session()
*steps, unreadable = json.load(sys.stdin)
for step in steps:
    fill(session, step)
session.expire_all()
found = {
    "connections": {
        row.conn_id: {name: getattr(row, name) for name in FIELDS} for row in session.query(Connection)},
    "variables": {row.key: row.val for row in session.query(Variable)},
}
fill(session, unreadable)
print(json.dumps(found))
