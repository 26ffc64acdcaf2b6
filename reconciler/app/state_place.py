"""Which stored state to use: from the option, the owner, ``reconciler.yaml``, or the default."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.config.effective import DEFAULT, FILE, OPTION, RULES
from reconciler.config.environments import default_states
from reconciler.errors import UsageError
from reconciler.model.secret_ref import SecretRef

if TYPE_CHECKING:
    from reconciler.app.trust import Trust
    from reconciler.config.settings import Settings


@dataclass(frozen=True, slots=True)
class StatePlace:
    """A stored state: its URL, who named it, and its password."""

    url: str = field(repr=False)
    source: str
    password: SecretRef | None


def place_of_state(settings: Settings, trust: Trust, state: str | None, home: Path) -> StatePlace:
    """The state to use, who chose it, and the password that belongs to this state only."""
    if state is not None:
        return StatePlace(_absolute(state, Path.cwd()), OPTION, trust.state_password)
    if trust.rules.state is not None:
        return StatePlace(
            _absolute(trust.rules.state, home),
            RULES,
            trust.state_password or trust.rules.state_password,
        )
    if settings.state not in default_states(settings):
        password = trust.state_password or settings.state_password
        if password is not None and password.scheme == "command" and trust.state_password is None:
            raise UsageError(
                "state_password in reconciler.yaml may not run a program",
                hint="Set RECONCILER_STATE_PASSWORD to the reference, or name it in the owner's rules.",
            )
        return StatePlace(_absolute(settings.state, home), FILE, password)
    return StatePlace(_absolute(settings.state, home), DEFAULT, trust.state_password)


_SQLITE = re.compile(r"(sqlite(?:\+\w+)?):///(?!/)(.+)")


def _absolute(url: str, base: Path) -> str:
    """Anchor a relative SQLite path, so that the state does not depend on the working folder."""
    if "://" not in url:
        return f"sqlite:///{(base / url).absolute()}"
    relative = _SQLITE.fullmatch(url)
    return f"{relative[1]}:///{(base / relative[2]).absolute()}" if relative else url
