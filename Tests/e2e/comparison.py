"""Answers of two servers made comparable: what no two servers share is taken out of them."""

import json
import re

# Values that no two servers share, by the member's name ...
OWN_VALUES = {
    "request_id", "accessor", "client_token", "entity_id", "wrapped_accessor", "uuid", "secret_id_accessor", "cluster_name", "cluster_id",
    "commit_date", "build_date", "running_plugin_version", "storage_type", "creation_time", "server_time_utc",
    "random_bytes", "last_renewal_time",
}
# ... and by their look, wherever they stand.
LOOKS = [
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\bs\.[A-Za-z0-9]{24}(\.[A-Za-z0-9]{6})?\b", "<token>"),
    (r"\bh(?:[0-9A-Za-z]{5}-)?[0-9a-f]{60,64}\b", "<lease>"),
    (r"\b((?:auth_)?[a-z]+)_[0-9a-f]{8}\b", r"\1_<id>"),
]


# Accessors, also those that no answer before has told.
UNNAMED = re.compile("<<.*>>|<uuid>|[A-Za-z0-9]{24}")

CAPPED = re.compile(r'TTL of "([0-9hms]+)" exceeded the effective max_ttl of "([0-9hms]+)"')


def seconds(duration):
    """Of Go's notation."""
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


# Seconds by which two servers under load may be apart.
APART = 15


def same_warnings(one, other):
    """Words about a limit are the same but for the seconds that pass; where only those make a limit felt, one side may lack them."""
    def parted(warnings):
        limits = [tuple(map(seconds, found.groups())) for found in map(CAPPED.match, warnings or []) if found]
        return limits, [warning for warning in warnings or [] if not CAPPED.match(warning)]
    (limits, words), (other_limits, other_words) = parted(one), parted(other)
    if len(limits) == len(other_limits):
        near = all(max(abs(asked - other_asked), abs(left - other_left)) <= APART for (asked, left), (other_asked, other_left) in zip(limits, other_limits))
    else:
        near = all(asked - left <= APART for asked, left in limits + other_limits)
    return near and words == other_words


def normalise(value, name=""):
    if isinstance(value, dict):
        return {key: normalise(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [normalise(member) for member in value]
    if name in OWN_VALUES and value and not str(value).startswith("<<"):
        return f"<{name}>"
    if name == "id" and isinstance(value, str) and re.fullmatch("[A-Za-z0-9]{6}", value):
        return "<namespace id>"
    if name == "version" and isinstance(value, str) and "." in value:
        return "<version>"  # the program's, in health and seal-status
    if isinstance(value, str):
        for pattern, replacement in LOOKS:
            value = re.sub(pattern, replacement, value)
    return value


def comparable(answer):
    """Body and redirection without what differs between any two servers."""
    try:
        body = normalise(json.loads(answer.body)) if answer.body else ""
    except ValueError:
        body = answer.text
    return body, answer.headers["Location"]


def same(one, other, name=""):
    """Equal, but for the seconds that pass between two answers, and for the order where a server keeps none."""
    if name == "warnings":
        return same_warnings(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], key) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if all(isinstance(member, str) and UNNAMED.fullmatch(member) for member in [*one, *other]):
            one, other = (sorted(member if member.startswith("<<") else "" for member in those) for those in (one, other))
        return len(one) == len(other) and all(same(*members) for members in zip(one, other))
    if name in ("ttl", "lease_duration") and isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= APART
    return one == other and (isinstance(one, bool) == isinstance(other, bool))


def first_difference(one, other, at=""):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other or not same(one[key], other[key], key):
                return first_difference(one.get(key), other.get(key), f"{at}.{key}")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        for index, members in enumerate(zip(one, other)):
            if not same(*members):
                return first_difference(*members, f"{at}[{index}]")
    return f"{at}: {one} != {other}"
