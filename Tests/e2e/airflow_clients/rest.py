"""Run by the Python of .tools/clients, not by pytest: makes the calls of standard input with Airflow's own client of its REST
API, unmodified, and prints what each answered, one JSON line a call.

    {"url": ..., "username": ..., "password": ..., "calls": [["ConnectionApi", "get_connection", {"connection_id": "pg"}]]}
"""

import inspect
import json
import sys
import urllib.request

import airflow_client.client as airflow

asked = json.load(sys.stdin)
# As the client's documentation gets its token.
login = urllib.request.Request(
    asked["url"] + "/auth/token", json.dumps({name: asked[name] for name in ("username", "password")}).encode(),
    {"Content-Type": "application/json"})
with urllib.request.urlopen(login) as answer:
    print(json.dumps({"status": answer.status}))
    token = json.load(answer)["access_token"]
client = airflow.ApiClient(airflow.Configuration(host=asked["url"], access_token=token))


def call(api, name, arguments):
    method = getattr(getattr(airflow, api)(client), name + "_with_http_info")
    types = {parameter.name: parameter.annotation for parameter in inspect.signature(method).parameters.values()}
    given = {
        key: types[key].from_dict(value) if isinstance(value, dict) else value for key, value in arguments.items()}
    try:
        answer = method(**given)
        return {"status": answer.status_code, "body": json.loads(answer.raw_data or b"null"),
                "model": type(answer.data).__name__}
    except airflow.ApiException as error:
        return {"status": error.status, "raised": type(error).__name__, "model": type(error.data).__name__,
                "body": json.loads(error.body)}


for one in asked["calls"]:
    print(json.dumps(call(*one)), flush=True)
