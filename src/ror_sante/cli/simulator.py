"""The verb ``simulator``."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ror_sante.api.inter_ror.regions import chosen
from ror_sante.cli.files import private_text
from ror_sante.cli.place import pki_of, simulator_class, variants_class
from ror_sante.cli.verb import Verb, ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from ror_sante.simulator.server import Simulator


@click.command(
    "simulator",
    cls=Verb,
    epilog=ending(
        (0, 2),
        "ror-sante simulator --port 8443 --out bench",
        "ror-sante --config bench/ror-sante.toml smoke-test",
    ),
)
@click.option(
    "--port", type=click.IntRange(0, 65_533), default=0, metavar="N", help="First of three; default: free ones."
)
@click.option("--fault", "faults", multiple=True, metavar="NAME[:TIMES]", help="Misbehave; repeat it for more.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="WHICH[,KEY=VALUE]",
    help="Regional endpoint: delay=, size=, shared=, fault=; repeat it for more.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write settings and P12 there.")
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Written once it answers.")
@click.option("--pki", type=click.Path(path_type=Path), metavar="DIR", help="The PKI of certs-test/make.py.")
@click.option("--size", type=click.IntRange(1), default=5000, show_default=True, metavar="N", help="Care services.")
@click.option(
    "--extraction-rows",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    metavar="N",
    help="Rows of each extraction of the Annuaire Santé.",
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="Of the made-up data.")
def simulator(
    *,
    port: int,
    faults: tuple[str, ...],
    regions: tuple[str, ...],
    out: Path | None,
    ready_file: Path | None,
    pki: Path | None,
    size: int,
    extraction_rows: int,
    seed: int,
) -> int:
    """Run a stand-in of the services on this machine.

    It runs until Ctrl-C or SIGTERM, which is its good end. It has its own certification authority and made-up data, and
    writes a settings file that points at it. Each region named by --region (its name, its code, or all) is asked at
    its own endpoint, /regions/CODE, and may be slow (delay, in seconds), small or large (size), or faulty.
    """
    made = simulator_class()
    tree = None if pki is None else pki_of(pki)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        folder = out if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ror-sante-")))
        variants = variants_class()(extraction_rows=extraction_rows)
        running = stack.enter_context(made(tree, port=port, size=size, seed=seed, variants=variants))
        for word in faults:
            name, times = _fault(word)
            running.fault(name, times=times)
        named = [code for word in regions for code in _region(running, word)]
        settings = running.write_config(folder, regions=named)
        _tell(running, settings)
        if ready_file is not None:
            stack.callback(ready_file.unlink, missing_ok=True)
            _ready(ready_file, running, settings)
        stop.wait()
    sys.stderr.write("The simulator has stopped.\n")
    return 0


def _fault(word: str) -> tuple[str, int | None]:
    """Read ``NAME`` (for ever) or ``NAME:TIMES``."""
    name, colon, times = word.partition(":")
    if not colon:
        return name, None
    if not times.isdecimal() or not int(times):
        raise click.BadParameter(f"{word!r} is not NAME or NAME:TIMES", param_hint="--fault")
    return name, int(times)


def _region(running: Simulator, word: str) -> tuple[str, ...]:
    """Read ``WHICH,delay=2,size=50,shared=3,fault=http-500``, and give the codes that it names."""
    parts = word.split(",")
    which = [part for part in parts if "=" not in part]
    said = dict(part.partition("=")[::2] for part in parts if "=" in part)
    try:
        size = int(said.pop("size")) if "size" in said else None
        delay = float(said.pop("delay")) if "delay" in said else None
        shared = int(said.pop("shared", "0"))
    except ValueError:
        raise click.BadParameter(f"{word!r} holds a number that is none", param_hint="--region") from None
    fault = said.pop("fault", None)
    if said:
        known = "delay, size, shared and fault"
        raise click.BadParameter(f"{word!r}: {next(iter(said))} is none of {known}", param_hint="--region")
    codes = chosen(which)
    for code in codes:
        running.region(code, size=size, delay=delay, shared=shared)
        if fault is not None:
            running.fault(fault, None, region=code)
    return codes


def _tell(running: Simulator, settings: Path) -> None:
    sys.stdout.write(
        f"The simulator answers at {running.url}\n"
        f"Annuaire Santé: extractions at {running.extraction_url}, FHIR gateway at {running.gateway_url}\n"
        f"Settings, P12 and roots are in {settings.parent}\n"
        "Try, in another terminal:\n"
        f"  ror-sante --config {settings} smoke-test\n"
        f"  ror-sante --config {settings} rorn search HealthcareService --max 5\n"
        "Ctrl-C stops it.\n"
    )
    sys.stdout.flush()


def _ready(path: Path, running: Simulator, settings: Path) -> None:
    about: dict[str, Any] = {
        "url": running.url,
        "extraction_url": running.extraction_url,
        "gateway_url": running.gateway_url,
        "config": str(settings),
    }
    with private_text(path) as file:
        file.write(json.dumps(about) + "\n")


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set: to stop is how this verb ends well."""
    event = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
