"""An identity that is renewed under a running program: what takes its place, when, and what never does."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ror_sante.errors import (
    ClientRejectedError,
    ConfigurationError,
    IdentityError,
    Pkcs12Error,
    UntrustedChainError,
    ValidityError,
)
from ror_sante.http.holder import FixedIdentity, IdentityHolder
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, hold
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.source import IdentitySource
from ror_sante.settings import IdentitySettings
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.pki import Issued, SimulatorPki

PASSPHRASE = "pass-7c1e"
QUICK = RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.02, deadline=5.0)


class HandClock:
    """A clock that stands still until a test moves it; its date starts today."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.start = datetime.now(UTC)

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.time - 1000)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def random(self) -> float:
        return 0.5


@pytest.fixture
def hand() -> HandClock:
    """A clock of our own."""
    return HandClock()


@pytest.fixture(scope="module")
def key(pki: SimulatorPki) -> Any:
    """One key for all certificates of these tests: making one takes time."""
    return pki.client().key


@pytest.fixture
def issue(pki: SimulatorPki, key: Any) -> Callable[..., Issued]:
    """Issue a certificate that starts and ends so many days from today."""

    def make(start: float = -1, end: float = 1000) -> Issued:
        return pki.client(key=key, not_before=pki.at + timedelta(days=start), not_after=pki.at + timedelta(days=end))

    return make


@pytest.fixture
def write(pki: SimulatorPki) -> Callable[[Path, Issued], Path]:
    """Put a certificate into a P12 file, by a rename."""

    def put(path: Path, issued: Issued) -> Path:
        beside = path.with_suffix(".new")
        beside.write_bytes(pki.p12(issued, PASSPHRASE))
        beside.replace(path)
        return path

    return put


@pytest.fixture
def follow(pki: SimulatorPki, hand: HandClock) -> Callable[..., IdentityHolder]:
    """Hold what a P12 file holds, with a second one if it is named."""

    def make(path: Path, successor: Path | None = None) -> IdentityHolder:
        following = None if successor is None else IdentitySource.from_p12(successor, PASSPHRASE)
        source = IdentitySource.from_p12(path, PASSPHRASE, successor=following)
        holder = hold(source, [pki.anchor], clock=hand)
        assert isinstance(holder, IdentityHolder)
        return holder

    return make


def serial(identity: ClientIdentity | None) -> int:
    assert identity is not None
    return identity.certificate.serial_number


# ------------------------------------------------------------------ a file that changes


def test_a_changed_file_is_followed_within_a_second(tmp_path, issue, write, follow, hand) -> None:
    """The look at the files costs nothing in between; a second later the new certificate is in force."""
    first, second = issue(), issue()
    path = write(tmp_path / "client.p12", first)
    holder = follow(path)
    assert serial(holder.current()) == first.certificate.serial_number
    write(path, second)
    assert serial(holder.current()) == first.certificate.serial_number
    hand.sleep(1)
    assert serial(holder.current()) == second.certificate.serial_number


def test_an_unchanged_certificate_stays_the_same_object(tmp_path, issue, write, follow, hand) -> None:
    """A file that is written again with the same certificate changes nothing: connections and token are kept."""
    issued = issue()
    path = write(tmp_path / "client.p12", issued)
    holder = follow(path)
    before = holder.current()
    write(path, issued)
    hand.sleep(2)
    assert holder.current() is before


@pytest.mark.parametrize("flaw", ["truncated", "missing", "other passphrase", "foreign", "expired"])
def test_a_reload_that_fails_keeps_the_good_one_and_says_so(
    tmp_path, pki, issue, write, follow, hand, caplog, flaw
) -> None:
    """Whatever is wrong with the new file, calls go on with the old certificate and the log says why."""
    path = write(tmp_path / "client.p12", issue())
    holder = follow(path)
    good = holder.current()
    whole = pki.p12(issue(), PASSPHRASE)
    if flaw == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "truncated": whole[: len(whole) // 2],
                "other passphrase": pki.p12(issue(), "another"),
                "foreign": pki.foreign.p12(pki.foreign.client(), PASSPHRASE),
                "expired": pki.p12(issue(-9, -1), PASSPHRASE),
            }[flaw]
        )
    hand.sleep(2)
    with caplog.at_level(logging.WARNING, "ror_sante.identity"):
        assert holder.current() is good
    assert "the identity in force stays" in caplog.text
    assert PASSPHRASE not in caplog.text


def test_a_reload_that_failed_is_tried_again_when_the_file_changes_or_after_a_minute(
    tmp_path, pki, issue, write, follow, hand, caplog
) -> None:
    """One warning a change, not one a request; and what was mended is found."""
    path = write(tmp_path / "client.p12", issue())
    holder = follow(path)
    path.write_bytes(b"half of a P12")
    for _ in range(30):
        hand.sleep(1)
        holder.current()
    assert caplog.text.count("cannot be opened anew") == 1
    hand.sleep(60)
    holder.current()
    assert caplog.text.count("cannot be opened anew") == 2
    second = issue()
    write(path, second)
    hand.sleep(1)
    assert serial(holder.current()) == second.certificate.serial_number


def test_a_file_that_is_written_while_it_is_read_is_read_again(tmp_path, pki, issue) -> None:
    """Half of a P12 is not the verdict when the other half has arrived meanwhile; one that never rests is an error."""
    path = tmp_path / "client.p12"
    whole = pki.p12(issue(), PASSPHRASE)
    path.write_bytes(whole[:100])
    readings: list[int] = []

    def load() -> ClientIdentity:
        data = path.read_bytes()
        readings.append(len(data))
        if len(readings) == 1:
            path.write_bytes(whole)
        return ClientIdentity.from_p12(data, PASSPHRASE)

    assert IdentitySource(load, files=[path]).load()
    assert readings == [100, len(whole)]

    def restless() -> ClientIdentity:
        path.write_bytes(path.read_bytes() + b"\0")
        raise Pkcs12Error("half")

    with pytest.raises(ConfigurationError, match="changes while it is read"):
        IdentitySource(restless, files=[path]).load()


def test_only_one_thread_opens_files_and_the_others_go_on(pki, issue, tmp_path, hand) -> None:
    """While a slow source is read, the identity in force is handed out at once."""
    path = tmp_path / "mark"
    path.write_bytes(b"1")
    identities = [pki.identity(issue()), pki.identity(issue())]
    entered, go = threading.Event(), threading.Event()

    def load() -> ClientIdentity:
        if path.read_bytes() == b"1":
            return identities[0]
        entered.set()
        assert go.wait(5)
        return identities[1]

    holder = hold(IdentitySource(load, files=[path]), [pki.anchor], clock=hand)
    path.write_bytes(b"22")
    hand.sleep(1)
    reader = threading.Thread(target=holder.current)
    reader.start()
    assert entered.wait(5)
    hand.sleep(5)
    assert holder.current() is identities[0]
    go.set()
    reader.join(5)
    assert holder.current() is identities[1]


# ------------------------------------------------------------------ a function


def test_a_function_is_asked_again_every_five_minutes(pki, issue, hand) -> None:
    """A secret store gives no file to look at."""
    identities = [pki.identity(issue())]
    holder = hold(lambda: identities[-1], [pki.anchor], clock=hand)
    identities.append(pki.identity(issue()))
    hand.sleep(299)
    assert holder.current() is identities[0]
    hand.sleep(1)
    assert holder.current() is identities[1]


@pytest.mark.parametrize("answer", [None, "client.p12", OSError("vault https://me:secret@vault is sealed")])
def test_a_function_that_fails_later_changes_nothing(pki, issue, hand, caplog, answer) -> None:
    """What it raises is named by its type alone: its text may hold a secret."""
    good = pki.identity(issue())
    answers: list[Any] = [good]

    def load() -> Any:
        given = answers[-1]
        if isinstance(given, Exception):
            raise given
        return given

    holder = hold(load, [pki.anchor], clock=hand)
    answers.append(answer)
    hand.sleep(301)
    assert holder.current() is good
    assert "cannot be opened anew" in caplog.text
    assert "secret" not in caplog.text


def test_a_function_that_gives_no_identity_is_refused_at_the_start(pki) -> None:
    """There is nothing to go on with."""
    with pytest.raises(IdentityError, match="gave a str, not a ClientIdentity"):
        SessionFactory(lambda: "client.p12", pki.anchor)  # type: ignore[arg-type, return-value]  # the mistake itself
    with pytest.raises(UntrustedChainError):
        SessionFactory(pki.foreign.identity, pki.anchor)


# ------------------------------------------------------------------ the second certificate


def test_the_next_certificate_takes_over_in_the_last_seven_days(tmp_path, issue, write, follow, hand) -> None:
    """Seven days and a second before the end the old one is in force, seven days before it the next."""
    first, second = issue(-100, 10), issue(-1, 1000)
    holder = follow(write(tmp_path / "client.p12", first), write(tmp_path / "next.p12", second))
    end = first.certificate.not_valid_after_utc
    hand.sleep((end - timedelta(days=7, seconds=1) - hand.now()).total_seconds())
    assert serial(holder.current()) == first.certificate.serial_number
    hand.sleep(2)
    assert serial(holder.current()) == second.certificate.serial_number


def test_a_next_certificate_may_arrive_late_and_its_file_may_then_become_the_first(
    tmp_path, issue, write, follow, hand, caplog
) -> None:
    """No word about a file that is not there yet; moving it into the first one's place changes nothing more."""
    path = write(tmp_path / "client.p12", issue(-100, 3))
    holder = follow(path, tmp_path / "next.p12")
    hand.sleep(5)
    first = holder.current()
    assert "cannot be opened" not in caplog.text
    second = issue(-1, 1000)
    write(tmp_path / "next.p12", second)
    hand.sleep(5)
    taken = holder.current()
    assert serial(taken) == second.certificate.serial_number != serial(first)
    (tmp_path / "next.p12").replace(path)
    hand.sleep(5)
    assert holder.current() is taken


def test_a_next_certificate_that_ends_no_later_does_not_take_over(tmp_path, issue, write, follow, hand) -> None:
    """The two files were mixed up."""
    first = issue(-10, 6)
    holder = follow(write(tmp_path / "client.p12", first), write(tmp_path / "next.p12", issue(-100, 5)))
    hand.sleep(5)
    assert serial(holder.current()) == first.certificate.serial_number


def test_at_the_start_the_next_one_stands_in_for_one_that_is_over(tmp_path, issue, write, follow) -> None:
    """A nightly program that starts after the end works with the second P12; without one it says so."""
    path, second = write(tmp_path / "client.p12", issue(-100, -1)), issue()
    with pytest.raises(ValidityError):
        follow(path)
    with pytest.raises(ValidityError):
        follow(path, tmp_path / "absent.p12")
    with pytest.raises(ValidityError):
        follow(path, write(tmp_path / "old.p12", issue(-50, -2)))
    holder = follow(path, write(tmp_path / "next.p12", second))
    assert serial(holder.current()) == second.certificate.serial_number


def test_the_settings_name_the_next_one_with_its_own_passphrase(tmp_path, pki, issue, hand) -> None:
    """`next_passphrase_file`, else what the first certificate has, of a person too, who is asked once."""
    first, second = issue(-100, 3), issue()
    (tmp_path / "client.p12").write_bytes(pki.p12(first, PASSPHRASE))
    (tmp_path / "next.p12").write_bytes(pki.p12(second, "other"))
    (tmp_path / "pass").write_text(PASSPHRASE)
    (tmp_path / "next-pass").write_text("other\n")
    table = IdentitySettings(
        p12=tmp_path / "client.p12",
        passphrase_file=tmp_path / "pass",
        next=tmp_path / "next.p12",
        next_passphrase_file=tmp_path / "next-pass",
    )
    holder = hold(IdentitySource.from_settings(table), [pki.anchor], clock=hand)
    assert serial(holder.current()) == second.certificate.serial_number

    asked: list[int] = []
    alone = IdentitySettings(p12=tmp_path / "client.p12")
    source = IdentitySource.from_settings(alone, ask=lambda _: (asked.append(1), PASSPHRASE)[1])
    assert serial(source.load()) == serial(source.load()) == first.certificate.serial_number
    assert asked == [1]

    both = IdentitySettings(p12=tmp_path / "client.p12", next=tmp_path / "next.p12")
    source = IdentitySource.from_settings(both, ask=lambda _: (asked.append(1), "other")[1])
    with pytest.raises(ConfigurationError, match="the next certificate needs a passphrase, and none was given"):
        source.successor.load()
    with pytest.raises(Pkcs12Error):
        source.load()
    assert serial(source.successor.load()) == second.certificate.serial_number
    assert asked == [1, 1]
    with pytest.raises(ConfigurationError, match="next is missing"):
        IdentitySettings(p12=tmp_path / "client.p12", next_passphrase_file=tmp_path / "pass")


# ------------------------------------------------------------------ a refusal


def test_a_refusal_changes_the_identity_once_in_ten_minutes_and_never_back(
    tmp_path, issue, write, follow, hand
) -> None:
    """The next certificate takes over at once; that it is refused too does not bring the old one back."""
    path, later = write(tmp_path / "client.p12", issue()), tmp_path / "next.p12"
    second, third = issue(), issue()
    holder = follow(path, write(later, second))
    first = holder.current()
    assert holder.refused(first)
    swapped = holder.current()
    assert serial(swapped) == second.certificate.serial_number
    assert holder.refused(first)  # a request that had still begun with the first
    assert not holder.refused(swapped)
    assert holder.current() is swapped

    write(later, third)
    hand.sleep(599)
    assert not holder.refused(swapped)
    hand.sleep(1)
    assert holder.refused(swapped)
    assert serial(holder.current()) == third.certificate.serial_number
    os.utime(path)  # the refused one, offered again
    hand.sleep(700)
    assert serial(holder.current()) == third.certificate.serial_number


def test_a_refusal_never_brings_an_older_certificate(tmp_path, issue, write, follow) -> None:
    """Issued a day before the one in force: it stays where it is; a day after: it takes over."""
    path = write(tmp_path / "client.p12", issue(start=-5))
    older = follow(path, write(tmp_path / "older.p12", issue(start=-6)))
    assert not older.refused(older.current())
    newer = follow(path, write(tmp_path / "newer.p12", issue(start=-4)))
    assert newer.refused(newer.current())


def test_a_refusal_passes_over_an_offer_that_cannot_be_used(tmp_path, pki, issue, write, hand) -> None:
    """The file that changed holds a certificate of another tree; the next one is good."""
    offers = [pki.identity(issue())]
    later = IdentitySource.from_p12(write(tmp_path / "next.p12", issue(start=-2)), PASSPHRASE)
    holder = hold(IdentitySource(lambda: offers[-1], successor=later), [pki.anchor], clock=hand)
    offers.append(pki.foreign.identity())
    hand.sleep(10)
    offers[0] = holder.current()
    assert not holder.refused(offers[0])  # the next one was issued earlier
    later.files[0].write_bytes(pki.p12(issue(), PASSPHRASE))
    hand.sleep(10)
    assert holder.refused(offers[0])


def test_a_refused_certificate_is_not_followed_again(tmp_path, issue, write, follow, hand) -> None:
    """An operator who puts the refused file back sees no change."""
    first, second = issue(), issue()
    path = write(tmp_path / "client.p12", first)
    holder = follow(path, write(tmp_path / "next.p12", second))
    assert holder.refused(holder.current())
    write(path, issue())
    hand.sleep(2)
    third = holder.current()
    write(path, first)
    hand.sleep(2)
    assert holder.current() is third


def test_a_refusal_looks_at_a_changed_file_at_once(tmp_path, issue, write, follow) -> None:
    """The file was replaced half a second ago: no call fails for the rest of that second."""
    path = write(tmp_path / "client.p12", issue())
    holder = follow(path)
    first = holder.current()
    second = issue()
    write(path, second)
    assert holder.refused(first)
    assert serial(holder.current()) == second.certificate.serial_number


def test_a_refusal_asks_a_function_at_most_every_ten_seconds(pki, issue, hand) -> None:
    """A storm of refusals is no storm on the secret store."""
    calls: list[int] = []
    good = pki.identity(issue())

    def load() -> ClientIdentity:
        calls.append(1)
        return good

    holder = hold(load, [pki.anchor], clock=hand)
    for _ in range(20):
        assert not holder.refused(good)
    hand.sleep(10)
    for _ in range(20):
        assert not holder.refused(good)
    assert len(calls) == 2


def test_what_has_no_other_has_no_other(pki, issue) -> None:
    """A fixed identity, or none at all, is refused and stays."""
    identity = pki.identity(issue())
    assert not hold(identity, [pki.anchor]).refused(identity)
    assert not FixedIdentity(None).refused(None)
    assert FixedIdentity(None).current() is None
    assert not hold(lambda: identity, [pki.anchor]).refused(None)


# ------------------------------------------------------------------ on the wire


def test_new_connections_present_the_new_one_and_the_old_pool_is_drained(
    tmp_path, pki, issue, write, serve, version
) -> None:
    """One connection with the first certificate, which is closed at the swap; the next has the second."""
    server = serve(version=version)
    path = write(tmp_path / "client.p12", issue())
    factory = SessionFactory(IdentitySource.from_p12(path, PASSPHRASE), pki.anchor)
    before = factory.context
    with factory.session(server.url) as session:
        for _ in range(3):
            session.get(server.url)
        write(path, issue())
        until(lambda: session.get(server.url) and len(server.visits) > 1)
        assert len(server.visits) == 2
        assert not session._generations._older
    assert factory.context is not before
    assert factory.context is factory.context


def test_a_body_that_is_still_read_outlives_the_swap(tmp_path, pki, issue, write, serve) -> None:
    """A streamed answer is read to its end on the connection that it began on."""
    body = b"x" * 300_000

    def answer(request: bytes) -> bytes:
        if b"/slow" not in request:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    server = serve(answer=answer)
    identities = [pki.identity(issue())]
    holder = hold(lambda: identities[-1], [pki.anchor])
    with (
        SessionFactory(holder, pki.anchor).session(server.url) as session,
        session.get(f"{server.url}/slow", stream=True) as response,
    ):
        identities.append(pki.identity(issue()))
        holder._own._tried = float("-inf")  # five minutes later
        holder._due = 0.0
        assert session.get(server.url).content == b"ok"
        assert len(server.visits) == 2
        assert response.content == body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_revoked_certificate_gives_way_in_the_same_call(
    tmp_path, pki, issue, write, serve, version, method, caplog
) -> None:
    """The server's alert, a swap to identity.next, and the request once more: the caller sees the answer alone."""
    first, second = issue(), issue()
    server = serve(version=version, crl=pki.crl([first]))
    source = IdentitySource.from_p12(
        write(tmp_path / "client.p12", first),
        PASSPHRASE,
        successor=IdentitySource.from_p12(write(tmp_path / "next.p12", second), PASSPHRASE),
    )
    with SessionFactory(source, pki.anchor, retry=QUICK).session(server.url) as session:
        assert session.request(method, server.url, data=b"x" if method == "POST" else None).status_code == 200
    assert "a server refuses the certificate in force" in caplog.text
    assert [bool(visit.error) for visit in server.visits] == [True, False]

    alone = SessionFactory(IdentitySource.from_p12(tmp_path / "client.p12", PASSPHRASE), pki.anchor, retry=QUICK)
    with alone.session(server.url) as session, pytest.raises(ClientRejectedError):
        session.get(server.url)


def test_a_body_that_cannot_be_sent_twice_is_not(tmp_path, pki, issue, serve) -> None:
    """The next request works; this one is the caller's to repeat."""
    first, second = pki.identity(issue()), issue()
    server = serve(crl=pki.crl([first.certificate]))
    source = IdentitySource(lambda: first, successor=IdentitySource(lambda: pki.identity(second)))
    holder = hold(source, [pki.anchor])
    with SessionFactory(holder, pki.anchor, retry=QUICK).session(server.url) as session:
        with pytest.raises(ClientRejectedError):
            session.post(server.url, data=iter([b"x"]))
        assert holder.newest() is first
        assert session.post(server.url, data=b"x").status_code == 200


def test_a_lease_of_an_older_identity_is_honoured_and_drained(pki, issue, serve) -> None:
    """A token that is asked for in an older identity's name comes over that identity's own connection."""
    server = serve()
    identities = [pki.identity(issue()), pki.identity(issue())]
    holder = hold(identities[0], [pki.anchor])
    with SessionFactory(holder, pki.anchor).session(server.url) as session:
        holder._identity = identities[1]
        with session.lease() as now, session.lease(identities[0]) as older, session.lease(identities[0]) as again:
            assert (now.identity, older.identity, again.identity) == (identities[1], identities[0], identities[0])
            assert (now.in_force, older.in_force) == (True, False)
            assert len(session._generations._older) == 1
        assert not session._generations._older
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(session._generations)


# ------------------------------------------------------------------ the calendar


def test_the_log_warns_once_a_day_from_sixty_days_on(pki, issue, hand, caplog) -> None:
    """Nothing at 61 days; at 59, 29 and 6 days another next step each; never twice a day."""
    end = hand.now() + timedelta(days=61, hours=1)
    days = (end - pki.at).total_seconds() / 86_400
    holder = hold(pki.identity(issue(-100, days)), [pki.anchor], clock=hand)
    steps = []
    for left in (61, 59, 29, 6):
        hand.sleep(max(0.0, (end - timedelta(days=left, minutes=30) - hand.now()).total_seconds()))
        for _ in range(3):
            holder.current()
            hand.sleep(400)
        steps.append([record.getMessage() for record in caplog.records])
        caplog.clear()
    assert [len(messages) for messages in steps] == [0, 1, 1, 1]
    assert ["Plan the renewal" in steps[1][0], "this week" in steps[2][0], "now" in steps[3][0]] == [True] * 3


def test_a_shared_source_is_opened_once_until_its_file_changes(pki, tmp_path: Path) -> None:
    """Eighteen regions with one certificate wait for one P12; without a file nothing tells of a change."""
    opened: list[str] = []
    path = tmp_path / "client.p12"
    path.write_bytes(b"one")

    def load(name: str) -> ClientIdentity:
        opened.append(name)
        return pki.identity()

    following = IdentitySource(lambda: load("next"), files=[path])
    source = IdentitySource(lambda: load("own"), files=[path], successor=following).shared()
    assert source.load() is source.load()
    assert source.successor is not None
    assert source.successor.load() is source.successor.load()
    assert opened == ["own", "next"]
    path.write_bytes(b"another")
    source.load()
    assert opened == ["own", "next", "own"]
    restless = IdentitySource(lambda: load("each time")).shared()
    restless.load()
    restless.load()
    assert opened[-2:] == ["each time"] * 2


def test_neither_source_nor_holder_travels_or_tells(tmp_path, pki, issue, write, follow) -> None:
    """No passphrase in a repr, no pickle of either."""
    path = write(tmp_path / "client.p12", issue())
    source = IdentitySource.from_p12(path, PASSPHRASE, successor=IdentitySource(pki.identity))
    assert repr(source) == f"<IdentitySource {path}, with a next one>"
    assert repr(source.successor) == "<IdentitySource a function>"
    assert IdentitySource(pki.identity, files=["\0"]).missing
    for thing in (source, follow(path)):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(thing)
