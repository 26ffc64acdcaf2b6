"""Files are formatted, and only their white space changes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.config.formatting import Formatted, formatted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.conftest import Home

UNTIDY = (
    b"\xef\xbb\xbfkind:   Group\r\nname:   all\r\nmembers: { users: [ ada@contoso.example ] }\r\n"
)
TIDY = b"kind: Group\nname: all\nmembers: {users: [ada@contoso.example]}\n"


@pytest.fixture
def untidy(home: Home) -> Path:
    """A file that is laid out in another way, beside the shipped ones."""
    path = home.config / "all.yaml"
    path.write_bytes(UNTIDY)
    path.chmod(0o640)
    return path


def test_a_file_is_formatted_reported_and_then_left_alone(home: Home, untidy: Path) -> None:
    done = home("fmt")
    assert (done.status, done.out, done.err) == (0, "connectors.d/all.yaml\n", "")
    assert untidy.read_bytes() == TIDY
    assert untidy.stat().st_mode & 0o777 == 0o640
    assert [path for path in home.config.iterdir() if path.name.startswith(".")] == []
    done = home("fmt")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_check_writes_nothing(home: Home, untidy: Path) -> None:
    done = home("fmt", "--check")
    assert (done.status, done.out) == (1, "connectors.d/all.yaml\n")
    assert untidy.read_bytes() == UNTIDY
    assert home("fmt", "--check", "connectors.d/info.yaml").status == 0
    assert home("fmt", "--check", "connectors.d").status == 1


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf" + TIDY, TIDY.replace(b"\n", b"\r\n"), TIDY + b"\n", TIDY.rstrip(), b"\n" + TIDY],
    ids=["byte order mark", "CRLF", "blank line at the end", "no end", "blank line at the top"],
)  # fmt: skip
def test_a_check_notices_layout_outside_fields(home: Home, data: bytes) -> None:
    (home.config / "all.yaml").write_bytes(data)
    done = home("fmt", "--check")
    assert (done.status, done.out) == (1, "connectors.d/all.yaml\n")
    assert home("fmt").status == 0
    assert (home.config / "all.yaml").read_bytes() == TIDY


def test_the_plan_is_the_same(home: Home, untidy: Path) -> None:
    home.apply_untested()
    assert home("plan", "--out", "plan.json").status == 0
    assert home("fmt").out
    assert home("apply", "plan.json", "--skip-tests", "no servers here").status == 0
    assert "No changes." in home("plan").out


def test_files_from_init_are_formatted(bare: Home) -> None:
    assert bare("init").status == 0
    done = bare("fmt", "--check")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_shipped_and_exported_files_are_formatted(home: Home) -> None:
    assert home("fmt", "--check").out == ""
    home.write("../reconciler.yaml", "limits:\n  max_delete_percent: 10\n")
    home.apply_untested()
    for command in (("import", "--out", "imported"), ("rollback", "1", "--out", "back")):
        assert home(*command).status == 0
        assert home("fmt", "--check", command[-1]).out == ""


def test_a_link_stays_a_link_and_its_target_is_formatted_once(home: Home, untidy: Path) -> None:
    target = untidy.rename(home.config / "..data.yaml")
    target = target.rename(home.config / "elsewhere.yaml")
    untidy.symlink_to(target)
    assert home("fmt").out == "connectors.d/elsewhere.yaml\n"
    assert untidy.is_symlink()
    assert target.read_bytes() == TIDY


def test_invalid_yaml_is_reported_and_kept_while_the_rest_is_formatted(
    home: Home, untidy: Path
) -> None:
    broken = home.write("broken.yaml", "a: [\n")
    home.write("latin.yaml", "").write_bytes(b"name:  caf\xe9\n")
    done = home("fmt")
    assert done.status == 3
    assert "connectors.d/broken.yaml:2:1: error" in done.err
    assert "connectors.d/latin.yaml:1:11: error" in done.err
    assert broken.read_text() == "a: [\n"
    assert untidy.read_bytes() == TIDY


def test_a_missing_folder_is_reported_as_by_validate(home: Home) -> None:
    done = home("fmt", "--config", "no-such")
    assert done.status == 3
    assert "[file/missing]" in done.err


def test_a_document_that_cannot_be_formatted_is_named(home: Home) -> None:
    path = home.write("more.yaml", 'kind:   Group\n---\nname:   "caf\\u00e9"\n')
    done = home("fmt")
    assert done.status == 0
    assert "connectors.d/more.yaml:3: left this document unchanged" in done.err
    assert path.read_text() == 'kind: Group\n---\nname:   "caf\\u00e9"\n'


def test_no_secret_in_the_wrong_place_is_shown(home: Home) -> None:
    text = "password:   hunter2\n---\na:  &hunter2 x\nb:  &hunter2 y\nc:  [hunter2\n"
    home.write("more.yaml", text)
    home.write("tags.yaml", "kind:  Group\npassword:   !!bool hunter2\nother:  !!int hunter2\n")
    done = home("fmt")
    assert "hunter2" not in done.said
    assert "tags.yaml:1: left this document unchanged" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for others")
def test_a_file_of_another_user_is_not_changed(home: Home, untidy: Path) -> None:
    os.chown(untidy, 65534, 65533)
    assert home("fmt").status == 0
    assert (untidy.stat().st_uid, untidy.stat().st_gid) == (65534, 65533)
    assert untidy.stat().st_mode & 0o777 == 0o640


def test_a_file_saved_meanwhile_is_not_overwritten(
    home: Home, untidy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(text: str) -> Formatted:
        untidy.write_text("kind: Group\nname: theirs\n")
        return formatted(text)

    monkeypatch.setattr("reconciler.app.fmt.formatted", slowly)
    done = home("fmt", "connectors.d/all.yaml")
    assert done.status == 1
    assert "all.yaml was changed by another program in the meantime" in done.err
    assert untidy.read_text() == "kind: Group\nname: theirs\n"


def test_a_file_does_not_grow_too_large_to_be_read(home: Home) -> None:
    text = "kind: Group\nname: x\nmembers:\n users:\n" + " - a\n" * 5 + "# "
    path = home.write("more.yaml", text + "x" * (1024 * 1024 - len(text) - 1) + "\n")
    done = home("fmt", "connectors.d/more.yaml")
    assert (done.status, done.out) == (0, "")
    assert "more.yaml:1: left this document unchanged" in done.err
    assert path.stat().st_size == 1024 * 1024


def test_an_editor_formats_a_text_through_standard_streams(home: Home) -> None:
    def fmt(data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "reconciler", "fmt", "-"]
        return subprocess.run(
            command, cwd=home.folder, env=home.environ, input=data, capture_output=True, check=False
        )

    done = fmt(UNTIDY)
    assert (done.returncode, done.stdout, done.stderr) == (0, TIDY, b"")
    done = fmt(b'a:   "caf\\u00e9"\n')
    assert (done.returncode, done.stdout) == (0, b'a:   "caf\\u00e9"\n')
    assert b"<stdin>:1: left this document unchanged" in done.stderr
    done = fmt(b"a: [\n")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"<stdin>:2:1: error" in done.stderr


@pytest.mark.parametrize("line", ["- --check", "- connectors.d", "no-such.yaml"])
def test_invalid_arguments_are_usage_errors(home: Home, line: str) -> None:
    assert home("fmt", *line.split()).status == 64


def test_an_unwritable_file_is_reported(
    home: Home, untidy: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reconciler.app.atomic_file._create", full)
    done = home("fmt")
    assert done.status == 1
    assert f"all.yaml cannot be written: the disk at {disk} is full" in done.err
    assert untidy.read_bytes() == UNTIDY
