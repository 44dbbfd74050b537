"""Tell a smoke test, once or round after round, as text, JSON, JUnit or HTML."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import click

from ror_sante.cli.console import console, text
from ror_sante.cli.files import private_text
from ror_sante.cli.ladder import Ladders
from ror_sante.diagnosis.junit import to_junit
from ror_sante.diagnosis.page.report import to_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from ror_sante.cli.ladder import Head
    from ror_sante.diagnosis.causes import Lang
    from ror_sante.diagnosis.report import Check, SmokeReport, SmokeReports
    from ror_sante.diagnosis.share import Mask
    from ror_sante.diagnosis.smoke import SmokeTest
    from ror_sante.diagnosis.watch import Round, Watch

T = TypeVar("T")

STYLES: Final = ("text", "json", "junit", "html")
_SIGNS: Final = {"ok": "ok", "warn": "!!", "fail": "XX"}


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a smoke test is told.

    Attributes:
        output: the file it goes to; None is standard output.
        strict: warnings count.
        after: the command to try next when all is well.
        mask: masks what is private, or None.
        doctor: tell about this machine in text and JSON too; the other formats always do.
        receipt: tell what each connection showed in text and JSON too; the page always does.
        lang: ``en`` or ``fr``, of causes and headings.
        repeated: there may be several rounds.
    """

    output: Path | None
    strict: bool
    after: str
    mask: Mask | None
    doctor: bool
    receipt: bool
    lang: Lang
    repeated: bool

    def shown(self, value: T) -> T:
        """Give a value as it may be shown."""
        return value if self.mask is None else self.mask.value(value)


class Teller(Protocol):
    """Tells the rounds of a smoke test."""

    def run(self, test: SmokeTest) -> SmokeReports:
        """Run one round, and tell what can be told meanwhile."""
        ...

    def round(self, reports: SmokeReports, noted: Round, watch: Watch) -> None:
        """Tell one round that is over."""
        ...

    def summary(self, watch: Watch) -> None:
        """Tell what several rounds came to."""
        ...


@contextlib.contextmanager
def teller(style: str, manner: Manner) -> Iterator[Teller]:
    """Give what tells a smoke test in one format.

    Raises:
        OSError: the output cannot be written; told before anything is tried.
    """
    if style in ("junit", "html"):
        document = _Document(style, manner)
        try:
            yield document
        finally:
            document.end()
        return
    with _stream(manner) as stream:
        yield _Json(stream, manner) if style == "json" else _Text(stream, manner)


@contextlib.contextmanager
def _stream(manner: Manner) -> Iterator[IO[str]]:
    """Give where lines go: a file is put in place whole, but one of several rounds grows and can be followed."""
    if manner.output is None:
        yield sys.stdout
    elif manner.repeated:
        descriptor = os.open(manner.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", buffering=1) as stream:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
            yield stream
    else:
        with private_text(manner.output) as stream:
            yield stream


class _Text:
    """A ladder for the first round and for each that differs from the one before; a line for the others."""

    def __init__(self, stream: IO[str], manner: Manner) -> None:
        self._console = console(stream)
        self._manner = manner
        self._told: Ladders | None = None
        self._before: Round | None = None

    def run(self, test: SmokeTest) -> SmokeReports:
        if self._before is not None:
            return test.run_all()
        self._told = Ladders(self._console, lang=self._manner.lang)
        return test.run_all(self._rung)

    def round(self, reports: SmokeReports, noted: Round, watch: Watch) -> None:
        before, self._before = self._before, noted
        if before is not None and before.verdict == noted.verdict:
            self._line(noted)
            return
        if before is not None:
            self._line(noted)
            self._told = Ladders(self._console, lang=self._manner.lang)
            for ladder, check in _rungs(reports):
                self._rung(ladder, check)
        assert self._told is not None  # noqa: S101  the first round made it
        shown = self._manner.shown(reports)
        if self._manner.receipt:
            self._told.receipts(shown)
        self._told.machine(shown, whole=self._manner.doctor)
        self._told.verdict(shown, strict=self._manner.strict, after=self._manner.shown(self._manner.after))

    def summary(self, watch: Watch) -> None:
        self._console.print()
        self._console.print(text(watch.summary))

    def _rung(self, ladder: Head, check: Check) -> None:
        assert self._told is not None  # noqa: S101  as above
        self._told.rung(ladder, self._manner.shown(check))

    def _line(self, noted: Round) -> None:
        what = ", ".join(noted.stopped or noted.warned)
        words = f"{noted.at:%Y-%m-%d %H:%M:%S} UTC  {_SIGNS[noted.kind]}  {noted.seconds:.2f} s  {what}"
        self._console.print(text(words.rstrip()), soft_wrap=True)


class _Json:
    """The documented object; of several rounds, one line each."""

    def __init__(self, stream: IO[str], manner: Manner) -> None:
        self._stream = stream
        self._manner = manner

    def run(self, test: SmokeTest) -> SmokeReports:
        return test.run_all()

    def round(self, reports: SmokeReports, noted: Round, watch: Watch) -> None:
        told = self._manner.shown(reports).to_json(machine=self._manner.doctor, receipts=self._manner.receipt)
        if not self._manner.repeated:
            self._stream.write(json.dumps(told, indent=2) + "\n")
            return
        about = {"round": noted.number, "at": noted.at.isoformat(timespec="seconds"), "exit_code": noted.exit_code}
        self._stream.write(json.dumps(about | {"reports": told if isinstance(told, list) else [told]}) + "\n")
        self._stream.flush()

    def summary(self, watch: Watch) -> None:
        click.echo(watch.summary, err=True)


class _Document:
    """A whole document: a file is replaced after each round, standard output gets the last one."""

    def __init__(self, style: str, manner: Manner) -> None:
        self._style = style
        self._manner = manner
        self._last = ""
        if manner.output is not None:
            _check(manner.output)

    def run(self, test: SmokeTest) -> SmokeReports:
        return test.run_all()

    def round(self, reports: SmokeReports, noted: Round, watch: Watch) -> None:
        shown, manner = self._manner.shown(reports), self._manner
        if self._style == "junit":
            self._last = to_junit(shown, strict=manner.strict, lang=manner.lang)
        else:
            rounds = tuple(watch.rounds) if manner.repeated else ()
            self._last = to_html(shown, lang=manner.lang, masked=manner.mask is not None, rounds=rounds)
        if manner.output is not None:
            with private_text(manner.output) as stream:
                stream.write(self._last)

    def summary(self, watch: Watch) -> None:
        click.echo(watch.summary, err=True)

    def end(self) -> None:
        if self._manner.output is None:
            sys.stdout.write(self._last)


class _NothingYetError(Exception):
    """Leaves a file as it was."""


def _check(path: Path) -> None:
    """Make sure that a file can be written, and leave it as it was."""
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return
    with contextlib.suppress(_NothingYetError), private_text(path):
        raise _NothingYetError


def _rungs(reports: SmokeReports) -> Iterator[tuple[SmokeReport, Check]]:
    yield from ((report, check) for report in reports.reports for check in report.checks)
