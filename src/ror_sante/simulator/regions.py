"""The eighteen regional endpoints: each its own directory under ``/regions/<code>``, its delay, its faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ror_sante.api.nos import REGIONS, region_code
from ror_sante.errors import ConfigurationError
from ror_sante.simulator.data import Directory
from ror_sante.simulator.faults.fault import Scene
from ror_sante.simulator.faults.queue import FaultQueue
from ror_sante.simulator.fhir import DIFFUSION_PATH, FhirService
from ror_sante.simulator.messages import HTML, Reply
from ror_sante.simulator.tokens import TOKEN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ror_sante.simulator.faults.fault import At
    from ror_sante.simulator.messages import Call
    from ror_sante.simulator.tokens import TokenService
    from ror_sante.simulator.variants import Variants

PREFIX: Final = "/regions/"
SIZE: Final = 200  # care services of a region


@dataclass
class _Region:
    """One regional endpoint."""

    fhir: FhirService
    faults: FaultQueue
    delay: float = 0.0


class Regions:
    """Answers the calls under ``/regions/<code>``: the token endpoint and the FHIR service of each region.

    The accounts and tokens are those of the national service.

    Args:
        tokens: issues tokens and checks them.
        variants: what the documents leave open.
        seed: of the made-up data.
        now: the simulator's time.
        origin: gives scheme, host and port.
    """

    def __init__(
        self,
        tokens: TokenService,
        variants: Variants,
        *,
        seed: int,
        now: Callable[[], datetime],
        origin: Callable[[], str],
    ) -> None:
        self._tokens = tokens
        self._variants = variants
        self._seed = seed
        self._now = now
        self._origin = origin
        self.reset()

    def reset(self) -> None:
        """Forget delays, sizes, faults and searches."""
        self._regions: dict[str, _Region] = {
            code: self._made(code, Directory(SIZE, self._seed, region=code)) for code in REGIONS
        }

    def url(self, region: str) -> str:
        """Give the FHIR base of a region, named or by its code."""
        return self._base(region_code(region)) + DIFFUSION_PATH

    def token_url(self, region: str) -> str:
        """Give the token endpoint of a region."""
        return self._base(region_code(region)) + TOKEN_PATH

    def change(self, region: str, *, size: int | None, delay: float | None, shared: int) -> None:
        """Change one endpoint; see `Simulator.region`."""
        code = region_code(region)
        if delay is not None and not 0 <= delay < float("inf"):
            raise ConfigurationError("the delay of a region is a number of seconds, 0 or more")
        if size is not None or shared:
            directory = Directory(SIZE if size is None else size, self._seed, region=code, shared=shared)
            self._regions[code].fhir.directory = directory
        if delay is not None:
            self._regions[code].delay = delay

    def fault(self, region: str, name: str, times: int | None, *, at: At | None, seconds: float | None) -> None:
        """Let a region misbehave; see `Simulator.fault`."""
        self._regions[region_code(region)].faults.add(name, times, at=at, seconds=seconds)

    def answer(self, call: Call) -> Reply:
        """Answer a call."""
        code, slash, path = call.path.removeprefix(PREFIX).partition("/")
        region = self._regions.get(code)
        if region is None:
            return Reply(404, b"<html><body><h1>404</h1><p>no such region</p></body></html>", HTML)
        inner = replace(call, path=slash + path)
        at_token = inner.path == TOKEN_PATH
        good = self._tokens.answer(inner) if at_token else region.fhir.answer(inner)
        scene = Scene(good, inner, self._now(), self._base(code), self._tokens.revoke)
        return region.faults.strike("token" if at_token else "fhir", scene)

    def away(self, path: str) -> float:
        """Give the seconds before the answer at a path is made; all regions share the processor of this machine."""
        code, slash, rest = path.removeprefix(PREFIX).partition("/")
        region = self._regions.get(code) if path.startswith(PREFIX) else None
        return 0.0 if region is None or slash + rest == TOKEN_PATH else region.delay

    def _made(self, code: str, directory: Directory) -> _Region:
        links = self._variants.link_origin
        variants = replace(self._variants, link_origin=None if links is None else f"{links}{PREFIX}{code}")
        return _Region(
            FhirService(directory, self._tokens, variants, now=self._now, origin=lambda: self._base(code)), FaultQueue()
        )

    def _base(self, code: str) -> str:
        return f"{self._origin()}{PREFIX}{code}"
