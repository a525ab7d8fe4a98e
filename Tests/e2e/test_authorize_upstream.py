"""`authorize: upstream`: the vault decides who may read, with each client's own token, and is asked as little as possible."""

import json

import pytest

from fault_proxy import refuse
from front import Front, at_once, done, outcome, value
from servers import ROOT_TOKEN, wait_until
from wire import Connection


@pytest.fixture
def front(bao_server, tmp_path, start_airlock):
    made = []

    def make(**settings):
        made.append(Front(bao_server, tmp_path, start_airlock, **{"authorize": "upstream"} | settings))
        return made[-1].start()

    yield make
    for one in made:
        one.end()


def role(front, name, policy, **fields):
    """A client's AppRole in OpenBao; returns what it logs in with."""
    bao = front.upstream.client
    done(bao.put(f"/v1/sys/policies/acl/{name}", {"policy": policy}))
    done(bao.put(f"/v1/auth/approle/role/{name}", {"role_id": name, "token_policies": name, "token_ttl": "1h"} | fields))
    return {"role_id": name, "secret_id": done(bao.put(f"/v1/auth/approle/role/{name}/secret-id", {})).data["secret_id"]}


def reads(front, path="*"):
    return f'path "{front.upstream.mount}/data/{path}" {{ capabilities = ["read"] }}'


def log_in(front, credentials, client=None):
    return (client or front.client).post("/v1/auth/approle/login", credentials, token=None)


def token(front, credentials):
    return done(log_in(front, credentials)).json["auth"]["client_token"]


def test_a_thousand_logins_of_one_role_cost_the_vault_one_and_everyone_gets_a_token_of_their_own(front):
    front = front()
    credentials = role(front, "airflow", reads(front))
    front.upstream.write("connections/pg", {"value": "v"})
    front.proxy.forget()

    def logins(_):
        client = Connection(front.airlock)
        tokens = [done(log_in(front, credentials, client)).json["auth"]["client_token"] for _ in range(25)]
        assert value(front.read("connections/pg", client, token=tokens[-1])) == "v"
        client.close()
        return tokens

    tokens = sum(at_once(40, logins), [])
    assert len(set(tokens)) == 1000
    assert (front.proxy.count("login"), front.proxy.count("read")) == (1, 1)
    [login] = front.proxy.seen("login")
    assert "x-vault-token" not in login.headers


def test_neither_the_vaults_token_nor_its_accessor_is_given_to_a_client(front):
    front = front()
    credentials = role(front, "airflow", reads(front))
    front.upstream.write("connections/pg", {"value": "v"})
    auth = done(log_in(front, credentials)).json["auth"]
    assert value(front.read("connections/pg", token=auth["client_token"])) == "v"
    used = front.proxy.seen("read")[-1].headers["x-vault-token"]
    behind = done(front.upstream.client.post("/v1/auth/token/lookup", {"token": used})).data
    looked_up = done(front.client.get("/v1/auth/token/lookup-self", token=auth["client_token"]))
    assert used != auth["client_token"] and used not in looked_up.text
    assert behind["accessor"] not in (auth["accessor"], looked_up.text)
    assert auth["policies"] == ["airflow", "default"] == looked_up.data["policies"]
    assert 3500 < auth["lease_duration"] <= 3600


def test_one_clients_logout_does_not_disturb_the_others(front):
    front = front()
    credentials = role(front, "airflow", reads(front))
    front.upstream.write("connections/pg", {"value": "v"})
    first, second = token(front, credentials), token(front, credentials)
    assert value(front.read("connections/pg", token=first)) == "v"
    done(front.client.post("/v1/auth/token/revoke-self", {}, token=first))
    assert front.read("connections/pg", token=first).status == 403
    assert value(front.read("connections/pg", token=second)) == "v"


def test_what_one_role_may_not_read_is_403_although_another_has_it_cached(front):
    front = front()
    everything = token(front, role(front, "everything", reads(front)))
    little = token(front, role(front, "little", reads(front, "connections/own")))
    for name in ["own", "others"]:
        front.upstream.write(f"connections/{name}", {"value": name})
        assert value(front.read(f"connections/{name}", token=everything)) == name
    assert value(front.read("connections/own", token=little)) == "own"
    for name in ["others", "never"]:
        assert front.read(f"connections/{name}", token=little).status == 403
    assert outcome(front.read("connections/others", token=everything)) == "HIT"


def test_a_token_revoked_in_the_vault_stops_reading_within_the_recheck(front):
    front = front(rights_recheck="1s")
    credentials = role(front, "airflow", reads(front))
    front.upstream.write("connections/pg", {"value": "v"})
    old = token(front, credentials)
    assert value(front.read("connections/pg", token=old)) == "v"
    behind = front.proxy.seen("read")[-1].headers["x-vault-token"]
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": behind}))
    wait_until(lambda: front.read("connections/pg", token=old).status == 403, "the revocation counts")
    # The next login does not give the dead token again.
    assert value(front.read("connections/pg", token=token(front, credentials))) == "v"
    assert front.proxy.count("login") == 2


def test_a_right_taken_away_in_the_vault_is_gone_within_the_recheck(front):
    front = front(rights_recheck="1s")
    client = token(front, role(front, "airflow", reads(front)))
    front.upstream.write("connections/pg", {"value": "v"})
    assert value(front.read("connections/pg", token=client)) == "v"
    done(front.upstream.client.put("/v1/sys/policies/acl/airflow", {"policy": reads(front, "elsewhere")}))
    wait_until(lambda: front.read("connections/pg", token=client).status == 403, "the policy counts")


def test_a_role_that_may_not_ask_for_its_capabilities_proves_its_right_by_reading(front):
    front = front()
    deny = 'path "sys/capabilities-self" { capabilities = ["deny"] }'
    client = token(front, role(front, "mute", reads(front, "connections/own") + deny))
    for name in ["own", "others"]:
        front.upstream.write(f"connections/{name}", {"value": name})
    assert value(front.read("connections/own", token=client)) == "own"
    assert front.read("connections/others", token=client).status == 403


def test_a_name_that_the_vault_tells_no_capabilities_of_is_proven_by_reading(front):
    front = front()
    client = token(front, role(front, "airflow", reads(front)))
    front.upstream.write("connections/pg%20", {"value": "v"})
    assert value(front.read("connections/pg%20", token=client)) == "v"


def test_a_refused_login_is_the_vaults_own_answer(front):
    front = front()
    role(front, "airflow", reads(front))
    wrong = {"role_id": "airflow", "secret_id": "wrong"}
    theirs = front.upstream.client.post("/v1/auth/approle/login", wrong, token=None)
    for _ in range(2):
        ours = log_in(front, wrong)
        assert (ours.status, ours.text) == (theirs.status, theirs.text) and theirs.status == 400
    assert front.proxy.count("login") == 2  # a refusal is never remembered


def test_in_an_outage_known_logins_and_proven_rights_go_on_also_after_a_restart_and_none_is_made(front):
    front = front(ttl="1s", rights_recheck="1s", login_recheck="1s")
    credentials, others = role(front, "airflow", reads(front)), role(front, "other", reads(front))
    for name in ["pg", "lake"]:
        front.upstream.write(f"connections/{name}", {"value": name})
    client, other = token(front, credentials), token(front, others)
    assert value(front.read("connections/pg", token=client)) == "pg"
    assert value(front.read("connections/lake", token=other)) == "lake"
    with front.proxy.failing(refuse):
        for _ in range(2):
            wait_until(lambda: outcome(front.read("connections/pg", token=token(front, credentials))) == "STALE",
                       "the outage is met")
            again = token(front, credentials)
            assert value(front.read("connections/pg", token=again)) == "pg"
            # Cached, but this role never proved that it may.
            unproven = front.read("connections/lake", token=again)
            assert unproven.status == 503 and unproven.headers["Retry-After"] == "1"
            never = log_in(front, {"role_id": "airflow", "secret_id": "never seen"})
            assert never.status == 503 and never.headers["Retry-After"] == "1"
            front.restart()
    wait_until(lambda: front.read("connections/lake", token=token(front, credentials)).status == 200,
               "the vault is asked again")


def test_a_token_that_the_client_brings_from_the_vault_is_known_here_until_the_vault_revokes_it(front):
    front = front(rights_recheck="1s")
    front.upstream.write("connections/pg", {"value": "v"})
    done(front.upstream.client.put("/v1/sys/policies/acl/brought", {"policy": reads(front)}))
    made = done(front.upstream.client.post("/v1/auth/token/create", {"policies": ["brought"], "ttl": "1h"}))
    brought = made.json["auth"]["client_token"]
    for _ in range(5):
        assert value(front.read("connections/pg", token=brought)) == "v"
        assert done(front.client.get("/v1/auth/token/lookup-self", token=brought)).data["id"] == brought
    assert front.read("connections/pg", token="s.nobody-knows-this-one").status == 403
    done(front.upstream.client.post("/v1/auth/token/revoke", {"token": brought}))
    wait_until(lambda: front.read("connections/pg", token=brought).status == 403, "the revocation counts")


def test_revoking_a_brought_token_here_revokes_it_in_the_vault(front):
    front = front()
    made = done(front.upstream.client.post("/v1/auth/token/create", {"ttl": "1h"}))
    brought = made.json["auth"]["client_token"]
    done(front.client.get("/v1/auth/token/lookup-self", token=brought))
    done(front.client.post("/v1/auth/token/revoke-self", {}, token=brought))
    assert front.upstream.client.get("/v1/auth/token/lookup-self", token=brought).status == 403
    assert front.client.get("/v1/auth/token/lookup-self", token=brought).status == 403


def test_a_root_token_of_the_vault_is_not_root_here(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "v"})
    # The same text must not be Airlock's own root token, so another root token is made.
    root = done(front.upstream.client.post("/v1/auth/token/create", {"policies": ["root"]})).json["auth"]["client_token"]
    assert value(front.read("connections/pg", token=root)) == "v"
    for path in ["/v1/sys/mounts", "/v1/sys/policies/acl/default", "/v1/sys/airlock/cache"]:
        assert front.client.get(path, token=root).status == 403
    assert front.client.post("/v1/auth/token/create", {}, token=root).status == 403


def test_each_request_of_a_token_with_a_use_count_is_one_request_to_the_vault(front):
    front = front()
    credentials = role(front, "counted", reads(front), token_num_uses=2)
    front.upstream.write("connections/pg", {"value": "v"})
    first = token(front, credentials)
    for _ in range(2):
        answer = front.read("connections/pg", token=first)
        assert (value(answer), outcome(answer)) == ("v", "BYPASS")
    assert front.read("connections/pg", token=first).status == 403
    assert token(front, credentials) != first
    assert front.proxy.count("login") == 2


def test_userpass_logins_are_verified_each_time(front):
    front = front()
    bao = front.upstream.client
    if "userpass/" not in bao.get("/v1/sys/auth").data:
        done(bao.post("/v1/sys/auth/userpass", {"type": "userpass"}))
    done(bao.put("/v1/sys/policies/acl/person", {"policy": reads(front)}))
    done(bao.post("/v1/auth/userpass/users/ada", {"password": "lovelace", "token_policies": "person"}))
    front.upstream.write("connections/pg", {"value": "v"})
    for _ in range(2):
        answer = front.client.post("/v1/auth/userpass/login/ada", {"password": "lovelace"}, token=None)
        assert value(front.read("connections/pg", token=done(answer).json["auth"]["client_token"])) == "v"
    assert front.client.post("/v1/auth/userpass/login/ada", {"password": "babbage"}, token=None).status == 400
    assert front.proxy.count("login") == 3


def test_writes_are_the_vaults_to_allow_with_the_clients_token(front):
    front = front()
    reader = token(front, role(front, "reader", reads(front)))
    writer = token(front, role(front, "writer", f'path "{front.upstream.mount}/*" {{ capabilities = ["create", "read", "update", "list"] }}'))
    path = "/v1/airflow/data/connections/pg"
    assert front.client.post(path, {"data": {"value": "1"}}, token=reader).status == 403
    done(front.client.post(path, {"data": {"value": "1"}}, token=writer))
    assert value(front.read("connections/pg", token=reader)) == "1"
    done(front.client.post(path, {"data": {"value": "2"}}, token=writer))
    assert value(front.read("connections/pg", token=reader)) == "2"
    assert front.client.get("/v1/airflow/metadata/connections?list=true", token=reader).status == 403
    assert front.client.get("/v1/airflow/metadata/connections?list=true", token=writer).data == {"keys": ["pg"]}


def test_airlocks_own_tokens_and_login_are_worth_nothing_on_such_a_mount(front):
    front = front()
    front.upstream.write("connections/pg", {"value": "v"})
    for method, path in [
            ("GET", "/v1/airflow/data/connections/pg"), ("GET", "/v1/airflow/metadata/connections?list=true"),
            ("DELETE", "/v1/airflow/data/connections/pg"), ("GET", "/api/v2/connections/pg?mount_point=airflow"),
            ("GET", "/api/v2/connections?mount_point=airflow")]:
        assert front.client.send(method, path, token=ROOT_TOKEN).status == 403, path
    assert front.proxy.count("login") == 0 == front.proxy.count("read")


def test_only_logins_and_the_mounts_secrets_reach_the_vault(front):
    front = front()
    client = token(front, role(front, "airflow", reads(front)))
    front.proxy.forget()
    for path in ["auth/approle/role/airflow", "sys/policies/acl/airflow", "other/data/x", "cubbyhole/x"]:
        assert front.client.get(f"/v1/{path}", token=client).status in (403, 404), path
    assert front.proxy.requests == []


def test_the_typed_surface_reads_with_the_clients_right(front):
    front = front()
    front.upstream.write("connections/pg", {"conn_uri": "postgres://u:p@pg/db"})
    front.upstream.write("connections/hidden", {"conn_uri": "postgres://u:p@hidden/db"})
    policy = reads(front, "connections/pg") + f'path "{front.upstream.mount}/metadata/*" {{ capabilities = ["list"] }}'
    client = token(front, role(front, "airflow", policy))
    assert done(front.client.get("/api/v2/connections/pg?mount_point=airflow", token=client)).json["host"] == "pg"
    assert front.client.get("/api/v2/connections/hidden?mount_point=airflow", token=client).status == 403
    listed = done(front.client.get("/api/v2/connections?mount_point=airflow", token=client)).json
    assert [one["connection_id"] for one in listed["connections"]] == ["pg"]


def test_300_lookups_of_real_airflow_reach_the_vault_as_one_login_and_one_read(front, tmp_path):
    front = front()
    front.upstream.write("connections/pg", {"conn_uri": "postgres://u:p@pg.example.com/db"})
    credentials = role(front, "airflow", reads(front))
    front.proxy.forget()
    found = front.look_up(tmp_path, (credentials["role_id"], credentials["secret_id"]), 300, "pg")
    assert found == {"pg": {"pg.example.com": 300}}
    assert (front.proxy.count("login"), front.proxy.count("read")) == (1, 1)


@pytest.mark.parametrize("authorize", ["upstream", "local"])
def test_a_client_goes_on_naming_the_vaults_namespace_and_no_other(bao_server, tmp_path, start_airlock, authorize):
    bao = Connection(bao_server)
    inside = {"X-Vault-Namespace": "team/"}
    name = f"ns-{authorize}"
    bao.send("POST", "/v1/sys/namespaces/team", {})
    done(bao.send("POST", f"/v1/sys/mounts/{name}", {"type": "kv", "options": {"version": "2"}}, headers=inside))
    wait_until(lambda: bao.send("POST", f"/v1/{name}/data/connections/pg", {"data": {"value": "v"}}, headers=inside)
               .status == 200, "OpenBao has made the mount")
    policy = f'path "{name}/*" {{ capabilities = ["read"] }}'
    done(bao.send("PUT", "/v1/sys/policies/acl/reader", {"policy": policy}, headers=inside))
    made = done(bao.send("POST", "/v1/auth/token/create", {"policies": ["reader"], "ttl": "1h"}, headers=inside))
    theirs = made.json["auth"]["client_token"]
    airlock = start_airlock("--authorize", authorize, "--backend-kwargs", json.dumps({
        "url": bao_server.url, "mount_point": name, "namespace": "team", "auth_type": "token", "token": theirs}))
    client = Connection(airlock, token=theirs if authorize == "upstream" else ROOT_TOKEN)
    path = f"/v1/{name}/data/connections/pg"
    for headers in [{}, inside, {"X-Vault-Namespace": "team"}]:
        assert value(client.get(path, headers=headers)) == "v"
        assert client.get("/v1/auth/token/lookup-self", headers=headers).status == 200
    for wrong in ["other", "team/deeper"]:
        assert client.get(path, headers={"X-Vault-Namespace": wrong}).status == 404
