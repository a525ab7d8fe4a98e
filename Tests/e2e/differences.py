"""Where Airlock differs from OpenBao on purpose, for random operations. Each entry names the requests, the answers, and the line of
docs/compatibility.md that tells users the same."""

import re


class Difference:
    """`request` is a pattern for `METHOD path`; `openbao` and `airlock` are patterns for the whole text of the two answers."""

    def __init__(self, documented, request, status, openbao, airlock):
        self.documented = documented
        self.request, self.status = re.compile(request), status
        self.openbao, self.airlock = re.compile(openbao), re.compile(airlock)

    def covers(self, operation, expected, got):
        where = f"{operation.method} {operation.path}"
        if (expected.status, got.status) != self.status or not self.request.fullmatch(where):
            return False
        theirs, ours = self.openbao.fullmatch(expected.text.strip()), self.airlock.fullmatch(got.text.strip())
        return bool(theirs and ours and theirs.groupdict() == ours.groupdict())


KNOWN = [
    Difference(
        "Errors about a bad value", r".*", (400, 400),
        r'\{"errors":\["(Field validation failed: )?error converting input for field \\"(?P<field>\w+)\\": .*"\]\}',
        r'\{"errors":\["(Field validation failed: )?error converting input for field \\"(?P<field>\w+)\\": .*"\]\}'),
    Difference(
        "Errors about JSON that cannot be read", r".*", (400, 400),
        r'\{"errors":\["failed to decode JSON input: .*"\]\}', r'\{"errors":\["failed to decode JSON input: .*"\]\}'),
]
