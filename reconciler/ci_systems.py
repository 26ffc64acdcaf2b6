"""The CI systems that we know: how each tells that it is running, and what it takes for a command in a log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CiSystem:
    """How a CI system tells that it is running, for whom, and on which commit."""

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
"""The variables are those of each vendor's reference of predefined variables."""


def running_in(environ: Mapping[str, str]) -> str:
    """Name the CI system that runs this process; empty if none does."""
    for system in CI_SYSTEMS:
        if environ.get(system.present):
            return system.name
    return "CI" if environ.get("CI", "").casefold() not in ("", "false", "0") else ""


_COMMANDS = re.compile(
    r"(?m)"
    r"#(?=#(?:\[|vso\[|teamcity\[))"  # GitHub and Azure: ##[…] and ##vso[…]; TeamCity: ##teamcity[…]
    r"|^[^\S\n]*:(?=:)"  # GitHub: ::command:: at the start of a line, blanks before it or not
    r"|section_(?:start|end)(?=:)"  # GitLab: sections, which hide what they hold
)


def break_commands(text: str) -> str:
    """Put a blank into whatever a CI system would take for a command, so that it stays text.

    Display names, file names and answers of servers come from strangers; a line of theirs could hide what
    follows, or set a variable.
    """
    return _COMMANDS.sub(lambda match: match[0] + " ", text)
