"""Run by the Python of an Airflow installation, not by pytest: writes and reads files of connections and variables with
Airflow's own code. Takes a request on stdin and prints its answer, both JSON.

- export: fills a database (two tables are all that it needs) and runs `airflow connections|variables export` on it;
- read: what `LocalFilesystemBackend` makes of files.
"""

import contextlib
import json
import logging
import os
import sys
import warnings

warnings.simplefilter("ignore")
folder = sys.argv[1]
os.environ.update(
    AIRFLOW_HOME=folder, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db",
    AIRFLOW__CORE__LOAD_EXAMPLES="False", AIRFLOW__CORE__FERNET_KEY="")
FIELDS = ["conn_type", "host", "login", "password", "schema", "port", "extra", "description"]
FORMATS = {"connections.json": [], "connections.yaml": [], "uris.env": ["--file-format", "env"],
           "objects.env": ["--file-format", "env", "--serialization-format", "json"]}


def without_masking():
    """It changes no field, and grows slower with each secret that it has seen."""
    from airflow.models import connection

    connection.mask_secret = lambda *ignored, **options: None


def fields(connection):
    return {name: getattr(connection, name) for name in FIELDS}


def export(connections, variables):
    from airflow import settings
    from airflow.cli import cli_parser
    from airflow.models import Connection, Variable

    settings.initialize()
    engine = settings.engine
    tables = [Connection.__table__, Variable.__table__]
    teams = {key.column.table for table in tables for key in table.foreign_keys}
    Connection.metadata.create_all(engine, tables=[*teams, *tables])
    with settings.Session() as session:
        session.add_all([Connection(conn_id=name, **given) for name, given in connections.items()])
        session.add_all([Variable(key=key, val=value) for key, value in variables.items()])
        session.commit()
        found = {one.conn_id: fields(one) for one in session.query(Connection)}
    parser = cli_parser.get_parser()
    commands = [["connections", "export", f"{folder}/{name}", *options] for name, options in FORMATS.items()]
    for command in [*commands, ["variables", "export", f"{folder}/variables.json"]]:
        arguments = parser.parse_args(command)
        arguments.func(arguments)
    return found


def read(names):
    from airflow.secrets.local_filesystem import load_connections_dict

    return {name: {key: fields(one) for key, one in load_connections_dict(f"{folder}/{name}").items()} for name in names}


with contextlib.redirect_stdout(sys.stderr):
    logging.disable(logging.CRITICAL)
    without_masking()
    request = json.load(sys.stdin)
    answer = {"export": export, "read": read}[request.pop("do")](**request)
json.dump(answer, sys.stdout, default=str)
