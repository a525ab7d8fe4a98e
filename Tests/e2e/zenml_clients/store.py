"""Runs inside ZenML 0.98: its HashiCorpVaultSecretsStore, unmodified. See conversation.py."""

from conversation import converse

import datetime
import json
import types
import uuid

from zenml.zen_stores.secrets_stores.hashicorp_secrets_store import HashiCorpVaultSecretsStore, HashiCorpVaultSecretsStoreConfiguration

OWNER = types.SimpleNamespace(id=uuid.UUID("11111111-1111-4111-8111-111111111111"))


class Store:
    def __init__(self, owner=None, **settings):
        server = types.SimpleNamespace(id=uuid.UUID(owner)) if owner else OWNER
        self.store = HashiCorpVaultSecretsStore(
            zen_store=types.SimpleNamespace(get_store_info=lambda: server), config=HashiCorpVaultSecretsStoreConfiguration(**settings))

    def create(self, secret_id, values):
        self.store.store_secret_values(uuid.UUID(secret_id), values)

    def read(self, secret_id):
        return self.store.get_secret_values(uuid.UUID(secret_id))

    def update(self, secret_id, values):
        self.store.update_secret_values(uuid.UUID(secret_id), values)

    def delete(self, secret_id):
        self.store.delete_secret_values(uuid.UUID(secret_id))

    def configuration(self):
        return json.loads(self.store.config.model_dump_json())

    def token(self):
        return self.store.client.token

    def time_passes(self, renewable):
        """More than half of the lease is over, so that the next call renews the token, or logs in again."""
        past = datetime.datetime.now() - datetime.timedelta(seconds=1)
        self.store._expires_at, self.store._renew_at = past, past if renewable else None


converse(Store)
