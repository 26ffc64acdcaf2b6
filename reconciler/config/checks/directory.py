"""Groups and roles: there is an Administrator, and no group contains itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration


def administrators(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """If roles are declared, there is an Administrator."""
    roles, groups = subject.catalogue.roles, subject.catalogue.groups
    if roles is None:
        return
    principals = roles.value.administrators
    if not all(name in groups for name in principals.groups):
        return  # the members of an unknown group are unknown; another check reports it
    if not subject.directory.expand(principals):
        message = "No Administrator is left, so nobody could change this again."
        hint = "Name at least one user, or a group with members."
        yield Finding("directory/no-administrator", roles.raw, ("administrators",), message, hint)


def empty_groups(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A group has members."""
    for name, entry in subject.catalogue.groups.items():
        if not entry.value.members:
            message = f"The group `{name}` has no members."
            hint = "A right granted to it is granted to nobody."
            yield Finding("directory/empty-group", entry.raw, ("members",), message, hint)


def cycles(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """No group is a member of itself, directly or through others. Each cycle is reported once."""
    groups = subject.catalogue.groups
    done: set[str] = set()
    for start in sorted(groups):
        if start in done:
            continue
        # The path from start to the current group; a dict keeps the order and makes membership
        # tests fast.
        path: dict[str, None] = {}
        steps = [(start, 0)]
        while steps:
            name, index = steps.pop()
            if index == 0:
                path[name] = None
            inner = groups[name].value.members.groups
            if index == len(inner):
                done.add(path.popitem()[0])
                continue
            steps.append((name, index + 1))
            member = inner[index]
            if member in path:
                names = list(path)
                cycle = " → ".join([*names[names.index(member) :], member])
                message = f"A group contains itself: {cycle}."
                route = ("members", "groups", index)
                raw = groups[name].raw
                yield Finding("directory/group-cycle", raw, route, message, "Delete one of them.")
            elif member in groups and member not in done:
                steps.append((member, 0))


CHECKS: Final[tuple[Check, ...]] = (administrators, empty_groups, cycles)
