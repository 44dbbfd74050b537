"""Whether a certificate was revoked: places that agree, disagree, fail, and are left in peace."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from ror_sante.diagnosis.revocation import RevocationCheck
from ror_sante.diagnosis.statements import StatementCache
from ror_sante.errors import ConfigurationError, IncompleteChainError, RevokedError, UntrustedChainError
from ror_sante.http.publication import Publication
from ror_sante.pki.revocation import Standing
from ror_sante.simulator.pki import SimulatorPki
from tests.support.authority import HOUR, Publisher, crl_of, ocsp_answer


class Authority:
    """An authority with an OCSP responder and two lists; what is revoked may change, and anything may fail."""

    def __init__(self, pki: SimulatorPki) -> None:
        self.pki = pki
        self.at = pki.at
        self.leaf = pki.client()
        self.ocsp_status = ocsp.OCSPCertStatus.GOOD
        self.revoked: tuple[x509.Certificate, ...] = ()
        self.failing: dict[str, tuple[int, bytes]] = {}
        self.publisher = Publisher(self.answer)
        self.ocsp_url = f"{self.publisher.url}/ocsp"
        self.crls = [f"{self.publisher.url}/{name}.crl" for name in ("aci", "acr")]

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path in self.failing:
            return self.failing[path]
        if path == "/ocsp":
            nonce = ocsp.load_der_ocsp_request(body).extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
            about, issuer = self.leaf.certificate, self.pki.intermediate
            return 200, ocsp_answer(about, issuer, at=self.at, nonce=nonce, status=self.ocsp_status)
        issuer = self.pki.intermediate if path == "/aci.crl" else self.pki.root
        return 200, crl_of(issuer, at=self.at, revoked=self.revoked)

    def check(self, folder: Path | None = None, **how: Any) -> RevocationCheck:
        named = frozenset([self.ocsp_url, *self.crls])
        cache = None if folder is None else StatementCache(folder)
        about = {"ocsp_url": self.ocsp_url, "crls": self.crls, **how}
        return RevocationCheck(Publication(named=named), cache=cache, **about)

    def run(self, folder: Path | None = None, *, at: datetime | None = None, **how: Any) -> Any:
        return self.check(folder, **how).run(self.leaf.chain, [self.pki.anchor], at=at or self.at)


@pytest.fixture
def authority(pki: SimulatorPki) -> Iterator[Authority]:
    made = Authority(pki)
    yield made
    made.publisher.close()


def said(report: Any) -> list[list[str]]:
    return [
        [source.statement.standing if source.statement else "-" for source in one.sources]
        for one in report.certificates
    ]


def test_all_places_are_asked_once_and_agree(authority: Authority) -> None:
    """The leaf by OCSP and by list, the intermediate by the root's list; a list in the wrong place says nothing."""
    report = authority.run()
    assert report.standing is Standing.GOOD
    assert said(report) == [["good", "good", "-"], ["-", "good"]]
    assert sorted(authority.publisher.asked) == ["GET /aci.crl", "GET /acr.crl", "POST /ocsp"]
    report.demand(hard=True)


@pytest.mark.parametrize("where", ["ocsp", "list"])
def test_one_place_that_says_revoked_outweighs_all(authority: Authority, where: str) -> None:
    """The other has not heard of it yet."""
    if where == "ocsp":
        authority.ocsp_status = ocsp.OCSPCertStatus.REVOKED
    else:
        authority.revoked = (authority.leaf.certificate,)
    report = authority.run()
    assert report.standing is Standing.REVOKED
    with pytest.raises(RevokedError, match="CLIENT_WS_RORN was revoked"):
        report.demand()


def test_a_revoked_authority_revokes_what_it_issued(authority: Authority) -> None:
    """The leaf's own places know nothing of it."""
    authority.revoked = (authority.pki.intermediate.certificate,)
    assert authority.run().standing is Standing.REVOKED


def test_nothing_reliable_is_unknown_and_a_hard_fail_refuses_it(authority: Authority) -> None:
    """A portal answers everywhere with a page."""
    page = (200, b"<html>portail</html>")
    authority.failing = {"/ocsp": page, "/aci.crl": page, "/acr.crl": page}
    report = authority.run()
    assert report.standing is Standing.UNKNOWN
    assert "a web page" in report.certificates[0].sources[0].problem
    report.demand()
    with pytest.raises(RevokedError, match="nothing reliable"):
        report.demand(hard=True)


def test_the_methods_may_be_chosen(authority: Authority) -> None:
    """One of the two, or files in place of addresses."""
    authority.run(methods=("ocsp",))
    assert authority.publisher.asked == ["POST /ocsp"]
    authority.run(methods=("crl",))
    assert len(authority.publisher.asked) == 3


def test_a_list_may_be_a_file(authority: Authority, tmp_path: Path) -> None:
    """A machine without a way out; a missing file is the caller's mistake, one of 50 MB says nothing."""
    path = tmp_path / "aci.crl"
    path.write_bytes(crl_of(authority.pki.intermediate, at=authority.at))
    report = authority.run(methods=("crl",), crls=[str(path)])
    assert (said(report), authority.publisher.asked) == ([["good"], ["-"]], [])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        authority.run(methods=("crl",), crls=[str(tmp_path / "absent.crl")])
    os.truncate(path, 50_000_000)
    assert "over 20 MiB" in authority.run(methods=("crl",), crls=[str(path)]).certificates[0].sources[0].problem


@pytest.mark.parametrize("flaw", ["foreign", "leaf alone"])
def test_nothing_is_asked_before_the_chain_is_proven(authority: Authority, flaw: str) -> None:
    """The addresses in a forged certificate are its forger's."""
    check, foreign = authority.check(), authority.pki.foreign
    chain = foreign.client().chain if flaw == "foreign" else authority.leaf.chain[:1]
    with pytest.raises((UntrustedChainError, IncompleteChainError)):
        check.run(chain, [authority.pki.anchor], at=authority.at)
    assert authority.publisher.asked == []


def test_the_hosts_that_the_certificate_names_are_not_asked_when_unknown(authority: Authority) -> None:
    """Ours names hosts that are none of the IGC-Santé's: told, and nothing is sent."""
    report = authority.run(ocsp_url=None, crls=())
    problems = [source.problem for one in report.certificates for source in one.sources]
    assert len(problems) == 3
    assert all("is not asked" in problem for problem in problems)


# ------------------------------------------------------------------ what is kept


def test_what_was_fetched_is_kept_and_asked_again_when_it_is_old(authority: Authority, tmp_path: Path) -> None:
    """Half an hour later nothing is sent; a day later all is asked anew."""
    folder = tmp_path / "cache"
    authority.run(folder)
    report = authority.run(folder, at=authority.at + HOUR / 2)
    assert (report.standing, len(authority.publisher.asked)) == (Standing.GOOD, 3)
    assert report.certificates[0].sources[0].kept
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    authority.at += timedelta(days=1)
    authority.run(folder)
    assert len(authority.publisher.asked) == 6
    authority.run(folder, fresh=True)
    assert len(authority.publisher.asked) == 9


def test_a_host_that_fails_is_left_in_peace_and_what_is_kept_serves(authority: Authority, tmp_path: Path) -> None:
    """403: nobody is asked for a quarter of an hour, even by another program; the older list still holds."""
    authority.run(tmp_path)
    later = authority.at + 13 * HOUR
    authority.failing = dict.fromkeys(("/ocsp", "/aci.crl", "/acr.crl"), (403, b""))
    report = authority.run(tmp_path, at=later)
    assert report.standing is Standing.GOOD
    assert len(authority.publisher.asked) == 4
    authority.run(tmp_path, at=later + timedelta(minutes=14))
    assert len(authority.publisher.asked) == 4
    authority.run(tmp_path, at=later + timedelta(minutes=24))
    assert len(authority.publisher.asked) == 5


def test_a_page_in_place_of_a_list_is_not_asked_for_again_at_once(authority: Authority, tmp_path: Path) -> None:
    """That place rests for two minutes; the others are asked."""
    authority.failing = {"/aci.crl": (200, b"<html>")}
    first = authority.run(tmp_path)
    again = authority.run(tmp_path, at=authority.at + timedelta(minutes=1))
    assert first.standing is again.standing is Standing.GOOD  # OCSP and the other list say so
    assert authority.publisher.asked.count("GET /aci.crl") == 1
    assert "not asked before" in again.certificates[0].sources[1].problem


@pytest.mark.parametrize("damage", [b"", b"{", b'{"place": 1}'])
def test_a_damaged_file_of_the_cache_is_as_if_it_were_not_there(
    authority: Authority, tmp_path: Path, damage: bytes
) -> None:
    """And so is one whose time lies ahead of our clock."""
    authority.run(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(damage)
    assert authority.run(tmp_path).standing is Standing.GOOD
    assert len(authority.publisher.asked) == 6


def test_a_folder_that_cannot_be_written_is_told_and_nothing_else_changes(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The verdict does not depend on a cache."""
    (tmp_path / "file").write_bytes(b"")
    assert authority.run(tmp_path / "file" / "cache").standing is Standing.GOOD
    assert "cannot be kept" in caplog.text


def test_an_answer_without_an_end_is_kept_for_its_hour(authority: Authority, tmp_path: Path) -> None:
    """And a kept one that has become useless is replaced by what is asked now."""
    nonceless = ocsp_answer(authority.leaf.certificate, authority.pki.intermediate, at=authority.at, life=None)
    authority.failing = {"/ocsp": (200, nonceless)}
    assert authority.run(tmp_path, methods=("ocsp",)).certificates[0].standing is Standing.GOOD
    authority.run(tmp_path, methods=("ocsp",), at=authority.at + HOUR / 2)
    assert len(authority.publisher.asked) == 1
    cache = StatementCache(tmp_path)
    for path in tmp_path.iterdir():
        place = json.loads(path.read_bytes())["place"]
        cache.keep(place, b"<html>", at=authority.at, life=HOUR)
    assert authority.run(tmp_path, methods=("ocsp",)).certificates[0].standing is Standing.GOOD
    assert len(authority.publisher.asked) == 2
