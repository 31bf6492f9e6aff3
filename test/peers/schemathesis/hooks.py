"""What the fuzzer of the admin's calls looks for beyond its own checks.

ADMIN_URL is where the admin is; ADMIN_PASSWORD the password of its user admin, or
"" for a run without any token.
"""

import json
import os
import urllib.request

import schemathesis

URL = os.environ["ADMIN_URL"]
PASSWORD = os.environ.get("ADMIN_PASSWORD", "")

# The codes of envelopes.
EXPIRED, FORBIDDEN = 50014, 40300
CODES = {20000, 40001, FORBIDDEN, 50000, EXPIRED, 50015}


@schemathesis.check
def envelope(ctx, response, case):
    """A call is answered by Canal's envelope, or refused by its HTTP status."""
    if response.status_code in (400, 404, 405, 406, 408, 413, 414, 415, 431):
        return
    assert response.status_code in (200, 204), f"HTTP status {response.status_code}"
    if response.status_code == 204 or case.method.upper() == "HEAD":
        return
    if response.headers.get("Content-Type", [""])[0].startswith("text/event-stream"):
        return
    body = response.json()
    assert {"code", "message", "data"} <= set(body), f"keys {sorted(body)}"
    assert body["code"] in CODES, f"code {body['code']}"


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Most ids name something that exists: what is stored has small numbers."""
    for name, value in (path_parameters or {}).items():
        if name.lower().endswith("id") or name == "revision":
            if isinstance(value, int) and not isinstance(value, bool) and value % 8:
                path_parameters[name] = value % 8
    return path_parameters


def needs_token(case):
    return any("token" in way for way in case.operation.definition.raw.get("security", []))


@schemathesis.check
def guarded(ctx, response, case):
    """Without a token no call that needs one does anything."""
    if PASSWORD or not needs_token(case) or response.status_code != 200:
        return
    body = response.json()
    # A made-up cookie makes the request one of a page of another site.
    assert body["code"] in (EXPIRED, FORBIDDEN), f"answered without a token: {body}"
    assert body["data"] is None, f"told something without a token: {body}"


def login():
    body = json.dumps({"username": "admin", "password": PASSWORD}).encode()
    request = urllib.request.Request(URL + "/api/v1/user/login", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    if answer["code"] != 20000:
        raise RuntimeError(f"log-in: {answer}")
    return answer["data"]["token"]


if PASSWORD:
    # The calls that are tried end sessions, so that a new one is needed often.
    @schemathesis.auth(refresh_interval=2)
    class Token:
        def get(self, case, ctx):
            return login()

        def set(self, case, data, ctx):
            case.headers = case.headers or {}
            case.headers["X-Token"] = data
