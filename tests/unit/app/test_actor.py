"""Who acts: as given, as each CI system reports, or as the operating system knows."""

from __future__ import annotations

import getpass

import pytest

from reconciler.app.actor import Actor, actor
from reconciler.ci_systems import CI_SYSTEMS, running_in

SYSTEMS = {
    "GitHub Actions": {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ada"},
    "GitLab CI": {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ada", "GITLAB_USER_EMAIL": "a@x.y"},
    "Bitbucket Pipelines": {
        "BITBUCKET_BUILD_NUMBER": "7",
        "BITBUCKET_STEP_TRIGGERER_UUID": "{d3b0}",
    },
    "Azure DevOps": {"TF_BUILD": "True", "BUILD_REQUESTEDFOREMAIL": "ada@contoso.example"},
    "Jenkins": {"JENKINS_URL": "https://ci.example/", "BUILD_USER_ID": "ada"},
    "Buildkite": {"BUILDKITE": "true", "BUILDKITE_BUILD_CREATOR_EMAIL": "ada@contoso.example"},
    "CircleCI": {"CIRCLECI": "true", "CIRCLE_USERNAME": "ada"},
}


def test_every_system_that_is_known_is_tried_here() -> None:
    assert set(SYSTEMS) == {system.name for system in CI_SYSTEMS if system.actors}


def test_a_system_is_known_by_its_variable_and_any_other_by_ci() -> None:
    for system in CI_SYSTEMS:
        assert running_in({system.present: "1", "CI": "true"}) == system.name
    assert running_in({"CI": "true"}) == "CI"
    assert [running_in({"CI": text}) for text in ("", "false", "0")] == ["", "", ""]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_actor_is_the_user_that_the_ci_system_reports(system: str) -> None:
    environ = SYSTEMS[system]
    _, (variable, name), *_ = environ.items()
    assert actor(None, environ) == Actor(name, f"{system} ({variable})")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_variable_of_a_ci_system_that_is_not_running_means_nothing(system: str) -> None:
    _, *others = SYSTEMS[system].items()
    assert actor(None, dict(others)).source == "operating system"


def test_an_explicit_actor_takes_precedence() -> None:
    for environ in SYSTEMS.values():
        assert actor(" bob ", environ, by="--actor") == Actor("bob", "--actor")
    assert actor("bob", {}, by="RECONCILER_ACTOR").source == "RECONCILER_ACTOR"


@pytest.mark.parametrize("told", [None, "", "  "])
def test_without_an_actor_it_is_the_user_of_the_operating_system(told: str | None) -> None:
    assert actor(told, {}) == Actor(getpass.getuser(), "operating system")


def test_a_user_id_without_a_name_is_a_valid_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> str:
        raise KeyError(4711)

    monkeypatch.setattr(getpass, "getuser", fails)
    assert actor(None, {}) == Actor("unknown", "operating system")


def test_azure_and_jenkins_name_people_in_more_than_one_way() -> None:
    azure = {"TF_BUILD": "True", "BUILD_REQUESTEDFOR": "Ada Lovelace"}
    assert actor(None, azure) == Actor("Ada Lovelace", "Azure DevOps (BUILD_REQUESTEDFOR)")
    jenkins = {"JENKINS_URL": "x", "BUILD_USER_EMAIL": "a@x.y", "BUILD_USER_ID": "ada"}
    assert actor(None, jenkins) == Actor("a@x.y", "Jenkins (BUILD_USER_EMAIL)")
    # Without the plugin that sets them, Jenkins says nothing.
    assert actor(None, {"JENKINS_URL": "x"}).source == "operating system"
