"""The recorded requests of real SDKs beside the project, and what is true of them; and requests as small as can be for
each door, for where the recordings are not there."""
import base64
import json
import os
import pathlib

from support import ROOT

DATA = pathlib.Path(os.environ.get("TOCSIN_HTTP_DATA", ROOT.parent / "shared/data/http"))
FIGURES = ("model_calls", "tokens_in", "tokens_cached", "tokens_out", "tool_calls", "tool_errors")
SKIPPED_HEADERS = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}


def truth():
    return json.loads((DATA / "truth.json").read_text())


def requests_of(client):
    """(method, path, headers, body) of each request, in order; credentials as the door's own token."""
    for line in (DATA / f"{client}.jsonl").read_text().splitlines():
        request = json.loads(line)
        headers = {name: value for name, value in request["headers"].items() if name.lower() not in SKIPPED_HEADERS}
        yield request["method"], request["path"], headers, base64.b64decode(request["body_b64"])


def with_token(headers, token):
    """The token in the place where the client had its own."""
    own = {}
    for name, value in headers.items():
        if "<removed>" in value:
            value = f"Bearer {token}" if name.lower() in ("authorization", "helicone-auth") else token
        own[name] = value
    if not any(name.lower() in ("authorization", "x-api-key", "dd-api-key", "helicone-auth") for name in own):
        own["x-api-key"] = token
    return own
