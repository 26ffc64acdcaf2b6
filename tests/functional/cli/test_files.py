"""Odd files and many files: a diagnostic or a result, never a traceback, and in sensible time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.functional.conftest import Home

GROUP: Final = "kind: Group\nname: team\nmembers:\n  users: [a@b.example]\n"
BOMB: Final = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize(
    ("data", "documents"),
    [
        (GROUP.replace("\n", "\r\n").encode(), 1),
        (b"\xef\xbb\xbf" + GROUP.encode(), 1),
        (b"\xef\xbb\xbf" + GROUP.replace("\n", "\r\n").encode(), 1),
        (GROUP.rstrip("\n").encode(), 1),
        (GROUP.replace("a@b", "📬@b").encode(), 1),
        (GROUP.encode().replace(b"\n", b"   # caf\xc3\xa9\n"), 1),
        (f"---\n{GROUP}...\n".encode(), 1),
        (json.dumps({"kind": "Group", "name": "team"}).encode(), 1),
        (b"", 0),
        (b"# nothing but a comment\n---\n---\n", 0),
    ],
)
def test_files_from_editors_are_read(data: bytes, documents: int, bare: Home) -> None:
    (bare.config / "a.yaml").write_bytes(data)
    done = bare("validate", "--format", "json")
    document = json.loads(done.out)
    assert (done.status, document["documents"]) == (0, documents), done.out


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (BOMB.encode(), "yaml/alias-expansion"),
        (b"[" * 100_000, "yaml/depth"),
        (b"a: " + b"{a: " * 100_000, "yaml/depth"),
        (GROUP.encode("utf-16"), "file/encoding"),
        (GROUP.replace("a@b", "é@b").encode("latin-1"), "file/encoding"),
        (b"kind: Group\n\tname: team\n", "yaml/tab"),
        (b"kind: Group\nname: \x00\n", "yaml/character"),
        (os.urandom(4096) + b"\xff\xfe", "file/encoding"),
        (b"x" * 2_000_000, "file/too-large"),
        (b"kind: Group\nname: !!python/object:os.system team\n", "yaml/tag"),
        (b"kind: Group\nkind: Group\nname: team\n", "yaml/duplicate-key"),
        (b"- a\n- b\n", "schema/type"),
        (b"just a text", "schema/type"),
    ],
)
def test_an_unreadable_file_is_reported_with_its_rule(data: bytes, rule: str, bare: Home) -> None:
    (bare.config / "a.yaml").write_bytes(data)
    done = bare("validate")
    assert done.status == 3
    assert f"[{rule}]" in done.out
    assert "connectors.d/a.yaml" in done.out
    assert len(done.out) < 2000, "a short answer to a long file"


def test_a_special_file_does_not_block(bare: Home) -> None:
    os.mkfifo(bare.config / "fifo.yaml")
    (bare.config / "endless.yaml").symlink_to("/dev/zero")
    (bare.config / "loop.yaml").symlink_to("loop.yaml")
    (bare.config / "nowhere.yaml").symlink_to("no-such-file")
    (bare.config / "around").symlink_to(bare.config)
    (bare.config / "folder.yaml").mkdir()
    done = bare.run("validate")
    assert done.status == 3
    assert done.out.count("[file/unreadable]") == 4
    assert done.out.count("[file/link-outside]") == 1
    assert "Traceback" not in done.err


def test_a_thousand_files_are_validated_and_planned(bare: Home) -> None:
    for number in range(1000):
        bare.write(
            f"team-{number % 7}/c{number}.yaml",
            f"kind: EmailConnector\nname: c{number}\nimap:\n  server: mail.example.com\n  port: 993\n"
            f"  use_ssl: true\n  username: c{number}@example.com\n  password: env:C{number}\n",
        )
    assert "1000 documents in 1000 files, 1000 connectors" in bare("validate").out
    assert "Plan: 1000 to add" in bare("plan").out


def test_a_configuration_that_is_started_is_valid_and_can_be_planned(bare: Home) -> None:
    bare.config.rmdir()
    started = bare("init", "--actor", "o'neill@example.com")
    assert started.status == 0
    assert started.out.count("Wrote ") == 5  # two of them are schemas
    validated = bare("validate")
    assert validated.status == 0
    assert "warning" not in validated.said
    assert "Plan: 3 to add" in bare("plan").out
    assert "o'neill@example.com" in bare("plan").out
    bare.apply_untested()
    assert bare("plan", "--detailed-exitcode").status == 0

    before = sorted(bare.config.iterdir())
    bare.edit("roles.yaml", "administrators", "administrators ")
    again = bare("init")
    assert again.status == 64
    assert "there is a project in" in again.err
    assert sorted(bare.config.iterdir()) == before
    assert "administrators :" in (bare.config / "roles.yaml").read_text()


def test_a_configuration_can_be_started_elsewhere(bare: Home) -> None:
    assert bare("init", "--config", "mail/connectors.d").status == 0
    assert (bare.folder / "mail" / "reconciler.yaml").exists()
    assert bare("validate", "--config", "mail/connectors.d").status == 0


def test_nothing_is_started_if_a_file_is_in_the_way(bare: Home) -> None:
    bare.config.rmdir()
    bare.config.write_text("a file\n")
    done = bare("init")
    assert done.status == 1
    assert "connectors.d" in done.err
    assert "Kept connectors.d" not in done.out
    assert bare.config.read_text() == "a file\n"
