"""The workspace: where everything of one organisation is, and how to open it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.project_folder import CONNECTORS, SETTINGS_FILE, ProjectFolder
from reconciler.app.state_place import place_of_state
from reconciler.app.trust import Trust, find_trust
from reconciler.config.effective import (
    DEFAULT,
    FILE,
    OPTION,
    EffectiveSettings,
    effective,
)
from reconciler.config.environments import choose, in_environment
from reconciler.config.settings import Settings
from reconciler.config.settings_file import load_settings
from reconciler.diagnostics import Diagnostic
from reconciler.errors import (
    ConfigurationInvalid,
    NoProject,
    PlanRefused,
    SecretError,
    StateUnavailable,
    UsageError,
)
from reconciler.model.secret_ref import SecretRef
from reconciler.model.setting import Setting
from reconciler.plan.origin import Origin, other_origin
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.config.files import SourceFile
    from reconciler.config.load import Loaded, Parser, Reader
    from reconciler.model.snapshot import Snapshot, StoredState
    from reconciler.plan.inputs import Desired, Limits
    from reconciler.secrets.base import FingerprintKey, Secret
    from reconciler.secrets.registry import Resolver
    from reconciler.state.base import MailState, StateReader, StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything that the command line, the environment and ``reconciler.yaml`` say together.

    Relative paths of the settings start at ``home``. The environment holds secrets, and the URL of a
    database may hold a password, so no repr shows them.
    ``settings`` are those in force; ``in_force`` says who set them, ``state_source`` who named the state.
    ``environment`` is the selected one, or empty; ``undecided`` says why none could be selected.
    """

    project: ProjectFolder
    settings: Settings
    settings_problems: tuple[Diagnostic, ...]
    state_url: str = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    connect_to: tuple[str, ...]
    ca_file: str | None
    trust: Trust
    in_force: EffectiveSettings
    state_source: str
    state_password: SecretRef | None = None
    environment: str = ""
    undecided: UsageError | None = None

    @property
    def home(self) -> Path:
        """The folder that holds ``connectors.d/`` and ``reconciler.yaml``."""
        return self.project.home

    @property
    def limits(self) -> Limits:
        """How much one apply may change."""
        from reconciler.plan.inputs import Limits  # noqa: PLC0415 - only for plans

        limits = self.settings.limits
        return Limits(
            max_delete_percent=limits.max_delete_percent,
            max_update_percent=limits.max_update_percent,
            min_connectors=limits.min_connectors,
            credentials=None if self.trust.sandboxed else self.trust.credential_rules,
        )

    def with_project(
        self,
        project: ProjectFolder,
        settings: Settings,
        problems: tuple[Diagnostic, ...],
        environment: str,
    ) -> Workspace:
        """The same workspace with another project and its settings."""
        settings = in_environment(settings, environment)
        in_force = _in_force(settings, self.trust, environment, FILE)
        return replace(
            self,
            project=project,
            settings=in_force.settings,
            settings_problems=problems,
            in_force=in_force,
            environment=environment,
            undecided=None,
        )

    def load(
        self,
        files: tuple[Path, ...] = (),
        *,
        found: SourceFile | None = None,
        texts: Mapping[Path, str] | None = None,
        read_as: Reader | None = None,
        parse_as: Parser | None = None,
    ) -> Loaded:
        """Read and check the configuration, the settings file with it, and ``files`` as parts of it.

        ``found``, ``texts``, ``read_as`` and ``parse_as`` are those of :func:`reconciler.config.load.load`.
        Raises NoProject if there is neither a project nor a file.
        """
        from reconciler.config.documents import parse  # noqa: PLC0415 - not for what reads the state alone
        from reconciler.config.load import load  # noqa: PLC0415 - as above
        from reconciler.config.plain_yaml import read_documents  # noqa: PLC0415 - as above

        if not files:
            self.require_project()
        self.require_environment()
        loaded = load(
            *(self.project.roots if self.project.exists or self.project.named else ()),
            settings=self.settings,
            environment=self.environment,
            within=self.project.bounds_of_roots,
            files=files,
            found=found,
            texts=texts,
            read_as=read_as or read_documents,
            parse_as=parse_as or parse,
        )
        broken = self._has_broken_settings()
        problems = (
            *self.settings_problems,
            # Without the settings every variable is unknown.
            *(x for x in loaded.diagnostics if not (broken and x.rule == "variable/unknown")),
        )
        snapshot = None if broken else loaded.snapshot
        return replace(loaded, diagnostics=problems, snapshot=snapshot)

    def require_project(self) -> None:
        """Raise NoProject if nothing was found; a named folder is checked when it is read."""
        if not (self.project.exists or self.project.named):
            raise self._no_project()

    def require_environment(self) -> None:
        """Raise UsageError unless one of the declared environments, if any, was selected."""
        if self.undecided is not None and not self._has_broken_settings():
            raise self.undecided

    def _has_broken_settings(self) -> bool:
        return any(problem.is_error for problem in self.settings_problems)

    def load_valid(self) -> tuple[Loaded, Desired]:
        """Read the configuration; raises ConfigurationInvalid if it has errors."""
        from reconciler.config.load import used_providers  # noqa: PLC0415 - as above
        from reconciler.plan.inputs import Desired  # noqa: PLC0415 - as above

        loaded = self.load()
        if loaded.snapshot is None:
            raise ConfigurationInvalid(loaded.diagnostics)
        return loaded, Desired(
            loaded.snapshot,
            loaded.renames,
            real_paths=self._real_paths(loaded.snapshot),
            settings=self.recorded_settings,
            providers=used_providers(loaded.snapshot),
        )

    @property
    def origin(self) -> Origin:
        """The project and environment that a state of this workspace is made for."""
        return Origin(
            folders=", ".join(self.project.folders),
            place=self.project.place or "",
            name=self.settings.project or "",
            environment=self.environment,
        )

    @property
    def recorded_settings(self) -> tuple[Setting, ...]:
        """What an apply records: the settings in force, and the origin of the state."""
        return (*self.origin.settings(FILE), *self.in_force.sources)

    def refuse_other_project(self, current: StoredState) -> None:
        """Raise PlanRefused if the state was made for another project or environment."""
        found = other_origin(current.settings, self.recorded_settings)
        if current.serial and found is not None:
            from reconciler.plan.limits import another_project  # noqa: PLC0415 - as above

            raise PlanRefused(another_project(*found))

    def _real_paths(self, snapshot: Snapshot) -> tuple[tuple[SecretRef, str], ...]:
        """The files that ``file:`` references name; reads no file."""
        from reconciler.secrets.file import real_path  # noqa: PLC0415 - only where secrets are

        references = dict.fromkeys(
            reference
            for connector in snapshot.connectors
            for reference in connector.references
            if reference.scheme == "file"
        )
        return tuple((item, real_path(item.target, base=self.home)) for item in references)

    @contextmanager
    def reading(self) -> Iterator[StateReader]:
        """Open the state for reading during a block; refuses a state of an older release."""
        store = self.store(read_only=True)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def writing(self) -> Iterator[StateStore]:
        """Open the state for writing during a block, migrating it first if it is older."""
        store = self.store()
        try:
            store.migrate()
            yield store
        finally:
            store.close()

    def check_state(self, current: StoredState, *, first_apply: bool) -> None:
        """Raise StateError or PlanRefused if this is not the expected state."""
        self.trust.check_state(current, first_apply=first_apply, beside=self.beside(current))

    def beside(self, current: StoredState) -> tuple[str, ...]:
        """Describe what is next to an empty state and suggests that another one was intended."""
        if current.serial or self.trust.sandboxed:
            return ()
        from reconciler.state.beside import lying_beside  # noqa: PLC0415 - only beside an empty state

        return lying_beside(self.state_url, self.home)

    def stored(self, like: Snapshot | None = None) -> StoredState:
        """Read the newest revision of the state; the empty state if there is none.

        Reuses the resources of ``like`` that are equal.
        """
        self._require_state()
        from reconciler.state.sqlite_reader import newest  # noqa: PLC0415 - not for `validate`

        expected = like.by_address if like is not None else {}
        found = newest(self.state_url, expected)
        if found is None:
            with self.reading() as reader:
                found = reader.load(expected)
        return found

    def store(self, *, read_only: bool = False) -> StateStore:
        """Open the state; raises ConfigurationInvalid or NoProject if it cannot be located."""
        self._require_state()
        from reconciler.state.sql.store import open_store  # noqa: PLC0415 - SQLAlchemy costs to import

        return open_store(self.state_url, read_only=read_only, password=self._state_password())

    def mail_state(self) -> MailState:
        """Open the part of the state that sending one mail needs; raises like :meth:`store`."""
        self._require_state()
        from reconciler.state.location import SqliteLocation, locate  # noqa: PLC0415 - not for `validate`

        location = locate(self.state_url)
        if not isinstance(location, SqliteLocation):
            return self.store()
        from reconciler.state.folder import refuse_unsafe  # noqa: PLC0415 - as above
        from reconciler.state.sqlite_mail import SqliteMailState  # noqa: PLC0415 - as above

        refuse_unsafe(location.path)
        return SqliteMailState(location.real_path, self.store)

    def _require_state(self) -> None:
        if self._is_nowhere():
            raise self._no_project()
        if self._has_broken_settings():
            raise ConfigurationInvalid(self.settings_problems)
        if self.state_source in (DEFAULT, FILE):
            self.require_environment()
        self.trust.refuse_state_of_file(self.state_source)

    def _is_nowhere(self) -> bool:
        """Whether the state would be in its default place in a project, but neither exists."""
        if self.project.exists or self.state_source != DEFAULT:
            return False
        return not Path(self.state_url.partition(":///")[2]).exists()

    def _no_project(self) -> NoProject:
        folder = self.project.roots[0] if self.project.named else Path.cwd()
        where = "that folder" if self.project.named else "it or in a folder above it"
        return NoProject(
            f"there is no project in {folder}: neither {SETTINGS_FILE} nor {CONNECTORS}/ is in {where}",
            hint="Name the project with -C DIR, the state with --state, or start a project with"
            " `reconciler init`.",
        )

    def _state_password(self) -> Callable[[], Secret] | None:
        reference = self.state_password
        if reference is None:
            return None

        def fetch() -> Secret:
            try:
                return self._state_resolver().resolve(reference)
            except SecretError as error:
                raise StateUnavailable(
                    f"the state cannot be opened: {error.message}", hint=error.hint
                ) from None

        return fetch

    def _state_resolver(self) -> Resolver:
        """Make the resolver for the state's password: an owner's reference may run a program."""
        from reconciler.secrets.registry import Resolver  # noqa: PLC0415 - only where secrets are

        return Resolver(self.environ, allow_command=self.state_source != FILE, base=self.home)

    def resolver(self, *, keep: float = math.inf) -> Resolver:
        """Make the resolver of secrets, which caches each for that many seconds."""
        from reconciler.secrets.registry import Resolver  # noqa: PLC0415 - only where secrets are

        return Resolver(
            self.environ,
            allow_command=self.in_force.allow_command,
            base=self.home,
            keep=keep,
            folders=self.trust.rules.secrets.file_folders,
        )

    def fingerprint_key(self) -> FingerprintKey | None:
        """Find the fingerprint key; None if there is none yet."""
        from reconciler.state.key import fingerprint_key  # noqa: PLC0415 - only where secrets are

        return fingerprint_key(self.state_url, self.environ)


def open_workspace(
    project: ProjectFolder,
    environ: Mapping[str, str],
    *,
    state: str | None = None,
    connect_to: tuple[str, ...] = (),
    ca_file: str | None = None,
    policy: str | None = None,
    environment: str | None = None,
) -> Workspace:
    """Combine the given options with ``reconciler.yaml``; options take precedence."""
    home = project.home
    trust = find_trust(environ, home, connect_to, policy)
    settings, problems = load_settings(project.settings_file, within=home)
    chosen, undecided = _choose(settings, environment or environ.get("RECONCILER_ENV"))
    settings = in_environment(settings, chosen)
    in_force = _in_force(settings, trust, chosen, OPTION if environment else FILE)
    place = place_of_state(settings, trust, state, home)
    return Workspace(
        project=project,
        settings=in_force.settings,
        settings_problems=problems,
        state_url=place.url,
        environ=environ,
        connect_to=connect_to,
        ca_file=ca_file,
        trust=trust,
        in_force=in_force,
        state_source=place.source,
        state_password=place.password,
        environment=chosen,
        undecided=undecided,
    )


def _in_force(settings: Settings, trust: Trust, environment: str, source: str) -> EffectiveSettings:
    """The settings in force; ``source`` is who chose the environment, if there is one."""
    found = effective(
        settings, trust.rules, restricted=trust.restricted, allow_command=trust.allow_command
    )
    if not environment:
        return found
    named = Setting("environment", environment, source)
    return replace(found, sources=(named, *found.sources))


def _choose(settings: Settings, asked: str | None) -> tuple[str, UsageError | None]:
    """Select an environment; failing to is an error only for commands that need one."""
    try:
        return choose(settings, asked), None
    except UsageError as error:
        return "", error
