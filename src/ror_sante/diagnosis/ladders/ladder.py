"""What a ladder is made of: rungs that say what they need, and the ground that it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ror_sante.diagnosis.reasoning import diagnose
from ror_sante.errors import ConfigurationError
from ror_sante.pki.source import IdentitySource

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ror_sante.diagnosis.causes import Cause, Lang
    from ror_sante.diagnosis.route import Route
    from ror_sante.diagnosis.rung import Seen
    from ror_sante.environments import Environment
    from ror_sante.errors import RorError
    from ror_sante.settings import Settings


def nothing() -> None:
    """Do nothing, for a ladder that holds nothing open."""


def no_routes() -> tuple[Route, ...]:
    """Give no route, for a ladder that walks to no host."""
    return ()


def source_of(find: Callable[[], IdentitySource]) -> IdentitySource:
    """Give where a certificate comes from; that none is configured is told by the rung that opens it, not before.

    Args:
        find: finds it in the settings.
    """
    try:
        return find()
    except ConfigurationError:
        return IdentitySource(lambda: find().load())


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a ladder is made from.

    Attributes:
        environment: the addresses and anchors.
        settings: the accounts and the network; its own word on the environment is not asked.
        source: takes the name of a service (``rorn``, ``inter-ror``, ``annuaire``) and gives where its certificate
            comes from; None when the account has a secret and no certificate.
        at: the time at which certificates are judged, with its time zone.
        lang: ``en`` or ``fr``, of the causes and of what works by accident.
    """

    environment: Environment
    settings: Settings
    source: Callable[[str], IdentitySource | None]
    at: datetime
    lang: Lang = "en"


@dataclass(frozen=True)
class Rung:
    """One step, of one column.

    Attributes:
        name: a stable word or two.
        look: looks, and says what it saw; an error of ours that it raises is its failure.
        needs: names of rungs without which it says nothing new; it is skipped when one of them failed.
        after: names of rungs that it waits for, whatever comes of them.
        column: which of several endpoints it looks at; empty where there is one, or for what is common to all.
        asks: it may ask a person (a passphrase): it runs where the test was started, and its time is not counted.
        explain: ranks the causes of its failure; `Way.explained` adds what is known of both sides.
    """

    name: str
    look: Callable[[], Seen]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    column: str = ""
    asks: bool = False
    explain: Callable[[RorError], tuple[Cause, ...]] = diagnose


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The rungs of one service in one environment, in the order in which they are told.

    Attributes:
        service: ``rorn``, ``inter-ror``, ``annuaire``.
        title: how people call the service.
        environment: the name of the environment.
        rungs: each after those that it needs.
        close: closes what the rungs opened, whatever came of them.
        routes: gives what was seen on the way to each host, at the end; `Way.routes` does.
    """

    service: str
    title: str
    environment: str
    rungs: tuple[Rung, ...]
    close: Callable[[], None] = nothing
    routes: Callable[[], tuple[Route, ...]] = no_routes

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for rung in self.rungs:
            unknown = {*rung.needs, *rung.after} - seen
            if unknown:
                raise ValueError(f"rung {rung.name!r} waits for what does not come before it: {sorted(unknown)}")
            seen.add(rung.name)

    def ground_of(self, rung: Rung, names: tuple[str, ...]) -> tuple[Rung, ...]:
        """Give the rungs that are meant when one names others: of its column, of none, else of all columns."""
        return tuple(found for name in names for found in self._named(name, rung.column))

    def _named(self, name: str, column: str) -> list[Rung]:
        all_columns = [rung for rung in self.rungs if rung.name == name]
        for wanted in (column, ""):
            if own := [rung for rung in all_columns if rung.column == wanted]:
                return own
        return all_columns


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that the smoke test knows.

    Attributes:
        title: how people call it.
        ladder: makes its ladder; nothing is opened or sent by that.
        absent: why it cannot be tried here (no address, no region configured), or nothing.
    """

    title: str
    ladder: Callable[[Ground], Ladder]
    absent: Callable[[Ground], str] = lambda _ground: ""
