"""Whatever is in the folder, it is read or reported; nothing blocks."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reconciler.config.files import MAX_BYTES, decode, find, read, shown
from reconciler.diagnostics import Diagnostic


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find(root).paths]


def told(result: str | Diagnostic) -> tuple[str, int, int]:
    assert isinstance(result, Diagnostic)
    return result.rule, result.line, result.column


def test_yaml_files_are_found_at_any_depth_and_in_order(tmp_path: Path) -> None:
    for name in (
        "b.yaml",
        "a.yml",
        "z/c.yaml",
        "a/x/d.YAML",
        "e.json",
        "f.yaml~",
        ".g.yaml",
        ".h/i.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert names(tmp_path) == ["a/x/d.YAML", "a.yml", "b.yaml", "z/c.yaml"]


def test_the_folder_itself_may_begin_with_a_dot(tmp_path: Path) -> None:
    root = tmp_path / ".connectors"
    root.mkdir()
    (root / "a.yaml").write_text("")
    assert names(root) == ["a.yaml"]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    (item,) = find(tmp_path / "connectors.d").diagnostics
    assert item.rule == "file/missing"


def test_a_single_file_is_not_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    (item,) = find(tmp_path / "a.yaml").diagnostics
    assert item.rule == "file/not-a-folder"


def test_loops_of_links_are_harmless(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.yaml").write_text("")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert names(tmp_path) == ["a/a.yaml"]


def test_files_that_are_links_are_read_as_in_a_mounted_volume(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.yaml").write_text("kind: Group")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert names(tmp_path) == ["a.yaml"]
    assert read(tmp_path / "a.yaml") == "kind: Group"


def test_a_dangling_link_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    (path,) = find(tmp_path).paths
    assert told(read(path)) == ("file/unreadable", 0, 0)


def test_a_folder_named_like_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    (path,) = find(tmp_path).paths
    result = read(path)
    assert told(result)[0] == "file/unreadable"
    assert isinstance(result, Diagnostic)
    assert "folder" in result.message


@pytest.mark.timeout(10)
def test_a_pipe_without_a_writer_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert told(read(tmp_path / "a.yaml")) == ("file/unreadable", 0, 0)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("/dev/zero")
    assert told(read(tmp_path / "a.yaml")) == ("file/unreadable", 0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    (tmp_path / "a.yaml").chmod(0)
    assert told(read(tmp_path / "a.yaml")) == ("file/unreadable", 0, 0)


def test_a_failing_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("")

    def fail(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    result = read(tmp_path / "a.yaml")
    assert isinstance(result, Diagnostic)
    assert result.message == "It cannot be read: Permission denied."


@pytest.mark.parametrize("said", [0, 1, 5, 6, 7, MAX_BYTES + 1])
def test_a_file_is_read_completely_whatever_its_reported_size(
    said: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("a: bcd")
    status = os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, said, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda descriptor: status)
    assert read(tmp_path / "a.yaml") == "a: bcd"


def test_an_unlistable_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", fail)
    assert [item.rule for item in find(tmp_path).diagnostics] == ["file/unreadable"]


def test_utf_8_is_read_with_and_without_a_mark() -> None:
    assert decode("é: 1\r\n".encode(), "a.yaml") == "é: 1\r\n"
    assert decode(b"\xef\xbb\xbfa: 1", "a.yaml") == "a: 1"


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_other_encodings_of_unicode_are_reported(codec: str) -> None:
    result = decode("kind: Group".encode(codec), "a.yaml")
    assert isinstance(result, Diagnostic)
    assert "UTF-" in result.message + result.hint


def test_the_position_of_an_invalid_byte_is_reported() -> None:
    result = decode(
        "a: 1\r\nbé: x\xe9".encode("latin-1").replace(b"b\xe9", "bé".encode()), "a.yaml"
    )
    assert told(result) == ("file/encoding", 2, 6)
    assert isinstance(result, Diagnostic)
    assert "offset 12" in result.message


def test_the_offset_counts_the_mark_and_the_column_does_not() -> None:
    result = decode(b"\xef\xbb\xbfa\xff", "a.yaml")
    assert told(result) == ("file/encoding", 1, 2)
    assert isinstance(result, Diagnostic)
    assert "offset 4" in result.message


@pytest.mark.parametrize(
    "character", ["\0", "\x07", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\uffff"]
)
def test_invisible_characters_are_reported(character: str) -> None:
    assert told(decode(f"a: 1\nb: {character}".encode(), "a.yaml")) == ("yaml/character", 2, 4)


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\u200d", "😀", "\xa0", "\u200f"])
def test_other_characters_are_fine(character: str) -> None:
    assert decode(f"# {character}".encode(), "a.yaml") == f"# {character}"


def test_the_largest_file_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert read(path) == "#" * MAX_BYTES
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert told(read(path)) == ("file/too-large", 0, 0)


def test_a_root_in_an_inaccessible_folder_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", fail)
    (item,) = find(tmp_path / "connectors.d").diagnostics
    assert item.rule == "file/unreadable"
    assert find(Path("a\0b")).diagnostics


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "a/b"])
def test_an_impossible_root_is_reported(name: str) -> None:
    (item,) = find(Path(name)).diagnostics
    assert item.rule in {"file/missing", "file/unreadable"}


def test_names_that_cannot_be_printed_are_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff\x1b[31m.yaml")).write_text("")
    (path,) = find(tmp_path).paths
    assert shown(path).endswith("a\ufffd\ufffd[31m.yaml")
    assert read(path) == ""


def test_files_are_not_compared_with_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.yaml").write_text("")
    compared = 0
    equal = Path.__eq__

    def counted(path: Path, other: object) -> bool:
        nonlocal compared
        compared += 1
        return equal(path, other)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "__eq__", counted)
        patch.setattr(Path, "__hash__", Path.__hash__)
        found = find(tmp_path).paths
    assert len(found) == 300
    assert compared <= 300
