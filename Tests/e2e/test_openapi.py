"""The typed surface against its own description: a fuzzer reads `/api/v2/openapi.json` and sends what it allows, and
what it does not. Nothing may make the server fail."""

import subprocess

import servers
from wire import Connection

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_no_request_that_the_description_allows_or_forbids_makes_the_server_fail(airlock, long, tmp_path):
    done = subprocess.run(
        [servers.TOOLS / "py/bin/st", "run", f"{airlock.url}/api/v2/openapi.json",
         "--header", f"Authorization: Bearer {airlock.token}", "--checks", CHECKS, "--mode", "all",
         "--max-examples", "1000" if long else "15", "--request-timeout", "20", "--workers", "1",
         "--generation-database", "none", "--no-color"],
        cwd=tmp_path, env=servers.clean_environment(tmp_path), capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert Connection(airlock).get("/v1/sys/health").status == 200


def test_the_description_is_openapi_3_and_names_the_typed_surface(airlock):
    description = Connection(airlock, token=None).get("/api/v2/openapi.json").json
    assert description["openapi"].startswith("3.")
    assert {"/api/v2/connections", "/api/v2/connections/{connection_id}", "/api/v2/variables",
            "/api/v2/variables/{variable_key}", "/api/v2/inventory"} <= set(description["paths"])
