"""A PostgreSQL server of the tests' own, from Debian's `postgresql` package: in a folder of its own, on a free loopback port,
with passwords, and stopped by its process id."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import servers

USER, PASSWORD = "airflow", "canary-pg:p@ss/wörd"


def program(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, f"no {name}: scripts/install-tools installs PostgreSQL"
    return str(found[-1])


class PostgreSQL:
    """Its superuser is `USER`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="airlock-postgresql-"))
        self.unprivileged = []
        if os.getuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.unprivileged = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        self.run(
            "initdb", "--pgdata", self.folder / "data", "--username", USER, "--pwfile", self.folder / "password",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.port = servers.free_port()
        with open(self.folder / "log", "wb") as log:
            self.child = subprocess.Popen(
                [*self.unprivileged, program("postgres"), "-D", self.folder / "data", "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        servers.wait_until(self.is_ready, "PostgreSQL is ready", process=self.child)

    def run(self, name, *arguments, **environment):
        done = subprocess.run(
            [*self.unprivileged, program(name), *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
            timeout=60, env=servers.clean_environment(self.folder, **environment))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, *statements, database="postgres"):
        commands = [word for statement in statements for word in ("-c", statement)]
        return self.run(
            "psql", "-h", "127.0.0.1", "-p", self.port, "-U", USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-At",
            *commands, PGPASSWORD=PASSWORD)

    def is_ready(self):
        try:
            return self.sql("SELECT 1")
        except AssertionError:
            return False

    def stop(self):
        self.child.terminate()
        self.child.wait(20)
        shutil.rmtree(self.folder)
