"""The same requests to the real OpenBao and to Airlock, one after the other; their answers must be alike."""

import servers
from comparison import comparable, first_difference, same
from wire import Connection


def reason(answer):
    return answer.json["errors"][0] if answer.status != 200 else "200"


class Twins:
    """Both servers, or the chosen one."""

    def __init__(self, names, folder, *arguments):
        self.servers = [
            servers.start_openbao(folder / name) if name == "openbao" else servers.start_airlock(folder / name, *arguments)
            for name in names]
        self.connections = [Connection(server) for server in self.servers]

    def send(self, method, path, body=None, token=True, differs=False):
        """The answer, Airlock's where there are two. With `differs` only its status is compared."""
        answers = [connection.send(method, f"/v1/{path}", body, token=token) for connection in self.connections]
        statuses = [answer.status for answer in answers]
        assert len(set(statuses)) == 1, [str(answer) for answer in answers]
        if len(answers) == 2 and not differs:
            theirs, ours = (comparable(answer) for answer in answers)
            assert same(theirs, ours), f"{method} {path}: {first_difference(theirs, ours)}"
        return answers[-1]

    def done(self, method, path, body=None, **more):
        answer = self.send(method, path, body, **more)
        assert answer.status in (200, 204), answer
        return answer

    def stop(self):
        for server in self.servers:
            server.stop()
