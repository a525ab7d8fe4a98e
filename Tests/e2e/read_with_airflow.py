"""Run by the Python of an Airflow installation, not by pytest: reads variables and connections the way a task does,
through whatever secrets backend the environment configures, and prints what Airflow made of them as one JSON line. A team's
are read as the API server reads them for a task of the team (Airflow 3).

    python read_with_airflow.py variable:greeting connection:pg connection-of-team:sales/pg
"""

import json
import sys

import airflow

FIELDS = ["conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra"]

if airflow.__version__.startswith("2."):
    from airflow.models import Connection, Variable

    get_connection = Connection.get_connection_from_secrets
else:
    from airflow.sdk import Connection, Variable

    get_connection = Connection.get


def read(what):
    kind, name = what.split(":", 1)
    try:
        if kind.endswith("-of-team"):
            from airflow import models

            team, name = name.split("/")
            if kind == "variable-of-team":
                return models.Variable.get(name, team_name=team)
            connection = models.Connection.get_connection_from_secrets(name, team_name=team)
        elif kind == "variable":
            return Variable.get(name)
        else:
            connection = get_connection(name)
        return {field: getattr(connection, field) for field in FIELDS}
    except Exception as error:  # what a task's author sees is the point
        return {"error": f"{type(error).__name__}: {error}"}


print(json.dumps({"airflow": airflow.__version__} | {what: read(what) for what in sys.argv[1:]}))
