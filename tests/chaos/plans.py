"""What an attack is: its seed says whom it hits, with what and when."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos.offices import OURS, REAL

if TYPE_CHECKING:
    from collections.abc import Sequence

SQLITE: Final = "SQLite"
POSTGRESQL: Final = "PostgreSQL"

SIGNALS: Final = {
    "kill -9": (signal.SIGKILL,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGINT": (signal.SIGINT,),
    "SIGHUP": (signal.SIGHUP,),
    "two signals": (signal.SIGTERM, signal.SIGINT),
    "STOP, CONT": (signal.SIGSTOP,),
}
CUT: Final = "cut connection"
DELAY: Final = "delayed connection"
LATE_COMMIT: Final = "late COMMIT"
ATTACKS: Final = (*SIGNALS, CUT, DELAY, LATE_COMMIT)


@dataclass(frozen=True, slots=True)
class TargetKind:
    """What is attacked, as the choice of an attack needs to know it.

    ``mark`` is the name of the function from which on three quarters of the counted attacks hit; without one,
    signals come from outside alone. ``links`` are the connections that can be cut. A target that ``sends`` is
    tried with both kinds of mail servers.
    """

    name: str
    mark: str
    links: tuple[str, ...] = ()
    sends: bool = False
    commits: bool = False

    @property
    def attacks(self) -> tuple[str, ...]:
        """What can be done to it."""
        return (*SIGNALS, CUT, DELAY, *((LATE_COMMIT,) if self.commits else ()))


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """One attack. ``share`` is how far into the usual run of the target it comes, from 0 to 1.

    It is counted in calls of the process, in seconds, or in octets of a connection; ``late`` says that
    only the calls from the target's mark on count.
    """

    seed: int
    target: str
    attack: str
    store: str
    office: str
    share: float
    counted: bool
    late: bool
    link: str
    upwards: bool
    reset: bool
    pause: float
    victim: int

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return f"pytest tests/chaos --chaos 1 --chaos-seed {self.seed}"


def plan_of(seed: int, kinds: Sequence[TargetKind]) -> AttackPlan:
    """The attack of a seed. Seeds in a row go through every pair of target and attack."""
    pairs = [(kind, attack) for kind in kinds for attack in kind.attacks]
    random.Random(0).shuffle(pairs)
    kind, attack = pairs[seed % len(pairs)]
    chance = random.Random(seed)
    links = kind.links if kind.sends else ("state", *kind.links)
    link = chance.choice(links)
    on_the_state = attack in {CUT, DELAY} and link == "state"
    store = (
        POSTGRESQL if attack == LATE_COMMIT or on_the_state else chance.choice((SQLITE, POSTGRESQL))
    )
    return AttackPlan(
        seed=seed,
        target=kind.name,
        attack=attack,
        store=store,
        office=chance.choice((OURS, REAL)) if kind.sends else OURS,
        share=chance.random(),
        counted=bool(kind.mark) and chance.random() < 0.7,
        late=chance.random() < 0.75,
        link=link,
        upwards=chance.random() < 0.5,
        reset=chance.random() < 0.5,
        pause=chance.uniform(0.2, 3.0),
        victim=chance.randrange(2),
    )
