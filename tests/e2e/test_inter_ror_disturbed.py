"""Regions that are killed, delayed and corrupted at random: every account tells the truth about all eighteen."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from ror_sante import InterRorClient, NationalRorClient
from ror_sante.api.inter_ror import Limits
from ror_sante.api.nos import REGIONS
from ror_sante.http.retry import RetryPolicy
from ror_sante.simulator.server import Simulator
from tests.support.fronts import Front, Mood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ror_sante.api.inter_ror import RegionalResult

SEED: Final = 20261125
QUICK, FULL = 25, 500
SIZE, SHARED = 4, 1  # records of a region, and how many of them are in every region
LIMIT: Final = 1.2  # seconds of a region
SEARCH: Final = "HealthcareService"


@dataclass(frozen=True)
class Plan:
    """What is done to one region in one round, and what a truthful account may say of it.

    Attributes:
        mood: of the front.
        fault: of the server behind it, or empty.
        at: where the fault strikes, or None for where it belongs.
        may: the outcomes that are true, each with its reason.
    """

    mood: Mood
    may: frozenset[tuple[str, str]]
    fault: str = ""


GOOD = frozenset({("answered", "")})
LATE = frozenset({("late", "time")})
BROKEN = frozenset({("failed", "connection")})
# A flipped byte may hit what the server shows of itself, a length that makes us wait for more, or what comes last.
SPOILT = BROKEN | {("refused", "tls"), ("failed", "answer")} | LATE | GOOD
FAULTS: Final = {
    "http-500": ("failed", "service"),
    "html-200": ("failed", "answer"),
    "truncated-json": ("failed", "answer"),
    "empty-body": ("failed", "answer"),
    "outcome-200": ("failed", "answer"),
    "redirect-other-host": ("failed", "answer"),
    "cut-body": ("failed", "connection"),
    "reset": ("failed", "connection"),
    "close-before-answer": ("failed", "connection"),
    "403": ("refused", "rights"),
    "token-error": ("refused", "token"),
    "unknown-dn": ("refused", "token"),
    "http-429": ("failed", "throttled"),
}


def planned(chance: random.Random, *, patient: bool) -> Plan:
    """Draw what is done to a region; only a patient round has regions that are late."""
    draw = chance.random()
    if draw < 0.35:
        return Plan(Mood(), GOOD)
    if draw < 0.45:
        return Plan(Mood(delay=chance.uniform(0, 0.03)), GOOD)
    if draw < 0.53:
        return Plan(Mood(closed=True), BROKEN)
    if draw < 0.60:
        return Plan(Mood(kill=chance.uniform(0, 0.15)), BROKEN | GOOD)
    if draw < 0.68:
        # Whatever comes is longer than this: the handshake alone is.
        return Plan(Mood(cut=chance.randrange(1500)), BROKEN | {("refused", "tls")})
    if draw < 0.78:
        return Plan(Mood(flip=chance.randrange(6000)), SPOILT)
    if draw < 0.84 and patient:
        return Plan(Mood(silent=True), LATE) if chance.random() < 0.5 else Plan(Mood(delay=LIMIT), LATE)
    fault = chance.choice(list(FAULTS))
    return Plan(Mood(), frozenset({FAULTS[fault]}), fault)


class Country:
    """Eighteen regional endpoints, each behind a front of its own, and a client of each."""

    def __init__(self, simulator: Simulator, fronts: dict[str, Front]) -> None:
        self.simulator = simulator
        self.fronts = fronts
        self.clients = {code: self._client(code) for code in REGIONS}
        self.truth: dict[str, frozenset[str]] = {}

    def _client(self, code: str) -> NationalRorClient:
        base, token = (urlsplit(url) for url in self.simulator.region(code))
        here = f"https://localhost:{self.fronts[code].port}"
        place = replace(
            self.simulator.environment, name=code, api_url=here, diffusion_path=base.path, token_url=here + token.path
        )
        return NationalRorClient(
            place,
            self.simulator.identity,
            client_id=self.simulator.client_id,
            profile=self.simulator.profile,
            role=self.simulator.role,
            calls_per_second=100_000,
            retry=RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.01, max_retry_after=0, deadline=30),
        )

    def searched(self, plans: dict[str, Plan], *, limit: float = LIMIT) -> RegionalResult:
        """Do to each region what is planned, and ask them all; circuits are those of a new client."""
        self.simulator.reset()  # tokens too: every round asks for its own
        for code, plan in plans.items():
            self.simulator.region(code, size=SIZE, shared=SHARED)
            if plan.fault:
                self.simulator.fault(plan.fault, None, region=code)
            self.fronts[code].become(plan.mood)
        return InterRorClient(None, self.clients, limits=Limits(limit, deadline=60)).search(SEARCH).result()


@pytest.fixture(scope="module")
def country() -> Iterator[Country]:
    """The servers of all rounds."""
    with Simulator(size=1) as simulator, contextlib.ExitStack() as stack:
        port = urlsplit(simulator.url).port or 0
        found = Country(simulator, {code: stack.enter_context(Front(port)) for code in REGIONS})
        for client in found.clients.values():
            stack.enter_context(client)
        whole = found.searched({code: Plan(Mood(), GOOD) for code in REGIONS}, limit=60)  # a busy machine, nothing warm
        assert whole.account.complete
        found.truth = {
            code: frozenset(row.identifier for row in whole if code in row.regions) for code in sorted(REGIONS)
        }
        assert len(whole) == 18 * (SIZE - SHARED) + SHARED
        yield found


def lies(result: RegionalResult, plans: dict[str, Plan], truth: dict[str, frozenset[str]]) -> list[str]:
    """Name everything in a result that is not so."""
    found = [] if [each.code for each in result.account] == sorted(REGIONS) else ["not every region once"]
    gave = {code: {row.identifier for row in result if code in row.regions} for code in REGIONS}
    for each in result.account:
        told = (each.outcome.value, each.reason)
        overtaken = told in LATE and each.seconds >= 0.9 * LIMIT  # a busy machine: late is what it was
        if told not in plans[each.code].may and not overtaken:
            found.append(f"{each.code}: {told} after {each.seconds:.2f} s for {plans[each.code]}: {each.message}")
        if gave[each.code] != (truth[each.code] if each.count else set()) or each.count not in (0, SIZE):
            found.append(f"{each.code}: {each.count} rows told, {sorted(gave[each.code])} given")
        if (told in GOOD) != (each.count == SIZE):
            found.append(f"{each.code}: {told} with {each.count} rows")
        if told not in GOOD and not each.message:
            found.append(f"{each.code}: {told} without a word")
    if result.account.rows != len(result) or len(result) != len(set().union(*gave.values())):
        found.append(f"{result.account.rows} rows told, {len(result)} given")
    if result.account.complete != all(each.outcome == "answered" for each in result.account):
        found.append("complete, and not")
    return found


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(QUICK, id=f"{QUICK}", marks=pytest.mark.long),
        pytest.param(FULL, id=f"{FULL}", marks=pytest.mark.soak),
    ],
)
def test_every_account_is_true(country: Country, soak: Callable[..., None], rounds: int) -> None:
    """Whatever is done to regions, each search accounts for all eighteen as it was, and gives their rows alone."""
    chance = random.Random(SEED)
    told: Counter[str] = Counter()
    bad: list[str] = []
    good = 0
    for number in range(rounds):
        plans = {code: planned(chance, patient=number % 5 == 0) for code in REGIONS}
        result = country.searched(plans)
        found = lies(result, plans, country.truth)
        bad += [f"round {number}: {each}" for each in found]
        good += not found
        told.update(each.outcome.value for each in result.account)
    assert bad == []
    soak(
        "inter-ROR searches with regions killed, delayed, corrupted",
        tried=rounds,
        good=good,
        **dict(sorted(told.items())),
    )
