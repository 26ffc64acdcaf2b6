"""Writes the Markdown of a plan as a comment on a pull request or merge request, in place of the one before.

    comment.py github FILE      the variables of GitHub Actions, ACTION_TOKEN, ACTION_BOT
    comment.py gitlab FILE      the variables of GitLab CI, and RECONCILER_COMMENT_TOKEN

The file may come from the run of a fork, so it is only text here: it must begin with the marker of a plan and be no
longer than a comment. Which pull request it is for is never read from it: on GitHub, it is the open pull request of
the branch and the commit that the event names.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

MARKER = re.compile(r"<!-- reconciler:(?:plan|apply) project=[\w.~%:-]* environment=[\w.~%:-]* -->")
MOST_CHARACTERS = 65_536
PAGES = 50
TIMEOUT = 30


class Refused(Exception):
    """Nothing was written; the message says why."""


class _NoRedirect(HTTPRedirectHandler):
    """Sends a token nowhere but where it was to go."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def main(arguments: list[str]) -> int:
    """Return 0 if the comment was written, or if there is no pull request any more to write to."""
    try:
        system, path = arguments
        write = {"github": on_github, "gitlab": on_gitlab}[system]
    except (ValueError, KeyError):
        sys.stderr.write((__doc__ or "") + "\n")
        return 64
    try:
        sys.stdout.write(f"{write(read(path))}\n")
    except Refused as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def read(path: str) -> str:
    """Read the comment; raises Refused for anything but an ordinary file with a marker, and not too long."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"{path} is not a file")
            data = stream.read(4 * MOST_CHARACTERS + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if MARKER.fullmatch(text.partition("\n")[0]) is None:
        raise Refused(f"{path} does not begin with the marker of a plan")
    return text


def on_github(text: str) -> str:
    """Write to the pull request of the event."""
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as stream:  # noqa: PTH123
        event = json.load(stream)
    api = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    headers = {"Authorization": f"Bearer {os.environ['ACTION_TOKEN']}", "Accept": "application/vnd.github+json"}  # fmt: skip
    number, note = _pull_request(event, api, headers)
    if number is None:
        return note
    text = _with_note(text, note)
    marker = text.partition("\n")[0]
    bot = os.environ.get("ACTION_BOT") or "github-actions[bot]"
    for page in range(1, PAGES + 1):
        query = urlencode({"per_page": 100, "page": page})
        found = _call("GET", f"{api}/issues/{number}/comments?{query}", headers)
        for item in found:
            if item["user"]["login"] == bot and item["body"].partition("\n")[0].strip() == marker:
                _call("PATCH", f"{api}/issues/comments/{int(item['id'])}", headers, {"body": text})
                return f"Replaced the comment on #{number}."
        if len(found) < 100:  # noqa: PLR2004 - a page that is not full is the last one
            break
    _call("POST", f"{api}/issues/{number}/comments", headers, {"body": text})
    return f"Commented on #{number}."


def _pull_request(
    event: dict[str, Any], api: str, headers: dict[str, str]
) -> tuple[int | None, str]:
    """The number of the pull request and a note for its comment, or None and why there is none."""
    if "pull_request" in event:
        return int(event["pull_request"]["number"]), ""
    run = event.get("workflow_run")
    if run is None:
        raise Refused(
            "the event is neither pull_request nor workflow_run, so there is nothing to comment on"
        )
    commit, branch = run["head_sha"], run["head_branch"]
    owner = run["head_repository"]["owner"]["login"]
    query = urlencode({"state": "open", "head": f"{owner}:{branch}", "per_page": 100})
    for item in _call("GET", f"{api}/pulls?{query}", headers):
        if (
            item["head"]["sha"] == commit
            and item["head"]["repo"]["id"] == run["head_repository"]["id"]
        ):
            note = (
                f"<sub>From the run for commit {commit[:12]} of this pull request, whose author can change"
                " what that run does.</sub>"
            )
            return int(item["number"]), note
    return (
        None,
        f"No open pull request of {owner} is at {commit[:12]} any more: nothing was written.",
    )


def _with_note(text: str, note: str) -> str:
    if not note:
        return text[:MOST_CHARACTERS]
    marker, _, body = text.partition("\n")
    room = MOST_CHARACTERS - len(marker) - len(note) - 4
    if len(body) > room:
        raise Refused("the text is too long for a comment")
    return f"{marker}\n\n{note}\n{body}"


def on_gitlab(text: str) -> str:
    """Write to the merge request of the pipeline."""
    project, number = os.environ["CI_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    api = f"{os.environ['CI_API_V4_URL']}/projects/{quote(project, safe='')}/merge_requests/{int(number)}/notes"
    headers = {"PRIVATE-TOKEN": os.environ["RECONCILER_COMMENT_TOKEN"]}
    me = _call("GET", f"{os.environ['CI_API_V4_URL']}/user", headers)["id"]
    marker = text.partition("\n")[0]
    for page in range(1, PAGES + 1):
        found = _call("GET", f"{api}?{urlencode({'per_page': 100, 'page': page})}", headers)
        for item in found:
            if item["author"]["id"] == me and item["body"].partition("\n")[0].strip() == marker:
                _call("PUT", f"{api}/{int(item['id'])}", headers, {"body": text})
                return f"Replaced the comment on !{number}."
        if len(found) < 100:  # noqa: PLR2004 - as above
            break
    _call("POST", api, headers, {"body": text})
    return f"Commented on !{number}."


def _call(
    method: str, url: str, headers: dict[str, str], body: dict[str, str] | None = None
) -> Any:
    """Call the API once; raises Refused, without the token."""
    data = json.dumps(body).encode() if body is not None else None
    request = Request(url, data, {**headers, "Content-Type": "application/json"}, method=method)  # noqa: S310
    place = url.partition("?")[0]
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except HTTPError as error:
        raise Refused(f"{method} {place} was answered with {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        raise Refused(f"{method} {place} failed: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
