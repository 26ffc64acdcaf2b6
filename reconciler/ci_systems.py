"""The known CI systems: how to recognise each, and what it parses as a command in a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class CiSystem(Struct, frozen=True):
    """The variables in which a CI system announces itself, the actor and the commit."""

    name: str
    present: str
    actors: tuple[str, ...]
    commit: str


CI_SYSTEMS = (
    CiSystem("GitHub Actions", "GITHUB_ACTIONS", ("GITHUB_ACTOR",), "GITHUB_SHA"),
    CiSystem("GitLab CI", "GITLAB_CI", ("GITLAB_USER_LOGIN", "GITLAB_USER_EMAIL"), "CI_COMMIT_SHA"),
    CiSystem(
        "Bitbucket Pipelines",
        "BITBUCKET_BUILD_NUMBER",
        ("BITBUCKET_STEP_TRIGGERER_UUID",),
        "BITBUCKET_COMMIT",
    ),
    CiSystem(
        "Azure DevOps",
        "TF_BUILD",
        ("BUILD_REQUESTEDFOREMAIL", "BUILD_REQUESTEDFOR"),
        "BUILD_SOURCEVERSION",
    ),
    CiSystem("Jenkins", "JENKINS_URL", ("BUILD_USER_EMAIL", "BUILD_USER_ID"), "GIT_COMMIT"),
    CiSystem("CircleCI", "CIRCLECI", ("CIRCLE_USERNAME",), "CIRCLE_SHA1"),
    CiSystem("Buildkite", "BUILDKITE", ("BUILDKITE_BUILD_CREATOR_EMAIL",), "BUILDKITE_COMMIT"),
    CiSystem("TeamCity", "TEAMCITY_VERSION", (), "BUILD_VCS_NUMBER"),
)
"""From each vendor's reference of predefined variables."""


def running_in(environ: Mapping[str, str]) -> str:
    """Name the CI system that runs this process; empty if none does."""
    for system in CI_SYSTEMS:
        if environ.get(system.present):
            return system.name
    return "CI" if environ.get("CI", "").casefold() not in ("", "false", "0") else ""


_COMMANDS = re.compile(
    r"(?m)"
    r"(?P<number>#)#(?:\[|vso\[|teamcity\[)"  # GitHub, Azure: ##[…], ##vso[…]; TeamCity: ##teamcity[…]
    r"|(?P<colon>(?:^|(?<=\r))[^\S\r\n]*:):"  # GitHub: ::command:: at the start of a line, after blanks too
    r"|(?P<section>section_(?:start|end)):"  # GitLab: sections, which hide what they hold
)
_LONGEST = 16
"""The maximum length of an unfinished command at the end of a line."""


def has_command(text: str) -> bool:
    """Whether a CI system would find a command in a text."""
    if "::" not in text and "##" not in text and "section_" not in text:
        return False  # most texts, in a fraction of the time
    return _COMMANDS.search(text) is not None


_WORKFLOW_COMMAND = re.compile(r"\s*::[a-zA-Z][^:]*::")


def is_command(name: str) -> bool:
    """Whether a name was made to be a command.

    Unlike :func:`has_command`, no IPv6 address is one.
    """
    return has_command(name) and any(
        match.lastgroup != "colon" or _WORKFLOW_COMMAND.match(name, match.start())
        for match in _COMMANDS.finditer(name)
    )


def break_commands(text: str, line: str = "") -> str:
    """Put a blank into anything that a CI system would parse as a command, so that it stays text.

    Display names, file names and answers of servers come from strangers; a line of theirs could hide what
    follows, or set a variable. ``line`` is what the text is written after, as :func:`open_line` returns it.
    """
    whole, broken, done = line + text, [], len(line)
    for match in _COMMANDS.finditer(whole):
        if match.end() > len(line):
            place = max(match.end(match.lastgroup or 0), len(line))
            broken += [whole[done:place], " "]
            done = place
    return "".join((*broken, whole[done:]))


def open_line(text: str, line: str = "") -> str:
    """Return the part of the unfinished last line that the next text could turn into a command."""
    before, newline, last = text.replace("\r", "\n").rpartition("\n")
    last = last if newline else line + before + last
    if not last.strip():
        return last[:1]
    return last if len(last) <= _LONGEST else f".{last[-_LONGEST:]}"


_IN_JSON = re.compile(r"##|section_(?:start|end):")
"""How a command begins, even in the middle of a line. In JSON it occurs only within strings."""


def escape_commands(json: str) -> str:
    """Write JSON in which no CI system finds a command, and which parses to the same text."""
    return _IN_JSON.sub(lambda match: f"{match[0][:-1]}\\u{ord(match[0][-1]):04x}", json)
