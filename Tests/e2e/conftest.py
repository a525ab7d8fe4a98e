"""Fixtures of the end-to-end tests. A test that takes `vault_server` runs twice, against the real OpenBao and against
Airlock: what it promises, both must keep."""

import signal

import pytest

import servers
from front import Front

BOTH = ["openbao", "airlock"]

# In the background of a script, or under nohup, the tests ignore these, and all that they start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser):
    parser.addoption("--server", choices=[*BOTH, "both"], default="both", help="test one of the two servers only")
    parser.addoption("--long", action="store_true", help="the full counts: more rounds, more examples")


def chosen(config):
    return BOTH if config.getoption("--server") == "both" else [config.getoption("--server")]


def pytest_generate_tests(metafunc):
    if "vault_server" in metafunc.fixturenames:
        metafunc.parametrize("vault_server", chosen(metafunc.config), indirect=True, scope="module")


def pytest_collection_modifyitems(config, items):
    """What only one server can show is skipped when that server was not chosen."""
    for item in items:
        for name, fixtures in {"airlock": {"airlock", "start_airlock", "airlock_only"}, "openbao": {"bao_server"}}.items():
            if name not in chosen(config) and fixtures & set(item.fixturenames):
                item.add_marker(pytest.mark.skip(reason=f"--server={config.getoption('--server')}"))


@pytest.fixture(scope="session")
def long(request):
    return request.config.getoption("--long")


def running(start, folder):
    server = start(folder)
    yield server
    code = server.stop()
    if server.name == "airlock":
        assert code == 0, f"airlock answered SIGTERM with exit code {code}:\n{server.stderr[-4000:]}"


@pytest.fixture(scope="module")
def bao_server(tmp_path_factory):
    """A fresh OpenBao in development mode."""
    yield from running(servers.start_openbao, tmp_path_factory.mktemp("openbao"))


@pytest.fixture(scope="module")
def airlock(tmp_path_factory):
    """A fresh Airlock. Its data directory is `airlock.data`."""
    yield from running(servers.start_airlock, tmp_path_factory.mktemp("airlock"))


@pytest.fixture
def airlock_only():
    """For tests that start Airlock by other means."""


@pytest.fixture
def start_airlock(tmp_path):
    """A folder for tests that start and stop Airlock themselves; what they leave running is killed."""
    started = []

    def start(*arguments, **options):
        started.append(servers.start_airlock(tmp_path, *arguments, **options))
        return started[-1]

    def stop_all():
        for server in started:
            if server.child.poll() is None:
                assert server.stop() == 0, server.stderr

    start.data, start.stop_all = tmp_path / "data", stop_all
    yield start
    for server in started:
        if server.child.poll() is None:
            server.kill()


@pytest.fixture
def front(bao_server, tmp_path, start_airlock):
    """Makes an Airlock in front of OpenBao, with these settings for its mount `airflow/`."""
    made = []

    def make(start=True, **settings):
        made.append(Front(bao_server, tmp_path, start_airlock, **settings))
        return made[-1].start() if start else made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture(scope="module")
def vault_server(request, tmp_path_factory):
    """A fresh server of each kind in turn."""
    start = {"openbao": servers.start_openbao, "airlock": servers.start_airlock}[request.param]
    yield from running(start, tmp_path_factory.mktemp(request.param))
