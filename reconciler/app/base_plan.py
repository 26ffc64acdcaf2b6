"""`plan --base`: the difference between a commit and the files, without state or secrets.

The files of the commit are written into a temporary folder and read like any configuration. The
plan shows what would change if that commit were applied.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.app.git import LINK, GitRepository, TreeEntry
from reconciler.app.idle_patterns import refuse_idle_patterns
from reconciler.app.plan import Planned, compare
from reconciler.app.project_folder import CONNECTORS, SETTINGS_FILE, ProjectFolder
from reconciler.config.environments import choose
from reconciler.config.files import MAX_BYTES
from reconciler.config.settings_file import load_settings
from reconciler.errors import BaseInvalid, ConfigurationInvalid, GitFailed, UsageError
from reconciler.model.snapshot import LastTest, Snapshot, StoredResource, StoredState
from reconciler.plan.inputs import NO_OVERRIDES, BaseCommit, Overrides
from reconciler.plan.scope import WHOLE, Scope
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.app.workspace import Workspace
    from reconciler.config.settings import Settings
    from reconciler.diagnostics import Diagnostic
    from reconciler.model.setting import Setting

_MOST_FILES: Final = 100_000
_MOST_BYTES: Final = 256 * 1024 * 1024
_LONGEST_LINK: Final = 4096

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_READY: Final = LastTest(passed=True, at=_NEVER)


def plan_from_base(
    workspace: Workspace,
    ref: str,
    *,
    overrides: Overrides = NO_OVERRIDES,
    scope: Scope = WHOLE,
) -> Planned:
    """Plan from the configuration of a commit to that of the files.

    Opens no state, resolves no secret and runs nothing that the repository names. Raises ConfigurationInvalid,
    BaseInvalid, UsageError for an unknown commit or an empty scope, and GitFailed.
    """
    configured = workspace.load_valid()
    refuse_idle_patterns(configured[1], overrides)
    git = GitRepository(workspace.home, workspace.environ)
    top = git.top()
    commit = git.commit(ref)
    paths = _paths(workspace.project, top)
    with _written(git, commit, paths.all) as folder:
        base = _base(workspace, paths.within(folder), _Spelling(ref, folder))
    made = compare(workspace, configured, base.state, overrides=overrides, scope=scope)
    return replace(
        made,
        plan=replace(made.plan, base=BaseCommit(ref, commit)),
        notes=(*made.notes, *base.notes),
    )


class _Paths(Struct, frozen=True):
    """Where the project and its connectors are, from the top of the repository."""

    home: str
    roots: tuple[str, ...]
    named: bool

    @property
    def all(self) -> tuple[str, ...]:
        return (posixpath.normpath(posixpath.join(self.home, SETTINGS_FILE)), *self.roots)

    def within(self, folder: Path) -> ProjectFolder:
        """The same project in another folder."""
        home, roots = folder / self.home, tuple(folder / root for root in self.roots)
        exists = any(os.path.lexists(path) for path in (home / SETTINGS_FILE, *roots))
        return ProjectFolder(home, roots, named=self.named, exists=exists)


def _paths(project: ProjectFolder, top: Path) -> _Paths:
    roots = project.roots if project.named else (project.home / CONNECTORS,)
    absolute = [Path(os.path.realpath(root.parent)) / root.name for root in roots]
    for path in (project.home, *absolute):
        if not path.is_relative_to(top):
            raise UsageError(
                f"{path} is outside of the git repository {top}, so no commit of it can be compared",
                hint="Name a project or a folder of connectors in the repository.",
            )
    return _Paths(
        project.home.relative_to(top).as_posix(),
        tuple(path.relative_to(top).as_posix() for path in absolute),
        named=project.named,
    )


@contextmanager
def _written(git: GitRepository, commit: str, paths: tuple[str, ...]) -> Iterator[Path]:
    """Write the files of a commit below some paths, and the targets of their links, for a block."""
    entries, links = _entries(git, commit, paths)
    readable = [item.object_id for item in entries if item.mode != LINK and item.size <= MAX_BYTES]
    contents = git.contents(list(dict.fromkeys(readable)))
    with tempfile.TemporaryDirectory(prefix="reconciler-base-") as name:
        folder = Path(os.path.realpath(name))
        for item in entries:
            path = _place(folder, item)
            if item.mode == LINK:
                continue
            with path.open("xb") as stream:
                if item.object_id in contents:
                    stream.write(contents[item.object_id])
                else:  # reads only enough to tell that it is too large
                    stream.truncate(item.size)
        for item in entries:
            if item.mode == LINK and item.path in links:
                os.symlink(links[item.path], _place(folder, item))  # noqa: PTH211 - bytes of the link as they are
        yield folder


def _place(folder: Path, item: TreeEntry) -> Path:
    """Where an entry is written.

    Raises GitFailed for a path that leads outside, as in a forged tree.
    """
    parts = item.path.split("/")
    path = folder.joinpath(*parts)
    if not set(parts).isdisjoint({"", ".", ".."}) or os.path.lexists(path):
        raise GitFailed(f"the commit holds a file that cannot be written: {item.path[:200]!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.realpath(path.parent) != os.fspath(path.parent):
        raise GitFailed(f"the commit holds a file behind a link: {item.path[:200]!r}")
    return path


def _entries(
    git: GitRepository, commit: str, paths: tuple[str, ...]
) -> tuple[list[TreeEntry], dict[str, str]]:
    """List the entries of some paths, and of the targets of links within the repository."""
    entries: dict[str, TreeEntry] = {}
    links: dict[str, str] = {}
    asked: set[str] = set()
    pending = list(paths)
    while pending:
        asked.update(pending)
        new = {item.path: item for item in git.entries(commit, pending) if item.path not in entries}
        entries |= new
        total = sum(min(item.size, MAX_BYTES) for item in entries.values())
        if len(entries) > _MOST_FILES or total > _MOST_BYTES:
            raise GitFailed(
                f"the configuration of the commit is too large: {len(entries)} files, {total} bytes",
                hint=f"A plan reads up to {_MOST_FILES} files and {_MOST_BYTES // 1024**2} MiB.",
            )
        short = [i for i in new.values() if i.mode == LINK and i.size <= _LONGEST_LINK]
        targets = git.contents(list(dict.fromkeys(item.object_id for item in short)))
        pending = []
        for item in short:
            target = os.fsdecode(targets[item.object_id])
            if not target or "\0" in target:
                continue
            links[item.path] = target
            leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(item.path), target))
            if not leads_to.startswith(("/", "..")) and leads_to not in (*asked, "."):
                pending.append(leads_to)
        pending = list(dict.fromkeys(pending))
    return list(entries.values()), links


class _Base(Struct, frozen=True):
    state: StoredState
    notes: tuple[str, ...] = ()


class _Spelling(Struct, frozen=True):
    """Shows paths of a temporary folder as git does: ``main:connectors.d/info.yaml``."""

    ref: str
    folder: Path

    def of(self, problem: Diagnostic) -> Diagnostic:
        return replace(
            problem,
            message=self._text(problem.message),
            hint=self._text(problem.hint),
            file=self._text(problem.file),
        )

    def _text(self, text: str) -> str:
        return text.replace(f"{self.folder.as_posix()}/", f"{self.ref}:")


def _base(workspace: Workspace, project: ProjectFolder, spelling: _Spelling) -> _Base:
    """Read the configuration of the commit as if it were applied, in the same environment."""
    ref = spelling.ref
    if not project.exists:
        return _Base(StoredState(), (f"{ref} has no project here, so all of it is new",))
    settings, problems = load_settings(project.home / SETTINGS_FILE, within=project.home)
    environment = _environment(settings, workspace.environment, ref)
    if environment is None:
        note = f"{ref} declares no environment {workspace.environment}, so all of it is new"
        return _Base(StoredState(), (note,))
    space = workspace.with_project(project, settings, problems, environment)
    if not any(os.path.lexists(root) for root in project.roots):  # settings alone
        note = f"{ref} has no folder {CONNECTORS} here, so everything in it is new"
        return _Base(StoredState(settings=space.in_force.sources), (note,))
    try:
        _, found = space.load_valid()
    except ConfigurationInvalid as error:
        raise BaseInvalid(ref, [spelling.of(item) for item in error.diagnostics]) from None
    return _Base(_as_applied(found.snapshot, space.in_force.sources))


def _environment(settings: Settings, asked: str, ref: str) -> str | None:
    """The commit's environment that matches the files'; None if it has only others."""
    if asked and settings.environments and asked not in settings.environments:
        return None
    try:
        return choose(settings, asked if asked and settings.environments else None)
    except UsageError as error:
        raise UsageError(f"{ref}: {error.message}", hint=error.hint) from None


def _as_applied(snapshot: Snapshot, settings: tuple[Setting, ...]) -> StoredState:
    """A state that holds a configuration, with every connector tested."""
    return StoredState(
        serial=1 if snapshot.resources else 0,
        resources=tuple(
            StoredResource(item, _NEVER, _NEVER, "", last_test=_READY)
            for item in snapshot.resources
        ),
        settings=settings,
    )
