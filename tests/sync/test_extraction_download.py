"""Downloads of extractions against the simulator: once, resumed, checked whole, and the last good one stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from requests.structures import CaseInsensitiveDict

from ror_sante.api.annuaire.columns import BrokenExtractionError
from ror_sante.api.annuaire.extractions import ExtractionClient, Offer, configured_identity
from ror_sante.api.annuaire.naming import Names, version_of
from ror_sante.environments import Environment
from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    ServerFaultError,
    SyncError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.http.answer import Answer
from ror_sante.http.retry import RetryPolicy
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import load_settings
from ror_sante.simulator.extraction import EXTRACTION_PATH
from ror_sante.simulator.server import Simulator, Variants
from ror_sante.sync.annuaire.archive import check
from ror_sante.sync.annuaire.download import Downloaded, download, versions
from ror_sante.sync.annuaire.partial import NewerError, Partial
from ror_sante.sync.lock import LockedError, locked

OPEN = "Porteurs_CPS_CPF"
RESTRICTED = "Extraction_ProSanteConnect"
POLICY = RetryPolicy(attempts=5, first_wait=0.01, max_wait=0.02, deadline=3600.0, max_retry_after=900.0)
DAY = 24 * 3600.0


class Clock:
    """A clock whose sleep takes no time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def now(self) -> Any:
        return datetime.now(UTC)

    def random(self) -> float:
        return 0.5


@dataclass
class Bench:
    """A simulator, a client of it, and a folder."""

    simulator: Simulator
    client: ExtractionClient
    folder: Path
    clock: Clock
    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bytes: int = 0

    def step(self, name: str, /, **about: Any) -> None:
        self.steps.append((name, about))

    def received(self, size: int, /) -> None:
        self.bytes += size

    def __call__(self, name: str = OPEN, **how: Any) -> Downloaded:
        return download(self.client, name, self.folder, watcher=self, clock=self.clock, **how)

    @property
    def asked(self) -> list[tuple[str, int, str]]:
        """Method, status and range of each request, in order."""
        return [(seen.method, seen.status, seen.headers.get("range", "")) for seen in self.simulator.requests]

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "lock")

    def tomorrow(self) -> None:
        self.simulator.clock.advance(DAY)


@pytest.fixture
def bench(sync_pki: Any, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Start a simulator; arguments are those of `Variants` but for `identity` and `names`."""
    started: list[Any] = []

    def start(*, identity: Any = True, names: Names | None = None, **switches: Any) -> Bench:
        variants = Variants(**{"extraction_rows": 300, **switches})
        simulator = Simulator(sync_pki, size=1, variants=variants).start()
        clock = Clock()
        client = ExtractionClient(
            simulator.environment,
            simulator.identity if identity is True else identity,
            names=names,
            retry=POLICY,
            clock=clock,
        )
        started.extend((client.close, simulator.stop))
        return Bench(simulator, client, tmp_path / "out", clock)

    yield start
    for end in started:
        end()


# ------------------------------------------------------------------ what is fetched


@pytest.mark.parametrize("name", ["PS_LibreAcces", "Extraction_Correspondance_MSSante", OPEN, RESTRICTED])
def test_an_extraction_is_fetched_once(bench: Callable[..., Bench], name: str) -> None:
    """HEAD, then GET; the second run asks and fetches nothing. The file is ours alone, the bytes are the server's."""
    run = bench()
    version, data = run.simulator._extraction.file(name)
    first, second = run(name), run(name)
    assert (first.outcome, second.outcome) == ("fetched", "unchanged")
    assert first.path == second.path == run.folder / f"{name}_{version}.zip"
    assert first.path is not None
    assert first.path.read_bytes() == data
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert run.folder.stat().st_mode & 0o777 == 0o700
    assert [method for method, _, _ in run.asked] == ["HEAD", "GET", "HEAD"]
    assert run.bytes == len(data)
    assert [step for step, _ in run.steps] == ["fetching", "checking", "published"]


def test_our_certificate_is_shown_for_restricted_names_alone(bench: Callable[..., Bench]) -> None:
    """The open name is fetched by nobody in particular, the restricted one by the holder of the certificate."""
    run = bench()
    run(OPEN)
    run(RESTRICTED)
    known = [bool(seen.subject_dn) for seen in run.simulator.requests]
    assert known == [False, False, True, True]


def test_a_new_version_takes_the_place_of_the_old_one(bench: Callable[..., Bench]) -> None:
    """Older versions go, but for as many as are kept."""
    run = bench()
    kept = []
    for number in range(4):
        kept.append(run(keep=1 if number == 2 else 0 if number < 2 else 2).version)
        run.tomorrow()
    assert list(versions(run.folder, OPEN)) == kept[:0:-1]


def test_no_new_file_is_a_result_and_no_error(bench: Callable[..., Bench]) -> None:
    """503 at HEAD: nothing is asked again, and the last good file is given; likewise when it comes at GET."""
    run = bench()
    run.simulator.fault("extraction-none")
    assert run() == Downloaded("none", None, "")
    assert run.asked == [("HEAD", 503, "")]
    good = run()
    run.tomorrow()
    run.simulator.fault("extraction-none")
    assert run() == Downloaded("none", good.path, good.version)


def test_no_new_file_may_also_be_said_at_get(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between HEAD and GET the file can go: nothing is left of the attempt."""
    run = bench()
    offer = run.client.offer(OPEN)
    monkeypatch.setattr(run.client, "offer", lambda _name: offer)
    run.simulator.fault("extraction-none")
    assert run() == Downloaded("none", None, "")
    assert run.names == []


# ------------------------------------------------------------------ waiting and breaking off


def test_too_soon_waits_longer_each_time(bench: Callable[..., Bench]) -> None:
    """429 without a word: one, two, four minutes, told before each wait; a Retry-After is obeyed."""
    run = bench()
    told: list[tuple[float, str]] = []
    run.client.waiting = lambda seconds, why: told.append((seconds, why))
    run.simulator.fault("extraction-too-soon", 3)
    assert run().outcome == "fetched"
    assert [seconds for seconds, _ in told] == [60, 120, 240]
    assert sum(run.clock.slept) >= 420
    run.tomorrow()
    told.clear()
    run.simulator.fault("http-429", at="extraction")
    assert run().outcome == "fetched"
    assert [seconds for seconds, _ in told] == [1]
    run.tomorrow()
    run.simulator.fault("extraction-too-soon", None)
    with pytest.raises(RateLimitedError):
        run()


def test_gateways_that_fail_are_asked_again(bench: Callable[..., Bench]) -> None:
    """502 a few times is overcome, at HEAD and at GET; for ever it is told."""
    run = bench()
    run.simulator.fault("extraction-502", 3)
    assert run().outcome == "fetched"
    assert [status for _, status, _ in run.asked] == [502, 502, 502, 200, 200]
    run.tomorrow()
    run.simulator.fault("extraction-502", None)
    with pytest.raises(ServerFaultError):
        run()
    assert len(run.names) == 1


@pytest.mark.parametrize("validator", ["etag", "date"])
def test_what_broke_off_goes_on(bench: Callable[..., Bench], validator: str) -> None:
    """Each attempt asks for the rest alone; as long as some of it comes, ten breaks are no reason to stop."""
    run = bench(extraction_validator=validator)
    run.simulator.fault("cut-body", 10, at="extraction")
    found = run()
    assert found.path is not None
    assert found.path.read_bytes() == run.simulator._extraction.file(OPEN)[1]
    ranges = [rest for method, _, rest in run.asked if method == "GET"]
    starts = [int(rest.removeprefix("bytes=").removesuffix("-")) for rest in ranges[1:]]
    assert len(ranges) == 10  # the first break struck HEAD
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert run.bytes == found.path.stat().st_size


@pytest.mark.parametrize(
    "switches",
    [{"extraction_validator": "none"}, {"extraction_ranges": False}],
    ids=["no-validator", "no-ranges"],
)
def test_without_ranges_or_validator_it_starts_again(bench: Callable[..., Bench], switches: dict[str, Any]) -> None:
    """Bytes of another file could be mixed in: the whole is fetched again."""
    run = bench(**switches)
    run.simulator.fault("cut-body", 2, at="extraction")
    found = run()
    assert found.path is not None
    assert found.path.read_bytes() == run.simulator._extraction.file(OPEN)[1]
    assert {rest for _, _, rest in run.asked} == {""}
    assert run.bytes == found.path.stat().st_size


def test_nothing_that_comes_ends_the_run_and_the_next_goes_on(bench: Callable[..., Bench]) -> None:
    """A server that gives no byte more is told; what had come is there for the next run, of whatever process."""
    run = bench()
    run.simulator.fault("cut-body", 1, at="extraction")
    run.simulator.fault("close-before-answer", None, at="extraction")
    offer = run.client.offer
    run.client.offer = lambda name: _after(offer, run, name)  # type: ignore[method-assign]  # HEAD is answered
    with pytest.raises(UnreachableError):
        run()
    assert run.names == [f".{OPEN}.coming", f".{OPEN}.coming.json"]
    run.simulator._faults.clear()
    run.client.offer = offer  # type: ignore[method-assign]  # as it was
    run.simulator._requests.clear()
    assert run().outcome == "fetched"
    assert [status for _, status, _ in run.asked] == [200, 206]
    assert run.names == [f"{OPEN}_{run().version}.zip"]


def _after(offer: Callable[[str], Offer], run: Bench, name: str) -> Offer:
    orders, run.simulator._faults._orders = run.simulator._faults._orders, []
    try:
        return offer(name)
    finally:
        run.simulator._faults._orders = orders


def test_a_file_that_had_come_whole_is_only_checked(bench: Callable[..., Bench]) -> None:
    """Killed between the last byte and the check: nothing is fetched again."""
    run = bench()
    offer = run.client.offer(OPEN)
    run.folder.mkdir()
    partial = Partial(run.folder, offer)
    run.client.pour(offer, partial)
    partial.keep()
    run.simulator._requests.clear()
    assert run().outcome == "fetched"
    assert [method for method, _, _ in run.asked] == ["HEAD"]


# ------------------------------------------------------------------ what is left of an earlier run


@pytest.fixture
def offered() -> Offer:
    return Offer(OPEN, "202611250310", size=100, validator='"a"', ranges=True)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "202611260310"},
        {"validator": '"b"'},
        {"size": 99},
        {"size": 3},
        {"ranges": False},
    ],
)
def test_bytes_of_another_file_are_not_taken_up(tmp_path: Path, offered: Offer, change: dict[str, Any]) -> None:
    """Another version, another validator, another size, no ranges: it starts from the first byte."""
    first = Partial(tmp_path, offered)
    first.write(b"12345")
    first.keep()
    same = Partial(tmp_path, offered)
    assert (same.size, same.rest()) == (5, {"Range": "bytes=5-", "If-Range": '"a"'})
    same.keep()
    other = Partial(tmp_path, replace(offered, **change))
    assert (other.size, other.rest()) == (0, {})
    other.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"name": "x"}', b"\xff"])
def test_a_damaged_note_is_no_note(tmp_path: Path, offered: Offer, note: bytes) -> None:
    """Whatever stands in it, the run begins anew."""
    first = Partial(tmp_path, offered)
    first.write(b"12345")
    first.keep()
    (tmp_path / f".{OPEN}.coming.json").write_bytes(note)
    again = Partial(tmp_path, offered)
    assert again.size == 0
    again.keep()


def test_another_size_than_announced_is_not_whole(tmp_path: Path, offered: Offer) -> None:
    """Bytes that are missing at a good end of the answer are noticed."""
    partial = Partial(tmp_path, offered)
    partial.write(b"1" * 99)
    with pytest.raises(BrokenExtractionError, match="99 bytes, and 100 were announced"):
        partial.settle()
    partial.write(b"1")
    partial.settle()
    partial.discard()


def test_more_bytes_than_there_are_are_not_taken_up(tmp_path: Path, offered: Offer) -> None:
    """A partial file that is longer than the whole is of something else; a link in its place is not followed."""
    first = Partial(tmp_path, offered)
    first.write(b"1" * 101)
    first.keep()
    again = Partial(tmp_path, offered)
    assert again.size == 0
    again.keep()
    again.path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"12")
    again.path.symlink_to(tmp_path / "elsewhere")
    third = Partial(tmp_path, offered)
    third.write(b"x")
    third.keep()
    assert (tmp_path / "elsewhere").read_bytes() == b"12"


@pytest.mark.parametrize(
    ("part", "good"),
    [
        ("bytes 5-99/100", True),
        ("bytes 4-99/100", False),
        ("bytes 5-99/101", False),
        ("", False),
        ("bytes */100", False),
    ],
)
def test_a_part_must_be_the_one_that_was_asked_for(tmp_path: Path, offered: Offer, part: str, good: bool) -> None:
    """Content-Range names the first byte and the size; anything else is refused."""
    partial = Partial(tmp_path, offered)
    partial.write(b"12345")
    headers = CaseInsensitiveDict(
        {"Content-Disposition": f"attachment; filename={OPEN}_202611250310.zip", "Content-Range": part}
    )
    answer = Answer("GET", "https://localhost/x", 206, headers, b"", 0.0)
    if good:
        partial.begin(answer)
    else:
        with pytest.raises(BrokenExtractionError, match="another part"):
            partial.begin(answer)
    partial.keep()


# ------------------------------------------------------------------ what must not take the place of a good file


@pytest.mark.parametrize("fault", ["extraction-damaged", "extraction-slip", "extraction-bomb", "truncated-json"])
def test_a_broken_zip_never_takes_the_place_of_a_good_one(bench: Callable[..., Bench], fault: str) -> None:
    """Twice it is fetched, then it is told; the last good file stays and nothing else is left."""
    run = bench()
    good = run()
    run.tomorrow()
    run.simulator.fault(fault, None, at="extraction" if fault == "truncated-json" else None)
    run.simulator._requests.clear()
    with pytest.raises(BrokenExtractionError):
        run()
    assert [method for method, _, _ in run.asked] == ["HEAD", "GET"] * 2
    assert good.path is not None
    assert run.names == [good.path.name]
    check(good.path, name="good")
    run.simulator._faults.clear()
    assert run().outcome == "fetched"


def test_a_zip_that_is_broken_once_is_fetched_again(bench: Callable[..., Bench]) -> None:
    """The second time it is whole."""
    run = bench()
    run.simulator.fault("extraction-damaged", 1)
    assert run().outcome == "fetched"
    assert "restarted" in [step for step, _ in run.steps]


def test_a_newer_version_on_the_way_is_fetched_in_its_place(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEAD and GET name two versions: asked again; three times in a row is told."""
    run = bench()
    real, old = run.client.offer, Offer(OPEN, "202001010000", size=7)
    offers = iter([old, None, old, old, old])
    monkeypatch.setattr(run.client, "offer", lambda name: next(offers) or real(name))
    assert run().outcome == "fetched"
    with pytest.raises(SyncError, match="changed 3 times"):
        run()
    assert len(run.names) == 1


def test_the_name_on_disk_is_ours(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """A name that leads out of the folder gives its date and nothing else."""
    run = bench()
    run.simulator.fault("extraction-evil-name", None)
    found = run()
    assert found.path == run.folder / f"{OPEN}_202611250310.zip"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("fault", ["extraction-no-name", "html-200"])
def test_an_answer_without_a_version_is_refused(bench: Callable[..., Bench], fault: str) -> None:
    """Something else may have answered: nothing is fetched."""
    run = bench()
    run.simulator.fault(fault, None, at="extraction")
    with pytest.raises(UnexpectedResponseError, match="does not tell the version") as caught:
        run()
    assert "proxy" in caught.value.hint
    assert run.names == []


def test_a_page_at_get_leaves_what_has_come(bench: Callable[..., Bench]) -> None:
    """A portal that answers in the middle is refused, and the bytes of the file stay for the next run."""
    run = bench()
    offer = run.client.offer(OPEN)
    run.folder.mkdir()
    partial = Partial(run.folder, offer)
    partial.write(run.simulator._extraction.file(OPEN)[1][:500])
    partial.keep()
    real = run.client.offer
    run.client.offer = lambda name: _after(real, run, name)  # type: ignore[method-assign]  # HEAD is answered
    run.simulator.fault("html-200", 1, at="extraction")
    with pytest.raises(UnexpectedResponseError):
        run()
    run.simulator._requests.clear()
    assert run().outcome == "fetched"
    assert run.asked[-1] == ("GET", 206, "bytes=500-")


# ------------------------------------------------------------------ refusals


def test_a_restricted_name_without_a_certificate_is_told_before_anything_is_sent(bench: Callable[..., Bench]) -> None:
    """No P12 at all, or none that can be opened: the sentence names the extraction."""
    run = bench(identity=None)
    with pytest.raises(ConfigurationError, match=f"{RESTRICTED} is for holders of a certificate") as caught:
        run(RESTRICTED)
    assert "CLIENT_WS_ANNUAIRE" in caught.value.hint

    def missing() -> Any:
        raise ConfigurationError("no certificate is configured", hint="Name the P12.")

    run = bench(identity=IdentitySource(missing))
    with pytest.raises(ConfigurationError, match=f"{RESTRICTED} is for holders of a certificate: no certificate"):
        run(RESTRICTED)
    assert run.simulator.requests == []


def test_a_name_that_is_restricted_without_our_knowledge_is_told(bench: Callable[..., Bench]) -> None:
    """Called open in the settings, it is refused by the server: 403, and the way out."""
    run = bench(names=Names.known_and([RESTRICTED]))
    with pytest.raises(AccessDeniedError, match=f"^{RESTRICTED} is for holders of a certificate, and none") as caught:
        run(RESTRICTED)
    assert "restricted_extractions" in caught.value.hint
    assert caught.value.fault == "extraction-certificate"


def test_a_certificate_of_somebody_else_is_told(bench: Callable[..., Bench], sync_pki: Any) -> None:
    """The server ends the connection when our certificate is not under its root; the sentence names the extraction."""
    run = bench()
    foreign = sync_pki.foreign
    root = run.folder.with_name("foreign.pem")
    root.write_bytes(foreign.root_pem())
    place = run.simulator.environment
    place = replace(place, anchors=(str(root),), annuaire_download_anchors=place.anchors)
    with ExtractionClient(place, foreign.identity(), retry=POLICY) as client:
        with pytest.raises(ClientRejectedError, match=f"does not give {RESTRICTED} to the holder") as caught:
            client.offer(RESTRICTED)
        assert client.offer(OPEN).available
    assert "identity dn" in caught.value.hint


def test_a_certificate_without_the_right_is_told(bench: Callable[..., Bench]) -> None:
    """Status 403 to the holder of a certificate: whom to ask, and with what."""
    run = bench()
    run.simulator.fault("403", at="extraction")
    with pytest.raises(AccessDeniedError, match=f"does not give {RESTRICTED} to the holder") as caught:
        run(RESTRICTED)
    assert (caught.value.fault, "identity dn" in caught.value.hint) == ("extraction-right", True)


def test_a_wrong_name_is_told(bench: Callable[..., Bench]) -> None:
    """Unknown to us: the nearest is named and nothing is sent. Unknown to the server: 404 in our words."""
    run = bench(names=Names.known_and(["Withdrawn_2019"]))
    with pytest.raises(ConfigurationError, match="no extraction 'PS_LibreAces'") as caught:
        run("PS_LibreAces")
    assert caught.value.hint == "Did you mean PS_LibreAcces?"
    with pytest.raises(ConfigurationError) as caught:
        run("quite else")
    assert "restricted_extractions" in caught.value.hint
    assert run.simulator.requests == []
    with pytest.raises(NotFoundError, match=r"^the Annuaire Santé has no extraction Withdrawn_2019") as gone:
        run("Withdrawn_2019")
    assert "withdrawn" in gone.value.hint
    assert gone.value.status == 404
    assert str(gone.value) == gone.value.message


@pytest.mark.parametrize("name", ["", "../x", "a/b", "é", "a b", "x" * 101, "-a"])
def test_a_name_must_be_a_word(name: str) -> None:
    """It becomes a part of an address and of a file's name."""
    with pytest.raises(ConfigurationError, match="no name of an extraction"):
        Names.known_and([name])


def test_names_are_open_or_restricted() -> None:
    """What is named anew counts as it is named; both at once contradict each other."""
    moved = Names.known_and(["New", RESTRICTED], ["PS_LibreAcces"])
    assert moved.needs_certificate("PS_LibreAcces")
    assert not moved.needs_certificate(RESTRICTED)
    assert not moved.needs_certificate("New")
    with pytest.raises(ConfigurationError, match="open and as restricted"):
        Names.known_and(["New"], ["New"])


@pytest.mark.parametrize(
    ("disposition", "version"),
    [
        ("attachment; filename=PS_LibreAcces_201808011050.zip", "201808011050"),
        ('attachment; filename="PS_LibreAcces_201808011050.zip"', "201808011050"),
        ("attachment;FILENAME = X_20180801105059.ZIP", "20180801105059"),
        ("attachment; filename=PS_LibreAcces.zip", ""),
        ("attachment; filename=PS_LibreAcces_2018.zip", ""),
        ("attachment", ""),
        ("", ""),
    ],
)
def test_the_version_is_the_date_in_the_name(disposition: str, version: str) -> None:
    """Quoted or not; twelve digits, or fourteen with seconds."""
    assert version_of({"Content-Disposition": disposition}) == version


def test_an_environment_without_the_service_is_told() -> None:
    """The bac-à-sable has no extractions; a host under the public authorities is never shown our certificate."""
    with pytest.raises(ConfigurationError, match="bac-a-sable has no address of extractions"):
        ExtractionClient(Environment.bac_a_sable())
    assert repr(ExtractionClient(Environment.production())).startswith("<ExtractionClient production https://service")


def test_a_public_host_is_never_shown_our_certificate(bench: Callable[..., Bench]) -> None:
    """``web-pki`` for the extraction host and a restricted name contradict each other."""
    run = bench()
    place = replace(run.simulator.environment, annuaire_download_anchors=("web-pki",))
    with (
        ExtractionClient(place, run.simulator.identity) as client,
        pytest.raises(ConfigurationError, match="never shown our certificate"),
    ):
        client.offer(RESTRICTED)


def test_settings_make_a_client(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """Names, certificate and anchors come from the file; without a certificate open names work."""
    run = bench()
    config = run.simulator.write_config(tmp_path / "config")
    text = config.read_text(encoding="utf-8").replace("[annuaire]\n", '[annuaire]\nextractions = ["Another"]\n')
    config.write_text(text, encoding="utf-8")
    settings = load_settings(config, environ={})
    with ExtractionClient.from_settings(settings) as client:
        assert client.offer(RESTRICTED).available
        with pytest.raises(NotFoundError):
            client.offer("Another")
    with ExtractionClient.from_settings(settings, identity=run.simulator.identity) as client:
        assert client.offer(RESTRICTED).available
    bare = msgspec.structs.replace(settings, identity=None)
    assert configured_identity(bare) is None
    with ExtractionClient.from_settings(bare) as client:
        assert client.offer(OPEN).available


# ------------------------------------------------------------------ the folder


def test_one_run_at_a_time(bench: Callable[..., Bench]) -> None:
    """A folder that another run holds is left alone."""
    run = bench()
    with locked(run.folder), pytest.raises(LockedError):
        run()
    assert run.simulator.requests == []
    with pytest.raises(ConfigurationError, match="negative"):
        run(keep=-1)


def test_a_full_disk_is_told_before_the_first_byte(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is known from HEAD: no room, no GET."""
    run = bench()
    usage = shutil.disk_usage(run.folder.parent)
    monkeypatch.setattr("ror_sante.sync.annuaire.download.shutil.disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(ConfigurationError, match="are free on the disk"):
        run()
    assert [method for method, _, _ in run.asked] == ["HEAD"]


def test_the_path_is_that_of_the_service(bench: Callable[..., Bench]) -> None:
    """No query, no date: base and name."""
    run = bench()
    run()
    assert {(seen.path, seen.query) for seen in run.simulator.requests} == {(f"{EXTRACTION_PATH}/{OPEN}", "")}


def test_a_newer_error_is_none_to_repeat() -> None:
    """It ends the call at once."""
    assert not NewerError("x").retryable
