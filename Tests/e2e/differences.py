"""Where Airlock differs from OpenBao on purpose: the one list, for the requests of differential.txt and for random ones. Each entry
names the requests, the answers, and the line of docs/compatibility.md that tells users the same and why."""

import re

import comparison


class Difference:
    """`request` is a pattern for the method and the path, with or without the query; `body` for what the body must hold somewhere.
    After a difference that `strays` the two servers are no longer in the same state, whatever their answers were."""

    def __init__(self, documented, request, body="", strays=False):
        self.documented, self.request, self.body, self.strays = documented, re.compile(request), re.compile(body, re.DOTALL), strays

    def covers(self, history, expected, got):
        asked = history[-1]
        lines = [f"{asked.method} {path}" for path in (asked.path, asked.path.partition("?")[0])]
        return bool(
            any(self.request.fullmatch(line) for line in lines) and self.body.search(asked.body or "")
            and self.explains(history, expected, got))


class Text(Difference):
    """Both answers have these statuses and these texts, and named groups stand for the same in both."""

    def __init__(self, documented, request, status, openbao, airlock, **more):
        super().__init__(documented, request, **more)
        self.status, self.openbao, self.airlock = status, re.compile(openbao, re.DOTALL), re.compile(airlock, re.DOTALL)

    def matches(self, expected, got):
        if (expected.status, got.status) != self.status:
            return None, None
        return self.openbao.fullmatch(expected.text.strip()), self.airlock.fullmatch(got.text.strip())

    def explains(self, history, expected, got):
        theirs, ours = self.matches(expected, got)
        return theirs and ours and theirs.groupdict() == ours.groupdict()


class EitherField(Text):
    """The same of two fields that the body both names."""

    def explains(self, history, expected, got):
        theirs, ours = self.matches(expected, got)
        return theirs and ours and all(f'"{match["field"]}"' in history[-1].body for match in (theirs, ours))


class Members(Difference):
    """Both answers are alike once OpenBao's body is changed as `theirs` does, and Airlock's as `ours` does."""

    def __init__(self, documented, request, theirs, ours=lambda body: body, **more):
        super().__init__(documented, request, **more)
        self.theirs, self.ours = theirs, ours

    def explains(self, history, expected, got):
        if expected.status != got.status:
            return False
        theirs, ours = (comparison.comparable(answer)[0] for answer in (expected, got))
        return isinstance(theirs, dict) and isinstance(ours, dict) and comparison.same(self.theirs(theirs), self.ours(ours))


class LesserLimit(Difference):
    """A renewal gives less, of a token made with a token role and with a limit of its own."""

    def explains(self, history, expected, got):
        if (expected.status, got.status) != (200, 200) or not self.was_made_so(history):
            return False
        (theirs, _), (ours, _) = (comparison.comparable(answer) for answer in (expected, got))
        if not (theirs["auth"] and ours["auth"]):
            return False
        leases = [body["auth"].pop("lease_duration") for body in (theirs, ours)]
        return leases[1] < leases[0] and comparison.same(theirs | {"warnings": ours["warnings"]}, ours)

    @staticmethod
    def was_made_so(history):
        asked = history[-1]
        named = asked.token if asked.path.endswith("-self") else asked.body or ""
        number = re.search(r"<<(?:token|accessor)\.(\d+)>>", named)
        return number is not None and any(
            f"token.{number[1]}" in one.learn and "/token/create/" in one.path and re.search('"(period|explicit_max_ttl)"', one.body or "")
            for one in history[:-1])


class DeniedMounts(Difference):
    """A rule that denies whatever begins so."""

    def explains(self, history, expected, got):
        if not any(re.search(r'\*[^{}]*\{[^{}]*deny', one.body or "") for one in history):
            return False
        if (expected.status, got.status) == (200, 403):
            return got.text.startswith('{"errors":["preflight capability check returned 403')
        theirs, ours = (comparison.comparable(answer)[0] for answer in (expected, got))
        if (expected.status, got.status) != (200, 200) or not all({"auth", "secret"} == (body["data"] or {}).keys() for body in (theirs, ours)):
            return False
        shown = {kind: {path: mount for path, mount in mounts.items() if path in ours["data"][kind]} for kind, mounts in theirs["data"].items()}
        return comparison.same(theirs | {"data": shown}, ours)


def covering(history, expected, got):
    return [known for known in KNOWN if known.covers(history, expected, got)]


def difference(history, expected, got):
    """Where the answers to the last of these requests differ, unless that is meant; `None` where they do not."""
    theirs, ours = (comparison.comparable(answer) for answer in (expected, got))
    if expected.status == got.status and comparison.same(theirs, ours) or covering(history, expected, got):
        return None
    if expected.status != got.status:
        return f"status: {expected.status} != {got.status}"
    return comparison.first_difference(theirs, ours)


# What the bodies of both are turned into


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
    if data.get("path") != "auth/token/create" or data.get("display_name") != "token" or not data.get("orphan"):
        return body
    return body | {"data": data | {"display_name": "root", "path": "auth/token/root"}}


def without_empty(name):
    """An empty list of address blocks is null."""
    def changed(body):
        data = body.get("data") or {}
        return body | {"data": data | {name: data.get(name) or None}}
    return changed


def in_order(body):
    """Lists of policies: `root` last, the others by their bytes."""
    if isinstance(body, dict):
        return {name: in_order(value) for name, value in body.items()}
    if isinstance(body, list) and all(isinstance(name, str) for name in body):
        return sorted(body, key=lambda name: (name == "root", name.encode()))
    return body


def whole_characters(body):
    """Half of a surrogate pair is the sign for what is no character."""
    if isinstance(body, dict):
        return {whole_characters(name): whole_characters(value) for name, value in body.items()}
    if isinstance(body, list):
        return [whole_characters(value) for value in body]
    return re.sub("[\ud800-\udfff]", "\ufffd", body) if isinstance(body, str) else body


def unbound_root(body):
    data = body.get("data") or {}
    return body | {"data": without("bound_cidrs")(data)} if data.get("policies") == ["root"] else body


def wrapped_anew(body):
    """Without what tells where a token that wraps an answer came from."""
    data = body.get("data") or {}
    return body | {"data": without("path", "display_name")(data)} if data.get("policies") == ["response-wrapping"] else body


def path_in_small_letters(body):
    if isinstance(body, dict):
        return {name: value.lower() if name in ("path", "creation_path") else path_in_small_letters(value) for name, value in body.items()}
    return body


def error(pattern):
    return r'\{"errors":\["' + pattern + r'"\]\}'


CONVERSION = error(r'(?:Field validation failed: )?error converting input for field \\"(?P<field>\w+)\\": .*')
ANY_CONVERSION = CONVERSION.replace("?P<field>", "?:")
REPEATED = error(r"Field validation failed: error converting input for field .* got unconvertible type '\[\]string'")

MAX_VERSIONS = error("max_versions must be between 0 and 4294967295")

NAME_AND_TEXT = without("allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates", "cas_required", "modified", "version")

KNOWN = [
    Text("Errors about a bad value", r".*", (400, 400), CONVERSION, CONVERSION),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/token/create.*", (400, 400), error("time: .*"), error("time: invalid duration.*")),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/[\w-]+/role/.*", (400, 400), error(r'(?:failed to parse \w*cidrs?: |failed to validate CIDR blocks: |error parsing address \\").*'), 
         error(r'(\\"\w+\\" holds something that is no CIDR block|error converting input for field .* got unconvertible type \'bool\')')),
    Text("A secret id whose address blocks its role no longer allows", r"(POST|PUT) /v1/auth/[\w-]+/login", (500, 200),
         error("failed to verify subset relationship between CIDR blocks .*"), ".*", strays=True),
    *(Text("A period above the longest lease of its mount", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+(/period)?", (400, status),
           error(r'period of \\".*\\" is greater than the backend\'s maximum lease TTL of \\".*\\"'), ".*", body='period"', strays=True) for status in (200, 204)),
    Members("An answer about an AppRole with capitals in its name, wrapped", r"\w+ /v1/auth/[\w-]+/role/.*[A-Z].*", path_in_small_letters, path_in_small_letters),
    Members("An answer about an AppRole with capitals in its name, wrapped", r"\w+ /v1/(auth/token/lookup(-accessor|-self)?|sys/wrapping/(lookup|rewrap))",
            path_in_small_letters, path_in_small_letters),
    Text("Errors about a bad value", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/(custom-)?secret-id", (400, 400),
         error("failed to parse metadata: .*"), error("failed to parse metadata: .*")),
    Text("Address blocks of a secret id that are none", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+(/(custom-)?secret-id)?", (500, 400),
         error(r"1 error occurred:\\n\\t\* failed to validate (token )?CIDR blocks: invalid CIDR address: .*"),
         error(r'(\\"(secret_id_bound_cidrs|cidr_list|bound_cidr_list|token_bound_cidrs)\\" holds something that is no CIDR block'
               r"|error converting input for field .* expected type '\[\]string', got unconvertible type 'bool')")),
    Text("Errors about address blocks that a secret id may not have", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/(custom-)?secret-id", (500, 500),
         error(r"1 error occurred:\\n\\t\* failed to verify subset relationship between CIDR blocks .*"),
         error(r"1 error occurred:\\n\\t\* failed to verify subset relationship between CIDR blocks on the role and CIDR blocks on the secret ID\\n\\n")),
    Text("`bind-secret-id` of an AppRole as a path", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+/bind-secret-id", (400, 404), ANY_CONVERSION, error(".*unsupported path.*")),
    EitherField("Two bad values in one body", r"(POST|PUT|PATCH) .*", (400, 400), CONVERSION, CONVERSION),
    Text("A login with a value of the wrong kind", r"(POST|PUT) /v1/auth/[\w-]+/login", (500, 400), CONVERSION, CONVERSION),
    Text("A new user without a password", r"(POST|PUT) /v1/auth/[\w-]+/users/[^/]+", (400, 400), error("must provide either password or password_hash"), error(r"invalid 'token_type' value .*")),
    Text("An empty map where a list is wanted", r"(POST|PUT) /v1/auth/[\w-]+/(role|users)/.*", (204, 400), "",
         error(r"error converting input for field .* expected type '\[\]string', got unconvertible type 'map\[string\]interface \{\}'")),
    Text("An empty map where a list is wanted", r"(POST|PUT) /v1/auth/[\w-]+/role/.*", (404, 400), error(".*unsupported path.*"),
         error(r"Field validation failed: .* expected type '\[\]string', got unconvertible type 'map\[string\]interface \{\}'")),
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
    Text("A path that is no UTF-8", r".*%FF.*", (404, 400), ".*", "", strays=True),
    *(Text("A path that is no UTF-8", r".*%FF.*", (status, 400), ".*", "", strays=True) for status in (204, 400, 403)),
    *(Text("An empty list where an object is wanted", rf"(POST|PUT|PATCH) /v1/.*/{place}/.*", (status, 400), ".*",
           error(rf"(Field validation failed: )?error converting input for field \\\"{fields}\\\": .* unconvertible type '\[\]interface \{{\}}'"))
      for place, fields, statuses in [("data", "(data|options)", (200, 404)), ("metadata", "custom_metadata", (204, 404))] for status in statuses),
    Text("A token that is no text, asked about with a bad token", r"(POST|PUT) /v1/auth/token/.*", (403, 403), error("invalid token"), error("permission denied")),
    Text("JSON that cannot be read, at a path that ends in `/`", r"(POST|PUT|PATCH) .*/", (400, 400), error("failed to decode JSON input: .*"), error("cannot write to a path ending in '/'")),
    Text("Errors about a bad value", r"(POST|PUT|PATCH) /v1/.*/metadata/.*", (400, 400),
         error(r"(Field validation failed: )?error converting input for field \\\"delete_version_after\\\": cannot provide negative value .*"), error("delete_version_after cannot be negative")),
    Text("A list of nothing, wrapped", r"LIST .*|GET .*[?&]list=.*", (404, 404), error("unsupported path"), r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/(metadata|subkeys)/.*/(\?.*)?", (200, 404), ".*", r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/(data|subkeys)/.*/(\?.*)?", (404, 404), r'\{"request_id":.*', r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"GET /v1/.*/(data|subkeys)/.*/(\?.*)?", (500, 404), ".*", r'\{"errors":\[\]\}'),
    Text("A path of a secret that ends in `/`", r"DELETE /v1/.*/(data|metadata)/.*/", (204, 204), "", "", strays=True),
    Text("A policy's name that ends in `/`", r"GET /v1/sys/polic(y|ies/acl)/.*/", (200, 404), ".*", r'\{"errors":\[\]\}'),
    Text("A policy's name that ends in `/`", r"DELETE /v1/sys/polic(y|ies/acl)/.*/", (204, 204), "", "", strays=True),
    Text("A negative lifetime of a mount", r"(POST|PUT) /v1/sys/(mounts|auth)/.*/tune", (400, 400), error(".*"),
         error(r'error converting input for field \\"max_lease_ttl\\": a duration cannot be negative')),
    Text("A negative lifetime of a mount", r"(POST|PUT) /v1/sys/(mounts|auth)/.*/tune", (204, 400), "",
         error(r'error converting input for field \\"(max|default)_lease_ttl\\": a duration cannot be negative')),
    Text("A mount of an unknown type where one is already", r"(POST|PUT) /v1/sys/mounts/.*", (400, 400), error("path is already in use at .*"),
         error("plugin not found in the catalog: .*")),
    Text("`DELETE` or `HEAD` of a login", r"DELETE /v1/auth/.*/login", (500, 405), error("missing role_id"), error("unsupported operation")),
    Text("`DELETE` or `HEAD` of a login", r"HEAD /v1/auth/.*/login", (500, 405), "", ""),
    Text("`PATCH` of metadata: a number", r"PATCH /v1/.*/metadata/.*", (500, 204), error("1 error occurred:.*cannot unmarshal (number|bool) into Go struct field .custom_metadata.*"), ""),
    Text("`max_versions` below 0 or over 4294967295", r"PATCH /v1/.*/metadata/.*", (500, 400), error("1 error occurred:.*field .max_versions of type uint32.*"), MAX_VERSIONS),
    Text("`max_versions` below 0 or over 4294967295", r"PATCH /v1/.*/metadata/.*", (404, 400), "", MAX_VERSIONS),
    Text("`max_versions` below 0 or over 4294967295", r"(POST|PUT) /v1/.*/(metadata/.*|config)", (204, 400), "", MAX_VERSIONS),
    *(Text("A repeated name in the query", r"(GET|LIST|SCAN|DELETE|HEAD) .*[?&](?P<name>\w+)(=[^&]*)?&(.*&)?(?P=name)([=&].*)?", (status, 400), ".*", REPEATED, strays=True)
      for status in (200, 204, 400, 403, 404, 405)),
    Text("A bad value from a token that may not write", r"(POST|PUT) /v1/.*", (400, 403), ANY_CONVERSION, error(r"1 error occurred:.*permission denied.*")),
    Members("A policy that is read", r"GET /v1/(team1/)?sys/polic(y|ies/acl)/.*", NAME_AND_TEXT),
    Members("A policy that is read", r".* /v1/sys/wrapping/unwrap", lambda body: NAME_AND_TEXT(body) if {"name", "version"} <= (body.get("data") or {}).keys() else body),
    Members("Policies with a slash in their names", r"(LIST|GET) /v1/sys/polic(y|ies/acl)(/.*)?", in_order),
    Members("Address blocks of an AppRole, emptied", r"GET /v1/auth/[\w-]+/role/[^/]+(/secret-id-bound-cidrs)?", without_empty("secret_id_bound_cidrs")),
    Members("Address blocks of an AppRole, emptied", r"GET /v1/auth/[\w-]+/role/[^/]+/token-bound-cidrs", without_empty("token_bound_cidrs")),
    DeniedMounts("Mounts that a rule denies, in the preflight", r"GET /v1/sys/internal/ui/mounts(/.*)?"),
    Members("Half of a surrogate pair in a secret", r".*", whole_characters, whole_characters),
    Members("The addresses of a token role, for a root token", r"(GET|POST|PUT) /v1/auth/token/lookup(-self|-accessor)?", lambda body: body, unbound_root),
    Members("A wrapping token that was wrapped anew, looked up", r"(POST|PUT) /v1/auth/token/lookup(-accessor)?", wrapped_anew, wrapped_anew),
    *(Text("A mount, by a path below it", r"(GET|POST|PUT) /v1/sys/(mounts|auth)/(?!deep/er(/tune)?$)[^/]+/.+", (status, 400), ".*",
           error("(No (secret|auth) engine (mount )?at|cannot fetch sysview for path|tune of path) .*"), strays=True) for status in (200, 204)),
    Text("`sys/mounts/auth/<path>/tune`, a write", r"(POST|PUT) /v1/sys/mounts/auth/.+/tune", (204, 403), "", error(".*permission denied.*"), strays=True),
    *(Text("`token_type` of an AppRole that is no text", r"(POST|PUT) /v1/auth/[\w-]+/role/[^/]+", (0, status), "RemoteDisconnected.*", ".*", body='"token_type": [^"]', strays=True)
      for status in (200, 204, 400)),
    Text("A new token whose `policies` is no list", r"(POST|PUT) /v1/auth/token/create.*", (200, 400), ".*", ANY_CONVERSION, body=r'"policies": \{\}', strays=True),
    Text("A new token whose `policies` is an empty text", r"(POST|PUT) /v1/auth/token/create.*", (200, 200), r'.*"auth":\{.*', r'.*"policies":\[("default")?\].*',
         body='"policies": ""', strays=True),
    Text("Renewing the token of a user or a cert role that is gone", r"(POST|PUT) /v1/auth/token/renew.*", (204, 500), "",
         error(r"1 error occurred:\\n\\t\* failed to renew entry: role .* does not exist during renewal\\n\\n"), strays=True),
    LesserLimit("Renewing a token made with a token role and limits of its own", r"(POST|PUT) /v1/auth/token/renew.*", strays=True),
    Text("A boolean as a lifetime of a mount", r"(POST|PUT) /v1/sys/(mounts|auth)/.*", (204, 400), "",
         error(r'error converting input for field \\"(max|default)_lease_ttl\\": .* got unconvertible type \'bool\''), strays=True),
    Members("The root token, looked up", r"(GET|POST|PUT) /v1/auth/token/lookup(-self|-accessor)?", of_a_root_token),
    Members("`sys/mounts`", r"GET /v1/sys/(internal/ui/)?mounts(\?.*)?", without("identity/")),
    Members("`sys/seal-status`", r"GET /v1/(team1/)?sys/seal-status", without("commit_date")),
    Text("Numbers in a secret", r"GET /v1/secret/data/numbers", (200, 200), ".*", r'.*"data":\{"big":12345678901234567890123,"one":1\.0,"half":1\.50,"e":1e3\}.*'),
    Text("A body sent as a form", r"POST /v1/secret/data/.*", (400, 400), ".*", error("no data provided")),
    Text("Errors about a bad value", r"POST /v1/.*/metadata/.*", (400, 400), error(r"1 error occurred:\\n\\t\* custom_metadata validation failed: .* contains unprintable characters\\n\\n"),
         error(r"1 error occurred:\\n\\t\* custom_metadata validation failed: .* contains unprintable characters\\n\\n")),
    Text("Errors about a bad value", r"POST /v1/sys/mounts/.*", (400, 400), error("(?P<what>invalid version provided|invalid listing_visibility):? .*"), error("(?P<what>.*?): use .*")),
    Text("Errors about a bad value", r"POST /v1/sys/mounts/.*/tune", (400, 400), error(r'version \\"x\\" is not a valid semantic version: .*'), error("plugin_version is not supported: leave it out")),
    Text("Errors about a bad value", r"GET .*", (400, 400), error("error parsing X-Vault-Wrap-TTL header: .*"), error("error parsing X-Vault-Wrap-TTL header: time: invalid duration")),
    Text("Errors about a bad value", r"POST /v1/sys/tools/.*", (400, 400), error(r'(?P<what>unsupported encoding format) .*; must be .*'), error(r'(?P<what>unsupported encoding format); must be .*')),
    Text("Errors about a bad value", r"POST /v1/sys/tools/hash", (400, 400), error("unable to decode input as base64: .*"), error("unable to decode input as base64")),
    Text("Errors about a bad value", r"POST /v1/sys/tools/hash/md5", (400, 400), error("unsupported algorithm md5"), error("unsupported algorithm: use .*")),
    Text("Errors about a bad value", r"POST /v1/sys/auth/.*/tune", (400, 400), error("unable to parse user lockout threshold: .*"), error("unable to parse user lockout threshold")),
    Text("Errors about address blocks that a secret id may not have", r"POST /v1/auth/.*/login", (400, 400), error(r"(?P<what>source address .* unauthorized by CIDR restrictions on the role): %!w.*"),
         error("(?P<what>source address .* unauthorized by CIDR restrictions on the role)")),
    Members("The warning of a mount's upgrade", r"POST /v1/sys/mounts/plain/tune", without("warnings"), without("warnings"), body='"version":"2"'),
    Text("The `default` policy", r"GET /v1/sys/policies/acl/default", (200, 200), ".*", ".*auth/token/lookup-self.*"),
    Members("`sys/remount`", r"POST /v1/sys/remount",
            lambda body: body | {"warnings": ["The mount has been moved. sys/remount/status and the migration_id tell it for a day."]}),
    Members("`sys/key-status`", r"GET /v1/sys/key-status", without("encryptions")),
    Text("A token role with a limit above the mount's", r"(POST|PUT) /v1/auth/token/roles/.*", (200, 200), r".*(?P<what>Given explicit max TTL of \d+ is greater than system/mount allowed value of \d+ seconds); until this .*",
         r".*(?P<what>Given explicit max TTL of \d+ is greater than system/mount allowed value of \d+ seconds); it is cut to that .*"),
    Text("`tidy` of tokens and secret ids", r"POST /v1/auth/(token/tidy|approle/tidy/secret-id)", (202, 202), ".*Tidy operation successfully started.*", ".*Tidy operation successfully started.*"),
    Members("A token with a chosen `id`", r"POST /v1/auth/token/create", lambda body: body | {"warnings": None}, body='"id":"mine"'),
    Members("`sys/namespaces`, listed", r"(LIST|SCAN|GET) /v1/(team1/)?sys/namespaces/?", in_order),
    Members("`sys/mounts/x`, `sys/policy` and the like with the namespace in the path", r"GET /v1/team1/sys/(mounts/kv|policy)", lambda body: body["data"] | body),
]
