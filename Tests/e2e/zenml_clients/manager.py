"""Runs inside ZenML 0.43: its VaultSecretsManager, unmodified. See conversation.py."""

from conversation import converse

import datetime
import json
import uuid
import warnings

warnings.simplefilter("ignore")  # 0.43 imports pkg_resources

from zenml.enums import StackComponentType
from zenml.integrations.vault.flavors.vault_secrets_manager_flavor import VaultSecretsManagerConfig
from zenml.integrations.vault.secrets_manager.vault_secrets_manager import VaultSecretsManager
from zenml.secret.arbitrary_secret_schema import ArbitrarySecretSchema


class Manager:
    def __init__(self, component, **settings):
        VaultSecretsManager.CLIENT = None  # one for each process otherwise
        now = datetime.datetime.now()
        self.manager = VaultSecretsManager(
            name="vault", id=uuid.UUID(component), config=VaultSecretsManagerConfig(**settings), flavor="vault", type=StackComponentType.SECRETS_MANAGER,
            user=uuid.uuid4(), workspace=uuid.uuid4(), created=now, updated=now)

    def create(self, name, values):
        self.manager.register_secret(ArbitrarySecretSchema(name=name, **values))

    def read(self, name):
        return self.manager.get_secret(name).content

    def update(self, name, values):
        self.manager.update_secret(ArbitrarySecretSchema(name=name, **values))

    def names(self):
        return sorted(self.manager.get_all_secret_keys())

    def delete(self, name):
        self.manager.delete_secret(name)

    def configuration(self):
        return json.loads(self.manager.config.json())

    def delete_all(self):
        self.manager.delete_all_secrets()


converse(Manager)
