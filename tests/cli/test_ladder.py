"""The ladder as people see it: aligned, coloured where a terminal is, narrow and wide."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest

from ror_sante.cli.console import console, speaks_unicode
from ror_sante.cli.ladder import Ladder
from ror_sante.diagnosis.causes import Cause, Lang
from ror_sante.diagnosis.report import Check, Outcome, Part, SmokeReport
from ror_sante.diagnosis.smoke import RUNGS


def rung(name: str, outcome: Outcome = Outcome.OK, detail: str = "fine", hint: str = "") -> Check:
    family = 4 if outcome is Outcome.FAIL else 0
    return Check(name=name, outcome=outcome, detail=detail, hint=hint, seconds=0.5, family=family)


def printed(
    checks: list[Check], *, width: int = 80, strict: bool = False, encoding: str = "utf-8", lang: Lang = "en"
) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    made = console(stream)
    made.width = width
    ladder = Ladder(made, environment="bench", lang=lang)
    for check in checks:
        ladder.rung(check)
    report = SmokeReport(service="rorn", environment="bench", checks=tuple(checks))
    ladder.verdict(report, strict=strict, after="ror-sante rorn search HealthcareService")
    return raw.getvalue().decode(encoding)


def test_of_many_endpoints_each_trouble_stands_for_itself() -> None:
    """Its endpoints, what was seen there, what to do and why; what stopped one is told once, and French is French."""
    cause = Cause(code="dns", confidence="high", evidence="SERVFAIL", title="titre", next_step="étape")
    parts = tuple(Part(column=f"region {number}", outcome=Outcome.OK, detail="fine") for number in range(5))
    stopped = Part(column="Corse", outcome=Outcome.FAIL, detail="no name", hint="Spell it.", causes=(cause,))
    bad = Check(name="dns", outcome=Outcome.FAIL, detail="joined", parts=(*parts, stopped), causes=(cause,), family=4)
    out = printed([rung("trust"), bad, dataclasses.replace(bad, name="search")], lang="fr")
    assert "  ✘ dns          5 sur 6 tiennent " in out
    assert " ".join(out.split()).count("Corse: no name → Spell it. cause (très probable): titre constat: SERVFAIL") == 1
    assert out.splitlines()[-1] == "Suite : étape"


GOOD = [rung("trust", detail="ACR-EL (igc-sante, sha256 12ab), and nothing else"), *map(rung, RUNGS[1:])]


def test_the_first_line_is_the_trust_and_the_last_the_next_step() -> None:
    """Who reads two lines knows whom we trust and what to do."""
    lines = printed(GOOD).splitlines()
    assert lines[0] == "Trust in force: ACR-EL (igc-sante, sha256 12ab), and nothing else"
    assert lines[1] == "National ROR, environment bench"
    assert lines[-2:] == ["All 16 rungs hold, in 8.0 s.", "Next: ror-sante rorn search HealthcareService"]


def test_what_stands_around_the_rungs_is_french_where_that_is_wanted() -> None:
    """Heading, verdict and next step; the names of rungs are words for programs, and stay."""
    lines = printed(GOOD, lang="fr").splitlines()
    assert lines[0] == "Confiance en vigueur : ACR-EL (igc-sante, sha256 12ab), and nothing else"
    assert lines[1] == "National ROR, environnement bench"
    assert re.match(r"  ✔ trust +dite ci-dessus ", lines[3])
    assert lines[-2:] == ["Les 16 échelons tiennent, en 8.0 s.", "Suite : ror-sante rorn search HealthcareService"]
    one, two = [rung("trust"), rung("dates", Outcome.WARN)], [rung("trust"), *(rung("dates", Outcome.WARN),) * 2]
    assert "Cela fonctionne en 1.0 s, avec 1 avertissement : dates." in printed(one, lang="fr")
    told = " ".join(printed(two, lang="fr", strict=True).split())
    assert "avec 2 avertissements : dates, dates. Avec --strict, le code de sortie est 1." in told
    broken = printed([rung("trust", Outcome.FAIL)], lang="fr")
    assert broken.startswith("Confiance en vigueur : aucune qui soit utilisable\n")
    assert "Arrêté à trust en 500 ms (code de sortie 4).\nSuite : Voyez l'échelon ci-dessus.\n" in broken
    assert "Arr\\xeat\\xe9" in printed([rung("trust", Outcome.FAIL)], lang="fr", encoding="ascii")


def test_names_details_and_times_stand_in_columns() -> None:
    """Each rung is one line; what belongs together is aligned."""
    lines = [line for line in printed(GOOD).splitlines() if line.startswith("  ✔")]
    assert len(lines) == len(RUNGS)
    assert len({line.index("fine") for line in lines[1:]}) == 1
    assert {len(line) for line in lines} == {80}
    assert all(line.endswith("500 ms") for line in lines)


@pytest.mark.parametrize("width", [50, 80, 110])
def test_long_details_wrap_in_their_column(width: int) -> None:
    """Nothing is wider than the terminal, and nothing is cut."""
    words = " ".join(f"word{number}" for number in range(60))
    out = printed([rung("trust"), rung("tls", Outcome.FAIL, words, words)], width=width)
    assert max(len(line) for line in out.splitlines()) <= width
    assert out.count("word59") == 3  # detail, hint, and the next step below


def test_a_long_path_folds_and_is_not_cut() -> None:
    """A word wider than its column goes on in the next line, whole."""
    out = printed([rung("trust"), rung("p12", detail="/a" * 60)])
    assert re.sub(r"[^/a]", "", out.partition("p12")[2]).startswith("/a" * 60)


def test_a_failed_rung_has_its_hint_below_and_ends_the_ladder() -> None:
    """The hint is indented under the rung; the verdict names rung and exit code, the next step is the hint."""
    out = printed(
        [rung("trust"), rung("tls", Outcome.FAIL, "no TLS", "Check the port."), rung("token", Outcome.SKIPPED)]
    )
    lines = out.splitlines()
    at = next(index for index, line in enumerate(lines) if "no TLS" in line)
    assert lines[at].startswith("  ✘ tls")
    assert lines[at + 1].lstrip() == "→ Check the port." + " " * (len(lines[at + 1]) - len(lines[at + 1].rstrip()))
    assert lines[at + 1].index("→") == lines[at].index("no TLS")
    assert lines[at + 2].startswith("  · token")
    assert "Stopped at tls in 1.5 s (exit code 4)." in lines
    assert lines[-1] == "Next: Check the port."


def test_a_failure_without_a_hint_points_at_the_rung() -> None:
    """There is always a next step."""
    assert printed([rung("trust"), rung("tls", Outcome.FAIL)]).splitlines()[-1] == "Next: See the rung above."


def test_warnings_are_counted_and_named() -> None:
    """It works, with warnings; --strict says what becomes of that."""
    checks = [rung("trust"), rung("dates", Outcome.WARN, "soon", "Renew."), rung("name", Outcome.WARN)]
    assert "It works in 1.5 s, with 2 warnings: dates, name." in printed(checks)
    assert "with 1 warning: dates. By --strict the exit code is 1." in printed(checks[:2], strict=True)
    assert printed(checks).splitlines()[-1] == "Next: Renew."
    assert printed([checks[0], checks[2]]).splitlines()[-1] == "Next: ror-sante rorn search HealthcareService"


def test_trust_that_cannot_be_used_is_told_as_none() -> None:
    """The first line never claims a trust that is not in force."""
    out = printed([rung("trust", Outcome.FAIL, "root.pem is missing", "Check the path.")])
    assert out.splitlines()[0] == "Trust in force: none that can be used"
    assert "root.pem is missing" in out


def test_markup_and_escapes_of_a_server_are_text() -> None:
    """A CN may hold anything."""
    out = printed([rung("trust"), rung("server chain", detail="[red]x[/red] [link=http://evil]ACR-EL[/link] \x1b[31m")])
    assert "[red]x[/red] [link=http://evil]ACR-EL[/link] \\x1b[31m" in re.sub(r"\s+", " ", out)
    assert "\x1b" not in out


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    """latin-1 has no check mark: words of two letters stand in, and nothing fails."""
    checks = [rung("trust"), rung("chain", detail="leaf ← ACI…"), rung("tls", Outcome.FAIL, "Échec", "Renew.")]
    out = printed(checks, encoding="latin-1")
    assert "  ok chain        leaf <- ACI\\u2026" in out
    assert "  XX tls          Échec" in out
    assert "> Renew." in out


def test_an_unknown_encoding_is_no_unicode() -> None:
    """The question is asked of the stream; a name that Python does not know is a no."""

    class Odd:
        encoding = "klingon"

    assert not speaks_unicode(Odd())  # type: ignore[arg-type]  # its encoding is all that counts


def test_a_very_wide_terminal_is_not_filled() -> None:
    """Lines stay readable."""
    assert console(io.StringIO()).width <= 120
