"""The HTML report: one file, nothing fetched, nothing run, foreign text never markup."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from ror_sante.diagnosis.causes import Cause
from ror_sante.diagnosis.machine import Machine
from ror_sante.diagnosis.page.report import to_html
from ror_sante.diagnosis.page.words import FRENCH, spoken
from ror_sante.diagnosis.report import Check, Outcome, Part, SmokeReport, SmokeReports
from ror_sante.diagnosis.route import Route
from ror_sante.diagnosis.watch import Watch

AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
EVIL = '</text></svg><script>alert(1)</script><img src="http://evil/x" onerror="alert(1)">\x1b[31m'
ROUTE = Route(
    label="ror.example",
    origin="https://ror.example",
    peer="192.0.2.1",
    version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    ours=("CLIENT_WS_RORN", "AC IGC-SANTE ELEMENTAIRE ORGANISATIONS"),
    our_root="AC RACINE IGC-SANTE ELEMENTAIRE",
    theirs=("ror.example", "AC IGC-SANTE ELEMENTAIRE ORGANISATIONS"),
    their_root="AC RACINE IGC-SANTE ELEMENTAIRE",
    steps=(("DNS", 0.01), ("TCP", 0.02), ("TLS", 0.03)),
)


class Page(HTMLParser):
    """What a browser would see: the elements with their attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def check(name: str, outcome: Outcome = Outcome.OK, detail: str = "fine", **about: object) -> Check:
    family = 4 if outcome is Outcome.FAIL else 0
    return Check(name=name, outcome=outcome, detail=detail, seconds=0.2, family=family, **about)  # type: ignore[arg-type]  # hint and parts


def page(*checks: Check, routes: tuple[Route, ...] = (), lang: str = "en", **about: object) -> Page:
    report = SmokeReport(
        service="rorn", title="National ROR", environment="bench", checks=checks, took=1.0, routes=routes
    )
    reports = SmokeReports(reports=(report,), machine=Machine.examine(environ={}), at=AT)
    return Page(to_html(reports, lang=lang, **about))  # type: ignore[arg-type]  # a word, and the rest of its keywords


def test_the_page_is_whole_and_says_what_it_comes_to() -> None:
    """The verdict, the rungs, the machine; every element is closed."""
    seen = page(check("trust"), check("dates", Outcome.WARN, "20 days left", hint="Renew."), routes=(ROUTE,))
    assert seen.open == []
    assert seen.named("html") == [{"lang": "en"}]
    for words in ("It works, with warnings", "National ROR, environment bench", "2026-05-01 04:00:00 UTC", "Renew."):
        assert words in seen.text
    assert "OpenSSL" in seen.text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    """No script, no link, no image, no inline handler or style; the policy lets in the one style sheet alone."""
    source = to_html(SmokeReports(reports=(SmokeReport(service="rorn", environment="b", checks=(check("a"),)),)))
    seen = Page(source)
    tags = {tag for tag, _ in seen.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "form", "a", "image", "use"}
    names = {name for _, attributes in seen.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"style", "href", "src", "xlink:href"}
    policy = next(meta["content"] for meta in seen.named("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_foreign_text_is_text_wherever_it_stands() -> None:
    """Names of certificates, details, hints, columns, environments: escaped, control characters shown."""
    route = Route(label=EVIL, origin=EVIL, ours=(EVIL, EVIL), theirs=(EVIL,), our_root=EVIL, refused="theirs")
    part = Part(column=EVIL, outcome=Outcome.FAIL, detail=EVIL, hint=EVIL)
    bad = check(EVIL, Outcome.FAIL, EVIL, hint=EVIL, parts=(part, part))
    report = SmokeReport(service=EVIL, title=EVIL, environment=EVIL, checks=(bad,), routes=(route,))
    source = to_html(SmokeReports(reports=(report, report), absent=((EVIL, EVIL),), at=AT))
    seen = Page(source)
    assert seen.open == []
    assert "script" not in {tag for tag, _ in seen.elements}
    assert "\x1b" not in source
    assert "<script>alert(1)</script>" in seen.text  # as text


def test_the_page_says_why_and_what_to_do_about_it() -> None:
    """Under what to do: the likeliest cause with its ground and next step, the others by name; markup stays text."""
    causes = (
        Cause(code="dropped", confidence="medium", evidence=EVIL, title="A firewall drops it", next_step="Open it."),
        Cause(code="unknown", confidence="low", evidence="e", title="Not known", next_step="Send it."),
    )
    seen = page(check("tcp", Outcome.FAIL, hint="h", causes=causes))
    assert "cause (medium)A firewall drops itseen</text></svg>" in seen.text
    assert "nextOpen it.or (low)Not known" in seen.text
    assert "script" not in {tag for tag, _ in seen.elements}


@pytest.mark.parametrize(
    ("outcome", "words", "kind"),
    [
        (Outcome.OK, "It works", "card verdict ok"),
        (Outcome.WARN, "It works, with warnings", "card verdict warn"),
        (Outcome.FAIL, "Stopped at token", "card verdict fail"),
    ],
)
def test_the_verdict_comes_first(outcome: Outcome, words: str, kind: str) -> None:
    """In words, in colour, and in the title."""
    seen = page(check("token", outcome, "d", hint="" if outcome is Outcome.OK else "Do this."))
    assert seen.named("header") == [{"class": kind}]
    assert seen.text.startswith(f"{words} – ror-sante{words}")
    assert ("Nothing needs doing." in seen.text) is (outcome is Outcome.OK)


def test_both_chains_are_drawn_from_leaf_to_root() -> None:
    """Three boxes a side, the roots dashed; the leaves are joined by the protocol."""
    seen = page(check("tls"), routes=(ROUTE,))
    boxes = [about["class"] for about in seen.named("rect") if str(about.get("class")).startswith("box")]
    assert boxes == ["box sent", "box sent", "box root"] * 2
    assert seen.text.count("AC RACINE IGC-SANTE") >= 2
    assert "TLSv1.3" in seen.text
    assert not [about for about in seen.named("path") if about.get("class") == "cross"]


@pytest.mark.parametrize(
    ("refused", "boxes", "words"),
    [
        ("ours", ["box bad", "box sent", "box root", "box sent", "box sent", "box root"], "refused"),
        ("theirs", ["box sent", "box sent", "box root", "box bad", "box bad", "box bad root"], "not trusted"),
    ],
)
def test_the_side_that_was_refused_is_marked(refused: str, boxes: list[str], words: str) -> None:
    """A cross between the leaves, and the certificates at fault in red."""
    theirs = "" if refused == "theirs" else ROUTE.their_root
    route = Route(
        label="h",
        origin="o",
        ours=ROUTE.ours,
        our_root=ROUTE.our_root,
        theirs=ROUTE.theirs,
        their_root=theirs,
        refused=refused,
    )
    seen = page(check("tls", Outcome.FAIL), routes=(route,))
    assert [about["class"] for about in seen.named("rect") if str(about.get("class")).startswith("box")] == boxes
    assert len([about for about in seen.named("path") if about.get("class") == "cross"]) == 1
    assert words in seen.text


def test_a_side_that_showed_nothing_says_so() -> None:
    """Behind a closed port, or with a server that asks for no certificate."""
    seen = page(check("tls", Outcome.FAIL), routes=(Route(label="h", origin="o", peer="192.0.2.1"),))
    assert "no certificate" in seen.text
    assert "nothing was seen" in seen.text
    assert "no handshake" in seen.text
    untrusted = page(check("tls", Outcome.FAIL), routes=(Route(label="h", origin="o", peer="p", refused="theirs"),))
    assert "nothing was sent" in untrusted.text
    nowhere = page(check("dns", Outcome.FAIL), routes=(Route(label="h", origin="o"),))
    assert "Who showed what" not in nowhere.text


def test_a_long_name_takes_two_lines_and_is_whole_when_pointed_at() -> None:
    """Nothing runs over the edge of its box."""
    name = "AC " + "X" * 30 + " " + "Y" * 60
    seen = page(check("tls"), routes=(Route(label="h", origin="o", theirs=(name,), peer="p"),))
    lines = [about for about in seen.named("text") if about.get("class") == "name"]
    assert len(lines) >= 3
    assert name in seen.text


def test_regions_stand_side_by_side() -> None:
    """A row an endpoint, a column a rung; what was not tried there is empty."""
    parts = tuple(Part(column=f"region {n}", outcome=Outcome.OK, detail="fine") for n in range(18))
    late = (*parts[:-1], Part(column="region 17", outcome=Outcome.FAIL, detail="late", hint="Wait."))
    seen = page(check("dns", parts=parts[:-1]), check("search", Outcome.FAIL, parts=late))
    cells = seen.named("td")
    grid = [about for about in cells if about.get("class") in ("ok", "fail") or not about]
    assert len(seen.named("table")) == 2
    assert [about.get("title") for about in grid if about.get("class") == "fail"] == ["fail: late Wait."]
    assert "region 0" in seen.text


def test_many_endpoints_are_a_grid_of_tiles() -> None:
    """Each says what stopped it, or what its last rung saw; the table has only the rungs that fail somewhere."""
    cause = Cause(code="dropped", confidence="medium", evidence="e", title="A firewall drops it", next_step="n")
    cut = Part(column="Corse", outcome=Outcome.FAIL, detail="[request 1] silent", causes=(cause,))
    names = ("Bretagne", "Mayotte", "Guyane", "Normandie")
    good = tuple(Part(column=name, outcome=Outcome.OK, detail=f"{name} is fine") for name in names)
    late = Part(column="Corse", outcome=Outcome.SKIPPED, detail="needs tcp, which failed")
    seen = page(
        check("dns", parts=(*good, Part(column="Corse", outcome=Outcome.OK, detail="resolved"))),
        check("tcp", Outcome.FAIL, "joined", parts=(*good, cut), causes=(cause,)),
        check("search", parts=(*good, late)),
    )
    tiles = [about for about in seen.named("li") if str(about.get("class")).startswith("tile")]
    assert [str(about["class"]) for about in tiles] == ["tile ok"] * 4 + ["tile fail"]
    assert tiles[-1]["aria-label"] == "Corse: fail"
    assert "✘CorseA firewall drops ittcp" in seen.text
    assert "✔BretagneBretagne is finesearch" in seen.text
    assert "tcpsearch" in seen.text.partition("Rung by rung")[2]
    assert "dns" not in seen.text.partition("Rung by rung")[2].partition("Where the time went")[0]
    assert "4 of 5 hold; Corse" in seen.text
    assert "tcp: Corse" in seen.text
    assert page(check("dns", parts=good)).text.count("Endpoints side by side") == 1  # four are told by the ladder
    assert not [about for about in page(check("dns", parts=good)).named("li") if "tile" in str(about.get("class"))]


def test_the_rungs_that_took_time_have_a_bar() -> None:
    """What was skipped, or took less than a millisecond, has none."""
    quick = Check(name="chain", outcome=Outcome.OK, detail="d", seconds=0.0001)
    seen = page(check("tls"), quick, check("search", Outcome.SKIPPED))
    assert [about["class"] for about in seen.named("rect")] == ["bar ok"]
    assert "Where the time went" not in page(quick).text


def test_the_rounds_of_a_watch_are_a_strip() -> None:
    """One box a round, with what it says."""
    watch = Watch()
    for outcome in (Outcome.OK, Outcome.WARN, Outcome.FAIL):
        report = SmokeReport(service="rorn", environment="b", checks=(check("token", outcome),), took=1.0)
        watch.note(SmokeReports(reports=(report,), at=AT))
    seen = page(check("token", Outcome.SKIPPED), rounds=tuple(watch.rounds))
    assert [about["class"] for about in seen.named("rect")] == ["bar ok", "bar warn", "bar fail"]
    assert "2026-05-01 04:00:00 1.0 s rorn token" in seen.text


def test_the_fixed_words_are_french_where_that_is_wanted() -> None:
    """Every heading has its French; the page says its language."""
    seen = page(check("token", Outcome.FAIL, hint="h"), routes=(ROUTE,), lang="fr")
    assert seen.named("html") == [{"lang": "fr"}]
    for words in ("Arrêté à token", "Que faire", "L'échelle", "Qui a montré quoi", "Cette machine", "environnement"):
        assert words in seen.text
    for english in ("What to do", "The ladder", "Stopped at"):
        assert english not in seen.text
    assert all(french and french != english for english, french in FRENCH.items())


@pytest.mark.parametrize(("masked", "words"), [(True, "are masked"), (False, "--share masks them")])
def test_the_page_says_whether_it_is_masked(masked: bool, words: str) -> None:
    """Who mails it must know."""
    assert words in page(check("a"), masked=masked).text


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_MESSAGES": "fr_CA", "LANG": "en_GB"}, "fr"),
        ({"LC_ALL": "", "LANG": "de_DE"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale(environ: dict[str, str], lang: str) -> None:
    """The person who is paged at night reads French; the first variable that is set counts."""
    assert spoken(environ) == lang


def test_the_process_has_a_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without variables given, those of the process count."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert spoken() == "fr"


def test_of_many_ways_those_that_broke_are_drawn_and_one_that_is_good() -> None:
    """Eighteen regions make no eighteen pictures."""
    good = [Route(label=f"region {n}", origin="o", version="TLSv1.3", theirs=("h",), peer="p") for n in range(16)]
    broken = [Route(label=f"broken {n}", origin="o", theirs=("h",), refused="theirs") for n in range(2)]
    seen = page(check("tls", Outcome.FAIL), routes=(*good[:9], *broken, *good[9:]))
    assert [about for about in seen.named("svg") if about.get("class") == "chains"] == [
        {"viewbox": about["viewbox"], "role": "img", "class": "chains"} for about in seen.named("svg")[:3]
    ]
    assert "broken 0" in seen.text
    assert "broken 1" in seen.text
    assert "region 0" in seen.text
    assert "region 1" not in seen.text.replace("region 1 ", "")


def test_every_failure_says_what_to_do() -> None:
    """Rungs stand on their own: an expired certificate and a server of another root are two things to mend."""
    expired = check("dates", Outcome.FAIL, "expired", hint="Renew it.")
    seen = page(expired, check("server chain", Outcome.FAIL, "another root", hint="Ask them."))
    assert len([about for about in seen.named("li") if about.get("class") == "card do"]) == 2
