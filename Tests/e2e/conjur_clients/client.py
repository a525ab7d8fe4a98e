"""Conjur's own Python client in its own environment. One JSON line in, `[method, arguments, named]`, one JSON line out."""

import json
import sys

from conjur_api import Client
from conjur_api.models import (
    ConjurConnectionInfo, CreateHostData, CreateTokenData, CredentialsData, ListMembersOfData, ListPermittedRolesData, Resource,
    SslVerificationMode)
from conjur_api.providers import AuthnAuthenticationStrategy, SimpleCredentialsProvider


def members_of(kind, identifier):
    data = ListMembersOfData(identifier=identifier)
    data.set_resource(Resource(kind, identifier))
    return data


# Calls that take one object.
OF_ONE = {
    "rotate_other_api_key": Resource, "list_members_of_role": members_of, "list_permitted_roles": ListPermittedRolesData,
    "create_token": CreateTokenData, "create_host": CreateHostData}


def main(url, username, key):
    provider = SimpleCredentialsProvider()
    provider.save(CredentialsData(machine=url, username=username, password=key))  # it logs in for the API key by itself
    client = Client(
        ConjurConnectionInfo(conjur_url=url, account="default"), authn_strategy=AuthnAuthenticationStrategy(provider),
        ssl_verification_mode=SslVerificationMode.TRUST_STORE, async_mode=False)
    for line in sys.stdin:
        method, arguments, named = json.loads(line)
        if method in OF_ONE:
            arguments = [OF_ONE[method](*arguments, **named)]
            named = {}
        try:
            result = getattr(client, method)(*arguments, **named)
            answer = {"result": result.decode() if isinstance(result, bytes) else result}
        except Exception as error:
            answer = {"raised": type(error).__name__, "text": str(error), "status": getattr(error, "status", None)}
        print(json.dumps(answer), flush=True)


main(*sys.argv[1:])
