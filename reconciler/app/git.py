"""git, called so that no repository can make it run a program or fetch anything.

A folder that a stranger filled can pose as a bare repository, and the configuration of a repository names programs:
hooks, pagers, monitors of files, filters, the programs that fetch missing objects
(https://git-scm.com/docs/git-config). All of them are switched off here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.ci_systems import CI_SYSTEMS
from reconciler.errors import GitFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_GIT: Final = (
    "git",
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    "--no-replace-objects",
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.pager=cat",
    "-c",
    "diff.external=",
)
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # git before 2.45 ignores the variable above
}
_DEADLINE: Final = 60.0
_LONGEST_REF: Final = 1000

LINK: Final = "120000"
"""The mode of a symbolic link in a tree."""
_FILES: Final = ("100644", "100755")


class TreeEntry(Struct, frozen=True):
    """A file or link of a commit: its mode, the object that holds it, its size and its path from the top."""

    mode: str
    object_id: str
    size: int
    path: str


class GitRepository(Struct, frozen=True):
    """The repository around a folder. Nothing here writes to it."""

    folder: Path
    environ: Mapping[str, str]

    def top(self) -> Path:
        """The top of the work tree, without links; raises GitFailed if there is none."""
        out = self._text("rev-parse", "--show-toplevel")
        if not out:
            raise GitFailed(f"{self.folder} is not in a work tree of git")
        return Path(os.path.realpath(out))

    def commit(self, ref: str) -> str:
        """Find the commit that ``ref`` names; raises UsageError if there is none."""
        if not ref or ref.startswith("-") or len(ref) > _LONGEST_REF or not ref.isprintable():
            raise UsageError(
                f"invalid commit {ref[:40]!r}: expected a branch, a tag or the id of a commit",
                hint="As in `--base origin/main`.",
            )
        try:
            return self._text("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except GitFailed as error:
            if error.hint:
                raise
            shallow = self._text("rev-parse", "--is-shallow-repository") == "true"
            hint = (
                "The clone is shallow: fetch its whole history (`fetch-depth: 0` of actions/checkout,"
                " `GIT_DEPTH: 0` in GitLab), or `git fetch origin` that commit."
                if shallow
                else "Fetch it first, as in `git fetch origin main`, and name it as origin/main."
            )
            raise UsageError(f"git knows no commit {ref}", hint=hint) from None

    def entries(self, commit: str, paths: Sequence[str]) -> Iterator[TreeEntry]:
        """List the files and links of a commit at or below some paths; submodules are left out."""
        if not paths:
            return
        out = self.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *paths)
        for line in out.split(b"\0"):
            head, _, path = line.partition(b"\t")
            if head:
                mode, _, object_id, size = head.decode("ascii").split()
                if size == "BAD":  # the object is not there
                    raise GitFailed(f"git has no object {object_id}", hint=_INCOMPLETE)
                if mode == LINK or mode in _FILES:
                    yield TreeEntry(mode, object_id, int(size), os.fsdecode(path))

    def contents(self, object_ids: Sequence[str]) -> dict[str, bytes]:
        """Read objects whole."""
        wanted = "".join(f"{item}\n" for item in object_ids).encode()
        out = self.run("cat-file", "--batch", stdin=wanted) if object_ids else b""
        found: dict[str, bytes] = {}
        place = 0
        for item in object_ids:
            end = out.index(b"\n", place)
            words = out[place:end].split()
            if len(words) != len(("id", "type", "size")):
                raise GitFailed(f"git has no object {item}", hint=_INCOMPLETE)
            place = end + 1 + int(words[2])
            found[item] = out[end + 1 : place]
            place += 1
        return found

    def head(self) -> str:
        """The commit that is checked out, with ``-dirty`` if files differ from it; empty if unknown."""
        try:
            commit = self._text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
            changed = self.run(
                "status",
                "--porcelain",
                "--untracked-files=no",
                "--ignore-submodules=all",
                settings=self._no_filters(),
                deadline=5,
            )
        except GitFailed:
            return ""
        return f"{commit}-dirty" if changed else commit

    def _no_filters(self) -> list[tuple[str, str]]:
        """Settings that switch off every filter: `status` runs those of the files that it reads."""
        try:
            out = self._text("config", "--null", "--name-only", "--get-regexp", r"^filter\.")
        except GitFailed:  # there are none
            return []
        off = {"clean": "", "smudge": "", "process": "", "required": "false"}
        names = [name for name in out.split("\0") if name]
        return [(name, off[key]) for name in names if (key := name.rpartition(".")[2]) in off]

    def _text(self, *arguments: str) -> str:
        return os.fsdecode(self.run(*arguments)).removesuffix("\n")

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        settings: Sequence[tuple[str, str]] = (),
        deadline: float = _DEADLINE,
    ) -> bytes:
        """Run git and return its output.

        Raises GitFailed, with a hint if every other call would fail too.
        """
        kept = {
            name: self.environ[name]
            for name in ("PATH", "HOME", "SYSTEMROOT")
            if name in self.environ
        }
        given = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (name, value) in enumerate(settings):
            given |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        try:
            done = subprocess.run(  # noqa: S603 - the arguments are ours, and a commit that is no option
                [*_GIT, *arguments],
                cwd=self.folder,
                env=kept | _ENVIRONMENT | given,
                input=stdin,
                capture_output=True,
                timeout=deadline,
                check=False,
            )
        except FileNotFoundError:
            hint = "Install git, and see that it is on the PATH."
            raise GitFailed("git is not installed", hint=hint) from None
        except (OSError, ValueError) as error:
            raise GitFailed("git could not be started", hint=f"{error}.") from None
        except subprocess.TimeoutExpired:
            hint = "Try the same command of git yourself."
            raise GitFailed(
                f"git {arguments[0]} took more than {deadline:.0f} s", hint=hint
            ) from None
        if done.returncode:
            raise _failure(arguments[0], self.folder, done.stderr.decode(errors="replace"))
        return done.stdout


_INCOMPLETE: Final = (
    "The clone is incomplete, and nothing is fetched for a plan. Make a clone without `--filter`."
)


def _failure(command: str, folder: Path, said: str) -> GitFailed:
    if "not a git repository" in said:
        hint = "Run it in a clone of the repository."
        return GitFailed(f"{folder} is not in a repository of git", hint=hint)
    if "dubious ownership" in said:
        hint = f"If you trust them: git config --global --add safe.directory {folder}"
        return GitFailed(f"git does not use the repository around {folder}, which belongs to another user",
                         hint=hint)  # fmt: skip
    if "promisor" in said or "could not fetch" in said or "missing" in said:
        return GitFailed(f"git {command} did not find all files of the commit", hint=_INCOMPLETE)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return GitFailed(f"git {command} failed" + (f": {lines[-1][:200]}" if lines else ""))


def git_commit(directory: Path, environ: Mapping[str, str]) -> str:
    """The commit that is checked out, with ``-dirty`` if files differ from it; empty if unknown."""
    for system in CI_SYSTEMS:
        if environ.get(system.present) and environ.get(system.commit):
            return environ[system.commit]
    return GitRepository(directory, environ).head()
