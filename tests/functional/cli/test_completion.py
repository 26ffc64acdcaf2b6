"""Shells complete the names of the configuration, and get nothing if it cannot be read."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import Home
from tests.shell_programs import folder_of_programs

if TYPE_CHECKING:
    from tests.functional.conftest import Done


def asked(home: Home, shell: str, *words: str) -> Done:
    """Ask as the shell's function does; the last word is the one that is being typed."""
    number = words[-1] if shell == "fish" else str(len(words))
    variables = {"COMP_WORDS": " ".join(("reconciler", *words)), "COMP_CWORD": number}
    return home.run(_RECONCILER_COMPLETE=f"{shell}_complete", **variables)


def completed(home: Home, *words: str) -> list[str]:
    done = asked(home, "bash", *words)
    assert (done.status, done.err) == (0, "")
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("expo",), ["export"]),
        (("test", "su"), ["support"]),
        (("test", "support", "su"), []),
        (("doctor", "pay"), ["payroll"]),
        (("send", "--connector", "no"), ["no-reply"]),
        (("plan", "--only", "Group.sup"), ["Group.support-team"]),
        (("add", "--provider", "micro"), ["microsoft365"]),
        (("show", "Group.sup"), ["Group.support-team"]),
        (("history", "pay"), ["payroll"]),
        (("state", "forget", "pay"), ["payroll"]),
        (("explain", "microsoft3"), ["microsoft365"]),
        (("explain", "smtp.sec"), ["smtp.security"]),
        (("test", "zzz"), []),
    ],
)
def test_names_of_the_configuration_are_completed(
    home: Home, words: tuple[str, ...], names: list[str]
) -> None:
    assert completed(home, *words) == names


def test_labels_and_own_providers_are_completed(home: Home) -> None:
    home.write(
        "own.yaml",
        "kind: Provider\nname: own-mail\nsmtp: {server: a.example, port: 465, security: implicit}\n",
    )
    home.edit("support.yaml", "display_name:", "labels: [team=help, eu]\ndisplay_name:")
    assert "team=help" in completed(home, "test", "--label", "te")
    assert completed(home, "add", "--provider", "own") == ["own-mail"]


def test_environments_are_completed(home: Home) -> None:
    (home.folder / "reconciler.yaml").write_text("environments: {dev: {}, prod: {}}\n")
    assert completed(home, "plan", "--env", "p") == ["prod"]
    (home.folder / "reconciler.yaml").write_text("environments: [\n")
    assert completed(home, "plan", "--env", "p") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_answered_in_its_own_way(home: Home, shell: str) -> None:
    done = asked(home, shell, "test", "su")
    assert (done.status, done.err) == (0, "")
    assert "support" in done.out
    script = home.run(_RECONCILER_COMPLETE=f"{shell}_source")
    assert script.status == 0
    assert f"_RECONCILER_COMPLETE={shell}_complete" in script.out


def test_nothing_is_printed_without_completions(home: Home) -> None:
    home.write("broken.yaml", "kind: [\n")
    home.write("evil.yaml", 'kind: EmailConnector\nname: "evil\\n$(touch x)"\n')
    (home.config / "binary.yaml").write_bytes(b"\xff\xfe\0")
    assert completed(home, "test", "su") == ["support"]
    assert completed(home, "test", "evil") == []
    nowhere = Home(home.folder.parent / "nowhere")
    nowhere.folder.mkdir()
    assert completed(nowhere, "test", "s") == []


def test_bash_completes_a_line(home: Home) -> None:
    line = (
        'eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"; COMP_WORDS=(reconciler test su);'
        ' COMP_CWORD=2; _reconciler_completion reconciler; echo "${COMPREPLY[@]}"'
    )
    path = f"{folder_of_programs()}:{home.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=home.folder, env=home.environ | {"PATH": path},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "support\n", done.stderr
