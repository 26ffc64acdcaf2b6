"""The settings in force: the owner's, tightened by the repository's."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.settings import DEFAULTS, LimitSettings, Settings
from reconciler.model.depth import Depth
from reconciler.model.domain import pattern_key
from reconciler.model.resource import digest
from reconciler.model.setting import Setting
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.owner_rules import OwnerRules

FILE: Final = "reconciler.yaml"
RULES: Final = "the owner's rules"
OPTION: Final = "the command line or environment"
DEFAULT: Final = "default"

NO_HOST: Final = "no-host-is-allowed.invalid"
"""Represents "no host": an empty list would allow every host."""


class EffectiveSettings(Struct, frozen=True):
    """All settings in force.

    ``ignored`` are sentences about settings that the repository may not change.
    ``allow_command`` needs both: the file declares that the configuration uses ``command:``
    references, and somebody outside the repository allows them.
    """

    settings: Settings
    allow_command: bool
    sources: tuple[Setting, ...]
    ignored: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A digest of the values in force; a saved plan is bound to it."""
        return digest([[item.name, item.value] for item in self.sources])


def effective(
    file: Settings, rules: OwnerRules, *, restricted: bool, allow_command: bool
) -> EffectiveSettings:
    """Combine the settings of the repository with those of the owner.

    ``restricted`` is true in CI and under rules: there the file only tightens.
    ``allow_command`` says whether the environment allows ``command:`` references.
    """
    ignored: list[str] = []
    owner_limits = rules.limits or DEFAULTS.limits
    owner_depth = rules.testing.depth if rules.testing else DEFAULTS.testing.depth
    limits, depth = file.limits, file.testing.depth
    if restricted:
        limits = _tighter(file.limits, owner_limits)
        depth = max(file.testing.depth, owner_depth, key=tuple(Depth).index)
        ignored += [
            f"limits.{name}"
            for name in _LIMITS
            if getattr(file.limits, name)
            not in {getattr(limits, name), getattr(DEFAULTS.limits, name)}
        ]
        if file.testing.depth not in {depth, DEFAULTS.testing.depth}:
            ignored.append("testing.depth")
    hosts = intersection(file.allowed_hosts, rules.allowed_hosts)
    settings = replace(
        file,
        limits=limits,
        allowed_hosts=hosts,
        testing=replace(file.testing, depth=depth),
    )
    by_owner = allow_command or rules.secrets.allow_command
    if file.secrets.allow_command and not by_owner:
        ignored.append("secrets.allow_command")
    return EffectiveSettings(
        settings,
        file.secrets.allow_command and by_owner,
        tuple(_sources(settings, file, rules, by_owner=by_owner)),
        tuple(f"{FILE} may not loosen {name}, so it is ignored" for name in ignored),
    )


_LIMITS: Final = ("max_delete_percent", "max_update_percent", "min_connectors")


def _tighter(file: LimitSettings, owner: LimitSettings) -> LimitSettings:
    """The lower of each limit: a lower threshold for a share is tighter, too."""
    return LimitSettings(
        **{name: min(getattr(file, name), getattr(owner, name)) for name in _LIMITS}
    )


def intersection(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts that both lists allow; an empty list allows all."""
    if not one or not other:
        return one or other
    both = {
        narrow
        for first in one
        for second in other
        for narrow, wide in ((first, second), (second, first))
        if fnmatchcase(pattern_key(narrow), pattern_key(wide))
    }
    return tuple(sorted(both)) or (NO_HOST,)


def _sources(
    settings: Settings, file: Settings, rules: OwnerRules, *, by_owner: bool
) -> Iterator[Setting]:
    for name in _LIMITS:
        yield Setting(
            f"limits.{name}",
            str(getattr(settings.limits, name)),
            _source(
                getattr(settings.limits, name),
                getattr(file.limits, name),
                getattr(rules.limits, name, None),
                getattr(DEFAULTS.limits, name),
            ),
        )
    yield Setting(
        "allowed_hosts",
        ", ".join(settings.allowed_hosts) or "any",
        _source(
            settings.allowed_hosts,
            file.allowed_hosts,
            rules.allowed_hosts or None,
            DEFAULTS.allowed_hosts,
        ),
    )
    allowed = settings.secrets.allow_command and by_owner
    yield Setting(
        "secrets.allow_command",
        "true" if allowed else "false",
        (RULES if rules.secrets.allow_command else OPTION) if allowed else DEFAULT,
    )
    yield Setting(
        "testing.depth",
        str(settings.testing.depth),
        _source(
            settings.testing.depth,
            file.testing.depth,
            rules.testing.depth if rules.testing else None,
            DEFAULTS.testing.depth,
        ),
    )


def _source(value: object, file: object, rules: object, default: object) -> str:
    if rules is not None and value == rules:
        return RULES
    if value == default:
        return DEFAULT
    return FILE if value == file else f"{FILE} and {RULES}"
