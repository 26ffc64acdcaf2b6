"""Records results of live tests in the state, as the status of the connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import StateError
from reconciler.model.connector import Connector
from reconciler.model.snapshot import StoredState
from reconciler.probe.drift import Recording, last_test
from reconciler.state.location import SqliteLocation, locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.app.workspace import Workspace
    from reconciler.model.snapshot import StoredResource
    from reconciler.probe.result import ConnectorResult


class Recorder:
    """Reads the state before the tests, by ``before``, and records their results afterwards.

    An unusable state fails no test: the recording says what is wrong with it.
    """

    def __init__(self, workspace: Workspace, before: Callable[[], StoredState]) -> None:
        self._workspace = workspace
        self._problem = ""
        self._current = StoredState()
        try:
            self._current = before()
        except StateError as error:
            self._problem = error.message

    def record(
        self,
        tested: tuple[Connector, ...],
        results: tuple[ConnectorResult, ...],
        *,
        passes: bool = True,
    ) -> Recording:
        """Record results of the connectors that were tested as they are stored.

        Without ``passes``, only failures count: a test that stopped early has proven nothing else.
        """
        if self._problem or not self._current.serial:
            return Recording(problem=self._problem)
        stored = {
            item.address.name: item.resource.tested
            for item in self._stored()
            if isinstance(item.resource, Connector)
        }
        same = {item.name for item in tested if stored.get(item.name) == item.tested}
        kept = [item for item in results if item.connector in same and (passes or not item.passed)]
        return Recording(
            recorded=len(kept),
            others=tuple(item.name for item in tested if item.name not in same),
            shallow=sum(item.connector in same for item in results) - len(kept),
            problem=self._write(kept, shallow=not passes),
        )

    def _stored(self) -> tuple[StoredResource, ...]:
        return tuple(
            item for item in self._current.resources if isinstance(item.resource, Connector)
        )

    def _write(self, results: list[ConnectorResult], *, shallow: bool) -> str:
        if not results:
            return ""
        before = {item.address.name: item.last_test for item in self._stored()}
        tests = tuple(
            (item.connector, last_test(item, before.get(item.connector), shallow=shallow))
            for item in results
        )
        try:
            with self._workspace.writing() as store:
                store.record_tests(tests, serial=self._current.serial)
        except StateError as error:
            return error.message
        return ""


def load_before(workspace: Workspace) -> StoredState:
    """Read the state, without importing its libraries if it does not exist yet.

    Raises StateError, and PlanRefused if the state was made for another project or environment: its
    connectors would be tested with secrets that are not theirs.
    """
    location = locate(workspace.state_url)
    if isinstance(location, SqliteLocation) and not location.path.exists():
        return StoredState()
    with workspace.writing() as store:
        current = store.load()
    workspace.refuse_other_project(current)
    return current
