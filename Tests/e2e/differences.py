"""Where Airlock differs from OpenBao on purpose, as far as random operations meet it. Each entry names the requests, the answers, and the
line of docs/compatibility.md that tells users the same and why."""

import re

import comparison


class Text:
    """Both answers have these statuses and these texts, and named groups stand for the same in both."""

    def __init__(self, documented, request, status, openbao, airlock):
        self.documented, self.request, self.status = documented, re.compile(request), status
        self.openbao, self.airlock = re.compile(openbao, re.DOTALL), re.compile(airlock, re.DOTALL)

    def covers(self, operation, expected, got):
        theirs, ours = self.openbao.fullmatch(expected.text.strip()), self.airlock.fullmatch(got.text.strip())
        return bool(
            (expected.status, got.status) == self.status and self.request.fullmatch(f"{operation.method} {operation.path}")
            and theirs and ours and theirs.groupdict() == ours.groupdict())


class EitherField(Text):
    """The same of two fields that the body both names."""

    def covers(self, operation, expected, got):
        theirs, ours = self.openbao.fullmatch(expected.text.strip()), self.airlock.fullmatch(got.text.strip())
        return bool(
            (expected.status, got.status) == self.status and self.request.fullmatch(f"{operation.method} {operation.path}")
            and theirs and ours and all(f'"{match["field"]}"' in operation.body for match in (theirs, ours)))


class Members:
    """Both answers are alike once OpenBao's body is `changed`."""

    def __init__(self, documented, request, changed):
        self.documented, self.request, self.changed = documented, re.compile(request), changed

    def covers(self, operation, expected, got):
        if expected.status != got.status or not self.request.fullmatch(f"{operation.method} {operation.path}"):
            return False
        theirs, ours = (comparison.comparable(answer)[0] for answer in (expected, got))
        return isinstance(theirs, dict) and comparison.same(self.changed(theirs), ours)


def without(*names):
    def changed(body):
        if not isinstance(body, dict):
            return body
        return {name: changed(value) for name, value in body.items() if name not in names}
    return changed


def of_a_root_token(body):
    """Only what is the first root token's own, and the name that tokens which wrap its answers have from it."""
    data = body.get("data") or {}
    if data.get("policies") == ["response-wrapping"] and data.get("display_name") == "token":
        return body | {"data": data | {"display_name": "root"}}
    if data.get("accessor") != "<<accessor.root>>":
        return body
    return body | {"data": data | {"display_name": "root", "path": "auth/token/root"}}


def without_empty(name):
    """An empty list of address blocks is null."""
    def changed(body):
        data = body.get("data") or {}
        return body | {"data": data | {name: data.get(name) or None}}
    return changed


def error(pattern):
    return r'\{"errors":\["' + pattern + r'"\]\}'


CONVERSION = error(r'(?:Field validation failed: )?error converting input for field \\"(?P<field>\w+)\\": .*')
REPEATED = error(r"Field validation failed: error converting input for field .* got unconvertible type '\[\]string'")

MAX_VERSIONS = error("max_versions must be between 0 and 4294967295")

KNOWN = [
    Text("Errors about a bad value", r".*", (400, 400), CONVERSION, CONVERSION),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/token/create.*", (400, 400), error("time: .*"), error("time: invalid duration.*")),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/[\w-]+/role/.*", (400, 400), error(r'(?:failed to parse \w*cidrs?: |error parsing address \\").*'), error(r'\\"\w+\\" holds something that is no CIDR block')),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/(custom-)?secret-id", (400, 400),
         error("failed to parse metadata: .*"), error("failed to parse metadata: .*")),
    Text("Address blocks of a secret id that are none", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+(/(custom-)?secret-id)?", (500, 400),
         error(r"1 error occurred:\\n\\t\* failed to validate CIDR blocks: invalid CIDR address: .*"), error(r'\\"(secret_id_bound_cidrs|cidr_list|bound_cidr_list)\\" holds something that is no CIDR block')),
    Text("Errors about address blocks that a secret id may not have", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/(custom-)?secret-id", (500, 500),
         error(r"1 error occurred:\\n\\t\* failed to verify subset relationship between CIDR blocks .*"),
         error(r"1 error occurred:\\n\\t\* failed to verify subset relationship between CIDR blocks on the role and CIDR blocks on the secret ID\\n\\n")),
    Text("`bind-secret-id` of an AppRole as a path", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/bind-secret-id", (400, 404), CONVERSION, error(".*unsupported path.*")),
    EitherField("Two bad values in one body", r"(POST|PUT) /v1/auth/token/create.*", (400, 400), CONVERSION, CONVERSION),
    Text("A login with a value of the wrong kind", r"(POST|PUT) /v1/auth/[\w-]+/login", (500, 400), CONVERSION, CONVERSION),
    Text("A new user without a password", r"(POST|PUT) /v1/auth/[\w-]+/users/[^/]+", (400, 400), error("must provide either password or password_hash"), error(r"invalid 'token_type' value .*")),
    Text("An empty map where a list is wanted", r"(POST|PUT) /v1/auth/[\w-]+/(role|users)/.*", (204, 400), "",
         error(r"error converting input for field .* expected type '\[\]string', got unconvertible type 'map\[string\]interface \{\}'")),
    Text("A negative `token_num_uses`", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/token-num-uses", (204, 400), "", error("'token_num_uses' cannot be negative")),
    Text("`ttl`, the old name, above `token_max_ttl`", r"(POST|PUT) /v1/auth/[\w-]+/users/[^/]+", (204, 400), "", error("'token_ttl' cannot be greater than 'token_max_ttl'")),
    *(Text("`role/<name>/bound-cidr-list` of an AppRole", r"\w+ /v1/auth/[\w-]+/role/[^/]+/bound-cidr-list", (status, 404), ".*", error(".*unsupported path.*"))
      for status in (200, 204, 400, 404)),
    Text("Errors about a bad value", r"(POST|PUT) /v1/sys/(mounts|auth)/.*", (400, 400),
         error("(unable to parse (default|max) TTL of .*: )?time: .*"), error(r'error converting input for field \\"(default|max)_lease_ttl\\": time: .*')),
    Text("Errors about a bad value", r".*", (400, 400), error("(?P<what>error parsing X-Vault-Wrap-TTL header: time: invalid duration) .*"),
         error("(?P<what>error parsing X-Vault-Wrap-TTL header: time: invalid duration)")),
    Text("Errors about JSON that cannot be read", r".*", (400, 400), error("failed to decode JSON input: .*"), error("failed to decode JSON input: .*")),
    Text("Errors about a policy that cannot be read", r"(POST|PUT) /v1/sys/polic(y|ies/acl)/.*", (400, 400),
         error("failed to parse policy: .*"), error("failed to parse policy: .*")),
    Text("A redirect of an unclean path", r".*", (307, 307), "(<a href=.*)?", ""),
    Text("`OPTIONS`", r"OPTIONS .*", (400, 405), error("cannot handle internal-only request operation"), r'\{"errors":\[\]\}'),
    Text("JSON that cannot be read, with a bad token", r"(POST|PUT|PATCH) .*", (400, 403), error("failed to decode JSON input: .*"), error("permission denied")),
    Text("A path that is no UTF-8", r".*%FF.*", (404, 400), ".*", ""),
    *(Text("A path that is no UTF-8", r".*%FF.*", (status, 400), ".*", "") for status in (204, 403)),
    *(Text("An empty list where an object is wanted", r"(POST|PUT|PATCH) /v1/.*/data/.*", (status, 400), ".*",
           error(r"(Field validation failed: )?error converting input for field \\\"(data|options)\\\": .* unconvertible type '\[\]interface \{\}'")) for status in (200, 404)),
    Text("A token that is no text, asked about with a bad token", r"(POST|PUT) /v1/auth/token/.*", (403, 403), error("invalid token"), error("permission denied")),
    Text("Errors about a bad value", r"(POST|PUT|PATCH) /v1/.*/metadata/.*", (400, 400),
         error(r"(Field validation failed: )?error converting input for field \\\"delete_version_after\\\": cannot provide negative value .*"), error("delete_version_after cannot be negative")),
    Text("A list of nothing, wrapped", r"LIST .*|GET .*[?&]list=.*", (404, 404), error("unsupported path"), r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/(metadata|subkeys)/.*/(\?.*)?", (200, 404), ".*", r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/(data|subkeys)/.*/(\?.*)?", (404, 404), r'\{"request_id":.*', r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/data/.*/(\?.*)?", (500, 404), ".*", r'\{"errors":\[\]\}'),
    Text("A negative lifetime of a mount", r"(POST|PUT) /v1/sys/(mounts|auth)/.*/tune", (400, 400), error("backend max lease TTL of -.*"),
         error(r'error converting input for field \\"max_lease_ttl\\": a duration cannot be negative')),
    Text("A negative lifetime of a mount", r"(POST|PUT) /v1/sys/(mounts|auth)/.*/tune", (204, 400), "",
         error(r'error converting input for field \\"(max|default)_lease_ttl\\": a duration cannot be negative')),
    Text("A mount of an unknown type where one is already", r"(POST|PUT) /v1/sys/mounts/.*", (400, 400), error("path is already in use at .*"),
         error("plugin not found in the catalog: .*")),
    Text("`DELETE` of a login", r"DELETE /v1/auth/.*/login", (500, 405), error("missing role_id"), error("unsupported operation")),
    Text("`PATCH` of metadata: a number", r"PATCH /v1/.*/metadata/.*", (500, 204), error("1 error occurred:.*cannot unmarshal number into Go struct field .custom_metadata.*"), ""),
    Text("`max_versions` below 0 or over 4294967295", r"PATCH /v1/.*/metadata/.*", (500, 400), error("1 error occurred:.*field .max_versions of type uint32.*"), MAX_VERSIONS),
    Text("`max_versions` below 0 or over 4294967295", r"PATCH /v1/.*/metadata/.*", (404, 400), "", MAX_VERSIONS),
    Text("`max_versions` below 0 or over 4294967295", r"(POST|PUT) /v1/.*/(metadata/.*|config)", (204, 400), "", MAX_VERSIONS),
    Text("A repeated name in the query", r"(GET|LIST|SCAN|DELETE) .*[?&](?P<name>\w+)=.*&(?P=name)=.*", (200, 400), ".*", REPEATED),
    Text("A repeated name in the query", r"(GET|LIST|SCAN|DELETE) .*[?&](?P<name>\w+)=.*&(?P=name)=.*", (404, 400), ".*", REPEATED),
    Text("A repeated name in the query", r"(GET|LIST|SCAN|DELETE) .*[?&](?P<name>\w+)=.*&(?P=name)=.*", (403, 400), ".*", REPEATED),
    Text("A repeated name in the query", r"DELETE .*[?&](?P<name>\w+)=.*&(?P=name)=.*", (204, 400), "", REPEATED),
    Text("A bad value from a token that may not write", r"(POST|PUT) /v1/.*", (400, 403), CONVERSION.replace("?P<field>", "?:"), error(r"1 error occurred:.*permission denied.*")),
    Members("A policy that is read", r"GET /v1/sys/polic(y|ies/acl)/.*",
            without("allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates", "cas_required", "modified", "version")),
    Members("Address blocks of an AppRole, emptied", r"GET /v1/auth/[\w-]+/role/[^/]+(/secret-id-bound-cidrs)?", without_empty("secret_id_bound_cidrs")),
    Members("Address blocks of an AppRole, emptied", r"GET /v1/auth/[\w-]+/role/[^/]+/token-bound-cidrs", without_empty("token_bound_cidrs")),
    Members("The root token, looked up", r"(GET|POST|PUT) /v1/auth/token/lookup(-self|-accessor)?(\?.*)?", of_a_root_token),
    Members("`sys/mounts`", r"GET /v1/sys/(internal/ui/)?mounts(\?.*)?", without("identity/")),
    Members("`sys/seal-status`", r"GET /v1/sys/seal-status(\?.*)?", without("commit_date")),
]
