"""Finding the files of a configuration, and reading them as text.

Anything odd (folders named like files, pipes, loops of links, wrong encodings) becomes a
diagnostic; nothing here blocks or reads without a limit.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.rules import problem
from reconciler.disk_fault import disk_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.diagnostics import Diagnostic

MAX_BYTES: Final = 1024 * 1024
"""The maximum size of a file in bytes: some two thousand connectors."""

_ENDINGS: Final = (".yaml", ".yml")
_MARKS: Final = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_ALL_MARKS: Final = tuple(mark for mark, _ in _MARKS)

# What YAML does not allow (https://yaml.org/spec/1.2.2/#51-character-set), and what a human
# reader misses: line ends that most programs ignore, and bidirectional marks.
_REFUSED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


class SourceFile(Struct, frozen=True):
    """The files below a folder, sorted, and the problems met while finding them."""

    paths: tuple[Path, ...]
    diagnostics: tuple[Diagnostic, ...]


def find(root: Path, *, within: Path | None = None) -> SourceFile:
    """List every YAML file below ``root``, at any depth, except hidden ones.

    ``root`` itself may be a link, but not one that leads out of ``within``. A folder that can
    be reached in two ways, such as through a loop of links, is read once. Links that lead out
    of ``root`` are not followed: each is a diagnostic.
    """
    if within is not None and leads_out(root, within):
        return SourceFile((), (outside(root),))
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        message = "There is no such folder."
        hint = "`reconciler init` starts a configuration; --config names another folder."
        return SourceFile((), (problem("file/missing", message, hint=hint, file=shown(root)),))
    except OSError as error:
        return SourceFile((), (_unreadable(root, error),))
    if not stat.S_ISDIR(mode):
        message = "The configuration must be a folder of YAML files."
        hint = "Name the folder that holds the file."
        return SourceFile((), (problem("file/not-a-folder", message, hint=hint, file=shown(root)),))
    paths: list[Path] = []
    diagnostics: list[Diagnostic] = []
    seen: set[tuple[int, int]] = set()
    pending = [root]
    home = Path(os.path.realpath(root))
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries, strangers = _entries(folder, home)
        except OSError as error:
            diagnostics.append(_unreadable(folder, error))
            continue
        diagnostics += (outside(folder / name) for name in strangers)
        others = [name for name in entries if not name.lower().endswith(_ENDINGS)]
        paths += (folder / name for name in entries if name.lower().endswith(_ENDINGS))
        pending += (folder / name for name in reversed(others) if _is_folder(folder / name))
    if len(seen) > 1:  # within one folder, they are already sorted
        paths.sort()
    return SourceFile(tuple(paths), tuple(diagnostics))


def _entries(folder: Path, home: Path) -> tuple[list[str], list[str]]:
    """The sorted names in a folder: those to read, and links that lead out of ``home``."""
    with os.scandir(folder) as found:
        links = {entry.name: entry.is_symlink() for entry in found if entry.name[0] != "."}
    names = sorted(links)
    strangers = {name for name in names if links[name] and leads_out(folder / name, home)}
    return [name for name in names if name not in strangers], sorted(strangers)


def find_all(roots: Sequence[Path], *, within: Path | None = None) -> SourceFile:
    """List the files below several folders; a file below two of them counts once."""
    if len(roots) == 1:
        return find(roots[0], within=within)
    found = [find(root, within=within) for root in roots]
    paths = {os.path.realpath(path): path for item in found for path in reversed(item.paths)}
    return SourceFile(
        tuple(sorted(paths.values())),
        tuple(diagnostic for item in found for diagnostic in item.diagnostics),
    )


def with_files(found: SourceFile, files: tuple[Path, ...]) -> SourceFile:
    """Add files that were not found."""
    if not files:
        return found
    known = {os.path.realpath(path) for path in found.paths}
    more = tuple(path for path in files if os.path.realpath(path) not in known)
    return SourceFile((*found.paths, *more), found.diagnostics)


def leads_out(path: Path, home: Path) -> bool:
    """Whether a link leads out of the folder: a pull request could link to any file of the machine.

    ``home`` has no links in it.
    """
    if not path.is_symlink():
        return False
    return not Path(os.path.realpath(path)).is_relative_to(home)


def outside(path: Path) -> Diagnostic:
    """Report a link that leads out."""
    message = "The link leads out of the configuration folder, so it is not followed."
    hint = (
        "Put the file itself here; for files that lie elsewhere, name their folder with --config."
    )
    return problem("file/link-outside", message, hint=hint, file=shown(path))


def shown(path: Path) -> str:
    """Format a path for diagnostics, with unprintable characters replaced."""
    text = path.as_posix()
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def read(path: Path) -> str | Diagnostic:
    """Read a file as UTF-8, without its byte order mark."""
    data = read_bytes(path)
    return decode(data, shown(path)) if isinstance(data, bytes) else data


def read_bytes(path: Path) -> bytes | Diagnostic:
    """Read a file, but only as much of a large one as shows that it exceeds the limit."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return _not_a_file(path, status.st_mode)
            return _content(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _not_a_file(path, stat.S_IFDIR) if _is_folder(path) else _unreadable(path, error)


def _content(descriptor: int, size: int) -> bytes:
    """The content of a regular file.

    ``size`` is its reported size, which only saves a second read at its end.
    """
    most = min(size, MAX_BYTES) + 1
    found = os.read(descriptor, most)
    if len(found) == size:
        return found
    parts = [found]
    left = MAX_BYTES + 1 - len(found)
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def decode(data: bytes, file: str) -> str | Diagnostic:
    """Decode a file's bytes."""
    if len(data) > MAX_BYTES:
        message = f"The file is larger than {MAX_BYTES // 1024} KiB."
        return problem("file/too-large", message, hint="Split it into several files.", file=file)
    for mark, name in _MARKS if data.startswith(_ALL_MARKS) else ():
        if data.startswith(mark):
            message = f"The file is {name}; a configuration must be UTF-8."
            return problem("file/encoding", message, hint="Save it as UTF-8.", file=file)
    if foreign := _not_yaml(data):
        what, hint, line = foreign
        return problem(
            "file/not-yaml", what, hint=hint, file=file, line=line, column=1 if line else 0
        )
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line, column = _place(body[: error.start].decode())
        offset = len(data) - len(body) + error.start
        message = f"The file is not UTF-8: the byte at offset {offset} is invalid."
        hint = "Save it as UTF-8; it may be in an older encoding such as Latin-1."
        return problem("file/encoding", message, hint=hint, file=file, line=line, column=column)
    printable = text.isascii() and text.replace("\n", "").isprintable()
    if not printable and (found := _REFUSED.search(text)):
        line, column = _place(text[: found.start()])
        message = f"This is an invisible character, U+{ord(found.group()):04X}."
        hint = (
            "Save the file as UTF-8; this looks like UTF-16."
            if found.group() == "\0"
            else "Delete it."
        )
        return problem("yaml/character", message, hint=hint, file=file, line=line, column=column)
    return text


_NOT_ENCRYPTED: Final = "A configuration holds no secret, so it is not encrypted."
_HEADS: Final = (
    (
        b"\0GITCRYPT\0",
        "The file is encrypted by git-crypt.",
        "Unlock the checkout: git-crypt unlock.",
    ),
    (
        b"version https://git-lfs.github.com/spec/",
        "The file is a pointer of git-lfs, not what it points to.",
        "Fetch it: git lfs pull. A configuration is small enough for git itself.",
    ),
    (
        b"$ANSIBLE_VAULT;",
        "The file is encrypted by ansible-vault.",
        _NOT_ENCRYPTED,
    ),
    (b"-----BEGIN PGP MESSAGE-----", "The file is encrypted by PGP.", _NOT_ENCRYPTED),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "The file is encrypted by age.", _NOT_ENCRYPTED),
    (b"age-encryption.org/", "The file is encrypted by age.", _NOT_ENCRYPTED),
)
_ALL_HEADS: Final = tuple(head for head, _, _ in _HEADS)
_CONFLICT_MARKS: Final = (b"<" * 7, b"|" * 7, b">" * 7)
_CONFLICT: Final = re.compile(
    rb"^<{7} .*\n(?s:.*?)^>{7} |^(?:<{7}|\|{7}|>{7})(?: .*)?\r?$", re.MULTILINE
)
"""A merge conflict, even a partly resolved one."""
_SOPS: Final = re.compile(rb"ENC\[AES256_GCM,(?s:.*)^sops:", re.MULTILINE)


def _not_yaml(data: bytes) -> tuple[str, str, int] | None:
    """Recognise a file that a tool left in place of YAML: message, hint, and the line, if any."""
    for head, message, hint in _HEADS if data.startswith(_ALL_HEADS) else ():
        if data.startswith(head):
            return message, hint, 0
    marked = any(mark in data for mark in _CONFLICT_MARKS)
    if marked and (found := _CONFLICT.search(data)):
        line = data.count(b"\n", 0, found.start()) + 1
        return "The file holds a merge conflict.", "Resolve it: git diff shows both sides.", line
    if _SOPS.search(data):
        return "The file is encrypted by SOPS.", _NOT_ENCRYPTED, 0
    return None


_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def _place(before: str) -> tuple[int, int]:
    ends: Iterator[re.Match[str]] = _LINE_END.finditer(before)
    line, start = 1, 0
    for end in ends:
        line, start = line + 1, end.end()
    return line, len(before) - start + 1


def _unreadable(path: Path, error: OSError) -> Diagnostic:
    fault = disk_fault(error, path)
    message = f"It cannot be read: {fault.reason}."
    hint = "The link is broken." if isinstance(error, FileNotFoundError) else fault.remedy
    return problem("file/unreadable", message, hint=hint, file=shown(path))


def _not_a_file(path: Path, mode: int) -> Diagnostic:
    what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    message = f"This has the name of a YAML file, but is {what}."
    hint = "Rename it, or put a dot before its name to exclude it."
    return problem("file/unreadable", message, hint=hint, file=shown(path))


def _is_folder(path: Path) -> bool:
    # Unlike Path.is_dir, this does not raise for an inaccessible parent folder.
    return os.path.isdir(path)  # noqa: PTH112 - see above
