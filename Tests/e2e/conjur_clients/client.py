"""Conjur's own Python client in its own environment. One JSON line in, `[method, arguments, named]`, one JSON line out."""

import json
import sys

from conjur_api import Client
from conjur_api.models import ConjurConnectionInfo, CredentialsData, Resource, SslVerificationMode
from conjur_api.providers import AuthnAuthenticationStrategy, SimpleCredentialsProvider


def main(url, username, key):
    provider = SimpleCredentialsProvider()
    provider.save(CredentialsData(machine=url, username=username, password=key))  # it logs in for the API key by itself
    client = Client(
        ConjurConnectionInfo(conjur_url=url, account="default"), authn_strategy=AuthnAuthenticationStrategy(provider),
        ssl_verification_mode=SslVerificationMode.TRUST_STORE, async_mode=False)
    for line in sys.stdin:
        method, arguments, named = json.loads(line)
        if method == "rotate_other_api_key":
            arguments = [Resource(*arguments)]
        try:
            result = getattr(client, method)(*arguments, **named)
            answer = {"result": result.decode() if isinstance(result, bytes) else result}
        except Exception as error:
            answer = {"raised": type(error).__name__, "text": str(error), "status": getattr(error, "status", None)}
        print(json.dumps(answer), flush=True)


main(*sys.argv[1:])
