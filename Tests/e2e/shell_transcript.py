"""Transcripts of a shell: plain text in, the same text out when everything printed what it should."""

import re
import subprocess

import servers

NORMAL = [
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4} \w+)( m=\S+)?", "<time>"),
    (r"\bs\.[A-Za-z0-9]{24}(\.[A-Za-z0-9]{6})?\b", "<token>"),
    (r"(?m)^((?:token_)?accessor) +[A-Za-z0-9]{24}(\.[A-Za-z0-9]{6})?$", r"\1 <accessor>"),
    (r"(?m)^id +[A-Za-z0-9]{6}$", "id <id>"),
    (r"\b(kv|auth_approle|auth_token|cubbyhole|identity|system|ns_\w+)_[0-9a-f]{8}\b", r"\1_<id>"),
    (r"(?m)^=+ (.+?) =+$", r"== \1 =="),
    (r"(?m)^(creation_time +)\d{10}$", r"\1<seconds>"),
    (r"[ \t]+", " "),
    (r"(?m) $", ""),
    (r"(?m)^(-+ )+-+$", "---"),
]


def normalise(text):
    for pattern, replacement in NORMAL:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def steps(path):
    """The (command, expected output) pairs of a transcript file."""
    for part in re.split(r"(?m)^(?=\$ )", path.read_text())[1:]:
        lines = part.splitlines()
        count = 1
        while count < len(lines) and lines[count].startswith("> "):
            count += 1
        command = "\n".join([lines[0][2:]] + [line[2:] for line in lines[1:count]])
        yield command, normalise("\n".join(lines[count:]))


def shell(server, command, home, **environment):
    """Runs one command as a person would, with the real `bao` first on the PATH."""
    variables = servers.clean_environment(
        home, BAO_ADDR=server.url, BAO_TOKEN=server.token, VAULT_ADDR=server.url, VAULT_TOKEN=server.token)
    variables["PATH"] = f"{servers.TOOLS / 'py/bin'}:{variables['PATH']}"
    variables |= {"NO_COLOR": "1", **environment}
    done = subprocess.run(
        ["bash", "-c", command], env=variables, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    ended = f"\n(exit {done.returncode})" if done.returncode else ""
    return (done.stdout + done.stderr).replace(server.url, "<server>") + ended


def replay(path, server, home):
    """Both transcripts, as written and as it went, ready to be compared."""
    written, went = [], []
    for command, expected in steps(path):
        written.append(f"$ {command}\n{expected}")
        went.append(f"$ {command}\n{normalise(shell(server, command, home))}")
    return "\n\n".join(written), "\n\n".join(went)
