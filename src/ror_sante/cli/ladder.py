"""Print a smoke test as a ladder, one rung at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ror_sante.cli.console import speaks_unicode, text
from ror_sante.cli.grid import MARKS, STYLES, print_grid
from ror_sante.diagnosis.causes import UNKNOWN
from ror_sante.diagnosis.machine import NONE
from ror_sante.diagnosis.page.words import word
from ror_sante.diagnosis.report import Check, Outcome, SmokeReport, SmokeReports
from ror_sante.diagnosis.smoke import RUNGS
from ror_sante.diagnosis.telling import has_many, held, troubles, why

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from ror_sante.diagnosis.causes import Lang

# What of this machine may explain a failure.
_TELLING: Final = ("proxy variables", "authority variables", "openssl variables")
_NAME_WIDTH: Final = max(len(name) for name in RUNGS)
_WARNED: Final = "It works in {took}, with {number} warnings: {names}."
_OPEN: Final = (Outcome.FAIL, Outcome.WARN)
_TIME_WIDTH: Final = len("10.0 s")


class Ladder:
    """Prints each rung as it comes; the first line is the trust in force, the last the verdict.

    Args:
        console: where.
        environment: the name of the environment.
        title: how people call the service.
        lang: ``en`` or ``fr``, of the causes and of what stands around the rungs.
    """

    def __init__(self, console: Console, *, environment: str, title: str = "National ROR", lang: Lang = "en") -> None:
        self._console = console
        self._environment = environment
        self._title = title
        self._lang: Lang = lang
        self._stopped: set[str] = set()
        self._unicode = speaks_unicode(console)

    def rung(self, check: Check) -> None:
        """Print one rung; the trust comes first, and is told as the heading."""
        if check.name == RUNGS[0]:
            self._heading(check)
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(width=2 if not self._unicode else 1, no_wrap=True)
        line.add_column(width=_NAME_WIDTH, no_wrap=True)
        line.add_column(ratio=1, overflow="fold")
        line.add_column(width=_TIME_WIDTH, justify="right", no_wrap=True)
        style = STYLES[check.outcome]
        told = self._safe(self._detail(check))
        line.add_row(
            Text(MARKS[self._unicode][check.outcome], style=style),
            Text(check.name, style="" if check.outcome is Outcome.OK else style),
            Text(told.plain, style="dim" if check.outcome is Outcome.SKIPPED else ""),
            Text("" if check.outcome is Outcome.SKIPPED else _took(check.seconds), style="dim"),
        )
        self._console.print(Padding(line, (0, 0, 0, 2)))
        if has_many(check):
            self._troubles(check)
            return
        self._advise(check.hint, why(check, self._lang))

    def verdict(self, report: SmokeReport, *, strict: bool, after: str) -> None:
        """Print the last line: what it comes to, and the next step.

        Args:
            report: all rungs.
            strict: warnings count as a bad verdict.
            after: the command to try next when all is well.
        """
        self._console.print()
        lang, took = self._lang, _took(report.seconds)
        if report.failed:
            first = report.failed[0]
            words = word("Stopped at {rung} in {took} (exit code {code}).", lang)
            words = words.format(rung=first.name, took=took, code=report.exit_code)
            step = self._step(first)
            style = "bold red"
        elif report.warned:
            one, several = "It works in {took}, with 1 warning: {names}.", _WARNED
            words = word(one if len(report.warned) == 1 else several, lang)
            words = words.format(took=took, number=len(report.warned), names=_names(report.warned))
            words += f" {word('By --strict the exit code is 1.', lang)}" if strict else ""
            step, style = report.warned[0].hint or after, "yellow"
        else:
            words = word("All {number} rungs hold, in {took}.", lang).format(number=_holding(report), took=took)
            step, style = after, "bold green"
        self._console.print(self._safe(words, style))
        # A command is one line, so that it can be copied; a sentence wraps between its words.
        self._console.print(Text.assemble(_label("Next", lang), self._safe(step)), soft_wrap=step == after)

    def _step(self, check: Check) -> str:
        """Give what to do about the first failure; hints are in English, the steps of the causes in both languages."""
        if self._lang == "fr" and check.causes and check.causes[0].code != UNKNOWN:
            return check.causes[0].next_step
        return check.hint or word("See the rung above.", self._lang)

    def _heading(self, check: Check) -> None:
        refused = check.outcome is Outcome.FAIL
        trust = self._safe(word("none that can be used", self._lang) if refused else check.detail)
        self._console.print(Text.assemble(_label("Trust in force", self._lang), trust))
        place = f"{self._title}, {word('environment', self._lang)} "
        self._console.print(Text.assemble(place, self._safe(self._environment)))
        self._console.print()

    def _detail(self, check: Check) -> str:
        if check.name == RUNGS[0] and check.outcome is Outcome.OK:
            return word("as told above", self._lang)
        return held(check, self._lang) if has_many(check) and check.outcome in _OPEN else check.detail

    def _troubles(self, check: Check) -> None:
        """Print what is to be mended at which of many endpoints; what stopped one is told once."""
        for trouble in troubles(check, self._stopped):
            for part in trouble.parts:
                told = Text.assemble((part.column, "bold"), ": ", self._safe(part.detail))
                self._console.print(Padding(told, (0, _TIME_WIDTH + 1, 0, self._indent)))
            self._advise(trouble.hint, trouble.why(self._lang))

    def _advise(self, hint: str, causes: Iterable[tuple[str, str]]) -> None:
        """Print what to do, and why it failed: the likeliest cause, and what else it may be."""
        if hint:
            self._hint(hint)
        for label, told in causes:
            line = Text.assemble((f"{label}: ", "bold"), self._safe(told))
            self._console.print(Padding(line, (0, _TIME_WIDTH + 1, 0, self._indent + 2)))

    @property
    def _indent(self) -> int:
        return 2 + (1 if self._unicode else 2) + 1 + _NAME_WIDTH + 1

    def _hint(self, hint: str) -> None:
        arrow = "→ " if self._unicode else "> "
        line = Table.grid(expand=True)
        line.add_column(width=2)
        line.add_column(ratio=1, overflow="fold")
        line.add_row(Text(arrow, style="cyan"), self._safe(hint, "cyan"))
        self._console.print(Padding(line, (0, _TIME_WIDTH + 1, 0, self._indent)))

    def _safe(self, words: str, style: str = "") -> Text:
        return safe(self._console, words, style)


def safe(console: Console, words: str, style: str = "") -> Text:
    """Make words fit what the console can print: its encoding may lack our arrows."""
    shown = text(words, style)
    if speaks_unicode(console):
        return shown
    narrow = shown.plain.replace("←", "<-").encode(console.encoding, "backslashreplace")
    return Text(narrow.decode(console.encoding), style=style)


class Head(Protocol):
    """What a ladder, or its report, is headed with."""

    @property
    def service(self) -> str:
        """Its word."""
        ...

    @property
    def title(self) -> str:
        """How people call it."""
        ...

    @property
    def environment(self) -> str:
        """The name of the environment."""
        ...


class Ladders:
    """Prints several ladders, one below the other, each as it comes.

    Args:
        console: where.
        lang: ``en`` or ``fr``, of the causes and of what stands around the rungs.
    """

    def __init__(self, console: Console, *, lang: Lang = "en") -> None:
        self._console = console
        self._lang: Lang = lang
        self._printed: dict[str, Ladder] = {}

    def rung(self, ladder: Head, check: Check) -> None:
        """Print one rung of one ladder."""
        name = f"{ladder.service} {ladder.environment}"
        if name not in self._printed:
            if self._printed:
                self._console.print()
            self._printed[name] = Ladder(
                self._console, environment=ladder.environment, title=ladder.title, lang=self._lang
            )
        self._printed[name].rung(check)

    def receipts(self, reports: SmokeReports) -> None:
        """Print what each connection showed."""
        for route in (route for report in reports.reports for route in report.routes):
            self._console.print()
            heading = Text.assemble(_label("Receipt", self._lang), safe(self._console, route.label))
            self._console.print(heading)
            lines = Table.grid(padding=(0, 2))
            lines.add_column(no_wrap=True)
            lines.add_column(overflow="fold")
            for name, value in route.receipt():
                lines.add_row(safe(self._console, word(name, self._lang), "dim"), safe(self._console, value))
            self._console.print(Padding(lines, (0, 0, 0, 2)))

    def machine(self, reports: SmokeReports, *, whole: bool) -> None:
        """Print what was seen of this machine: all, or, after a failure, what stands out.

        Args:
            reports: with the machine.
            whole: tell everything.
        """
        seen = reports.machine
        if seen is None or not (whole or reports.failed):
            return
        facts = [" ".join(pair) for pair in seen.facts] if whole else []
        checks = [check for check in seen.checks if whole or check.name in _TELLING or check.outcome is not Outcome.OK]
        checks = [check for check in checks if whole or check.detail != NONE]
        if not facts and not checks:
            return
        self._console.print()
        self._console.print(Text(word("This machine", self._lang), style="bold"))
        if facts:
            self._console.print(Padding(text(", ".join(facts)), (0, 0, 0, 2)))
        for check in checks:
            style = STYLES[check.outcome]
            self._console.print(Padding(Text.assemble((check.name, style), ": ", text(check.detail)), (0, 0, 0, 2)))
            if check.hint:
                self._console.print(Padding(text(check.hint, "cyan"), (0, 0, 0, 4)))

    def verdict(self, reports: SmokeReports, *, strict: bool, after: str) -> None:
        """Print what it comes to: one sentence for one ladder, a line for each of several and one for all.

        Args:
            reports: of all ladders.
            strict: warnings count as a bad verdict.
            after: the command to try next when all is well.
        """
        for report in reports.reports:
            print_grid(report, self._console)
        if len(reports.reports) == 1:
            (only,) = self._printed.values()
            only.verdict(reports.reports[0], strict=strict, after=after)
        else:
            self._together(reports, strict=strict, after=after)
        for service, reason in reports.absent:
            untried = safe(self._console, f"{word('not tried', self._lang)}, {reason}")
            self._console.print(Text.assemble((f"{service}: ", "bold"), untried))

    def _together(self, reports: SmokeReports, *, strict: bool, after: str) -> None:
        self._console.print()
        for report in reports.reports:
            self._console.print(
                Text.assemble((f"{report.title}: ", "bold"), safe(self._console, _verdict_of(report, self._lang)))
            )
        worst = next((check for check in (*reports.failed, *reports.warned)), None)
        code = reports.exit_code or int(strict and bool(reports.warned))
        words = word("{number} ladders, in {took} (exit code {code}).", self._lang)
        words = words.format(number=len(reports.reports), took=_took(reports.seconds), code=code)
        self._console.print(safe(self._console, words))
        step = after if worst is None else worst.hint or after
        self._console.print(Text.assemble(_label("Next", self._lang), text(step)), soft_wrap=step == after)


def _verdict_of(report: SmokeReport, lang: Lang) -> str:
    if report.failed:
        return word("stopped at {names}", lang).format(names=report.failed[0].name)
    if report.warned:
        number = len(report.warned)
        words = "works, with 1 warning: {names}" if number == 1 else "works, with {number} warnings: {names}"
        return word(words, lang).format(number=number, names=_names(report.warned))
    return word("all {number} rungs hold", lang).format(number=_holding(report))


def _holding(report: SmokeReport) -> int:
    return sum(check.outcome is Outcome.OK for check in report.checks)


def _names(checks: Iterable[Check]) -> str:
    return ", ".join(check.name for check in checks)


def _label(text: str, lang: Lang) -> tuple[str, str]:
    """Give a bold label with its colon, which stands after a blank in French."""
    return f"{word(text, lang)}{' ' if lang == 'fr' else ''}: ", "bold"


def _took(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
