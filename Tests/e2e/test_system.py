"""Wrapping, leases, moved and tuned mounts, and the server's state, as the `bao` command line and hvac use them."""

import concurrent.futures
import pathlib

import hvac
import pytest
from hvac.exceptions import InvalidRequest

from front import done
from servers import wait_until
from shell_transcript import replay
from wire import Connection

USED = "wrapping token is not valid or does not exist"


@pytest.fixture(scope="module")
def client(vault_server):
    return hvac.Client(url=vault_server.url, token=vault_server.token)


def test_bao_wraps_leases_moves_and_tunes_the_same_on_both_servers(vault_server, tmp_path):
    written, went = replay(pathlib.Path(__file__).with_name("system.txt"), vault_server, tmp_path)
    assert went == written


def test_hvac_revokes_by_lease_prefix_and_lists_what_is_left(client):
    client.sys.enable_auth_method("approle", path="leasing")
    try:
        client.auth.approle.create_or_update_approle("r", token_policies=["default"], mount_point="leasing")
        role_id = client.auth.approle.read_role_id("r", mount_point="leasing")["data"]["role_id"]
        secret_id = client.auth.approle.generate_secret_id("r", mount_point="leasing")["data"]["secret_id"]
        login = hvac.Client(url=client.url).auth.approle.login(role_id, secret_id, mount_point="leasing")["auth"]
        itself = hvac.Client(url=client.url, token=login["client_token"])
        assert itself.is_authenticated()
        lease = client.sys.list_leases("auth/leasing/login")["data"]["keys"][0]
        told = client.sys.read_lease(f"auth/leasing/login/{lease}")["data"]
        assert (told["id"], told["renewable"]) == (f"auth/leasing/login/{lease}", True)
        with pytest.raises(InvalidRequest, match="tokens cannot be renewed through this endpoint"):
            client.sys.renew_lease(f"auth/leasing/login/{lease}")
        assert client.sys.revoke_prefix("auth/leasing").status_code == 204
        wait_until(lambda: not itself.is_authenticated(), "the token is revoked")
    finally:
        client.sys.disable_auth_method("leasing")


def test_host_info_tells_of_the_machine_and_nothing_of_the_process(client):
    told = client.adapter.get("/v1/sys/host-info")["data"]
    assert {"cpu", "host", "memory", "timestamp"} <= told.keys()
    assert told["memory"]["total"] > told["memory"]["free"] > 0
    assert told["host"]["os"] == "linux" and told["host"]["uptime"] > 0
    assert told["cpu"][0]["modelName"]
    assert client.token not in str(told)


def test_one_of_many_who_unwrap_at_once_gets_the_answer_and_kill_9_does_not_bring_it_back(start_airlock):
    airlock = start_airlock()
    client = Connection(airlock)
    done(client.put("/v1/secret/data/a", {"data": {"k": "once"}}))

    def wrapped():
        return done(client.send("GET", "/v1/secret/data/a", headers={"X-Vault-Wrap-TTL": "300"})).json["wrap_info"]["token"]

    def unwrap(_):
        return Connection(airlock).send("POST", "/v1/sys/wrapping/unwrap", token=token)

    token, waiting = wrapped(), wrapped()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(unwrap, range(16)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 15
    airlock.kill()
    client = Connection(start_airlock())
    assert client.send("POST", "/v1/sys/wrapping/unwrap", token=token).status == 400
    assert "once" in done(client.send("POST", "/v1/sys/wrapping/unwrap", token=waiting)).text


def test_a_read_in_front_of_a_vault_is_wrapped_and_what_the_vault_answers_itself_is_refused_before_it_is_done(front):
    front = front()
    front.upstream.write("a", {"k": "behind"})
    client, wrap = Connection(front.airlock), {"X-Vault-Wrap-TTL": "60"}
    for _ in ["from the vault", "from the cache"]:
        answer = client.send("GET", "/v1/airflow/data/a", headers=wrap)
        assert answer.status == 200 and "behind" not in answer.text
        token = answer.json["wrap_info"]["token"]
        assert client.send("POST", "/v1/sys/wrapping/unwrap", token=token).data["data"] == {"k": "behind"}
        assert client.send("POST", "/v1/sys/wrapping/unwrap", token=token).status == 400
    refused = client.send("POST", "/v1/airflow/data/new", '{"data":{"k":"v"}}', headers=wrap)
    assert refused.status == 400 and "X-Vault-Wrap-TTL" in refused.text
    assert client.get("/v1/airflow/data/new").status == 404
