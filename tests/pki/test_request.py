"""A key pair and a certificate request: the subject as IGC-Santé writes it, the key never in clear."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ror_sante.environments import ApplicationService
from ror_sante.errors import ConfigurationError, Severity
from ror_sante.identifiers import STRUCTURE_DIGITS
from ror_sante.pki import procedure
from ror_sante.pki.departments import DEPARTMENTS, department
from ror_sante.pki.request import (
    LIFE,
    CertificateRequest,
    Subject,
    check_key_size,
    check_subject,
    make_request,
)
from ror_sante.pki.usage import LAST_DAY_OF_2048

BASTIA = Subject(
    common_name="CLIENT_WS_RORN", organisation="CH DE BASTIA", structure="12B0000020", department="Haute-Corse (2B)"
)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXT = (Path(__file__).parent / "procedure.txt").read_text(encoding="utf-8").replace("\\_", "_")


@pytest.fixture(scope="module")
def made() -> CertificateRequest:
    return make_request(BASTIA, "correct horse battery")


def codes(subject: Subject, *, test: bool = False) -> list[tuple[str, bool]]:
    return [(found.code, found.severity is Severity.ERROR) for found in check_subject(subject, test=test)]


# ------------------------------------------------------------------ what is made


def test_the_subject_has_the_order_and_types_of_igc_sante(made: CertificateRequest) -> None:
    """C, ST, O, OU, CN, one of each; C is a PrintableString, the others UTF8String."""
    request = x509.load_pem_x509_csr(made.request)
    kinds = [(part.oid._name, part.value, part._type.name) for part in request.subject]
    assert kinds == [
        ("countryName", "FR", "PrintableString"),
        ("stateOrProvinceName", "Haute-Corse (2B)", "UTF8String"),
        ("organizationName", "CH DE BASTIA", "UTF8String"),
        ("organizationalUnitName", "12B0000020", "UTF8String"),
        ("commonName", "CLIENT_WS_RORN", "UTF8String"),
    ]
    assert made.subject == "CN=CLIENT_WS_RORN,OU=12B0000020,O=CH DE BASTIA,ST=Haute-Corse (2B),C=FR"


def test_the_request_is_signed_by_the_key(made: CertificateRequest) -> None:
    """RSA 2048, SHA-256, and the signature proves that the key is ours."""
    request = x509.load_pem_x509_csr(made.request)
    key = load_pem_private_key(made.key, b"correct horse battery")
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert (key.key_size, request.signature_hash_algorithm.name) == (2048, "sha256")  # type: ignore[union-attr]  # an RSA key and a hash


def test_the_key_is_encrypted_and_does_not_show(made: CertificateRequest) -> None:
    """The PEM says so, another passphrase does not open it, and the repr has nothing of it."""
    assert made.key.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match="Incorrect password"):
        load_pem_private_key(made.key, b"correct horse battery!")
    assert "PRIVATE" not in repr(made)


def test_two_requests_have_two_keys(made: CertificateRequest) -> None:
    """A renewal is a new key; 3072 bits on wish."""
    other = x509.load_pem_x509_csr(make_request(BASTIA, "correct horse battery", key_size=3072).request)
    assert other.public_key() != x509.load_pem_x509_csr(made.request).public_key()
    assert other.public_key().key_size == 3072  # type: ignore[union-attr]  # an RSA key


@pytest.mark.parametrize("bad", ["", b"", "nul\0", b"\xff"])
def test_a_key_without_a_usable_passphrase_is_never_made(bad: str | bytes) -> None:
    """Nothing is written in clear by mistake."""
    with pytest.raises(ConfigurationError):
        make_request(BASTIA, bad)


def test_other_sizes_are_refused() -> None:
    """1024 is too weak, and other numbers are slips."""
    with pytest.raises(ConfigurationError, match="1024 bits is not offered"):
        make_request(BASTIA, "x", key_size=1024)


# ------------------------------------------------------------------ the subject


def test_a_good_subject_has_no_finding() -> None:
    """The recommended CN, a sound FINESS, a known department."""
    assert codes(BASTIA) == []


def test_a_wrong_number_is_an_error_for_production_and_a_warning_for_test() -> None:
    """The samples of the TEST tree break the rules: ANS's own example has a SIRET of ten digits."""
    sample = replace(BASTIA, structure="33333333333")
    assert codes(sample) == [("bad-structure", True)]
    assert codes(sample, test=True) == [("bad-structure", False)]
    with pytest.raises(ConfigurationError, match="14 digits; this one has 10") as caught:
        make_request(sample, "secret")
    assert "finess.esante.gouv.fr" in caught.value.hint
    assert "33333333333" in make_request(sample, "secret", test=True).subject


def test_another_name_is_odd_and_a_long_organisation_is_cut() -> None:
    """IGC-Santé keeps forty letters, as in a real subject."""
    long = replace(BASTIA, common_name="MINE", organisation="AGENCE DES SYSTEMES D'INFORMATION PARTAGES DE SANTE")
    assert codes(long) == [("long-organisation", False), ("unusual-name", False)]
    assert ",O=AGENCE DES SYSTEMES D'INFORMATION PARTAG,ST=" in long.name().rfc4514_string()


@pytest.mark.parametrize("bad", ["", " ", "CH ", "CH\nDE BASTIA", "CH\u202eBASTIA", "x" * 641])
def test_a_text_that_cannot_stand_in_a_name_is_refused(bad: str) -> None:
    """Blanks at an end, control and direction characters, too long, empty."""
    subject = replace(BASTIA, organisation=bad)
    assert ("bad-subject", True) in codes(subject, test=True)
    with pytest.raises(ConfigurationError, match="the organisation is empty, over 640 letters"):
        make_request(subject, "secret", test=True)


def test_a_key_for_the_years_after_2030_is_warned_about() -> None:
    """One second decides; 3072 bits are long enough, and unusual."""
    border = LAST_DAY_OF_2048 - LIFE
    assert list(check_key_size(2048, at=border)) == []
    assert [found.code for found in check_key_size(2048, at=border + timedelta(seconds=1))] == ["short-key"]
    assert [found.code for found in check_key_size(3072, at=border + timedelta(seconds=1))] == ["unusual-key"]
    assert list(check_key_size(2048, at=NOW)) == []


# ------------------------------------------------------------------ departments


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("75", "Paris (75)"),
        ("1", "Ain (01)"),
        ("2a", "Corse-du-Sud (2A)"),
        ("cotes d'armor", "Côtes-d'Armor (22)"),
        ("CÔTE D’OR", "Côte-d'Or (21)"),
        ("Rhône (69)", "Rhône (69)"),
        ("974", "La Réunion (974)"),
        ("(75)", "Paris (75)"),
    ],
)
def test_a_department_is_found_by_number_name_or_both(given: str, wanted: str) -> None:
    """Accents, capitals, hyphens and apostrophes of either kind do not matter."""
    assert department(given) == wanted


def test_every_department_finds_itself() -> None:
    """101 departments and 6 collectivities, by both ways."""
    assert len(DEPARTMENTS) == 107
    for code, name in DEPARTMENTS.items():
        assert department(code) == department(name) == department(f"{name} ({code})") == f"{name} ({code})"


@pytest.mark.parametrize("given", ["20", "99", "Paris (69)", "", "France", "()"])
def test_there_is_no_such_department(given: str) -> None:
    """Corsica's old number, an unknown one, a name and a number that do not go together."""
    with pytest.raises(ConfigurationError, match="there is no department"):
        department(given)


def test_a_slip_is_understood() -> None:
    """The hint names the nearest one."""
    with pytest.raises(ConfigurationError) as caught:
        department("Moselles")
    assert "Perhaps Moselle (57)?" in caught.value.hint


# ------------------------------------------------------------------ the procedure


@pytest.mark.parametrize("words", [procedure.FORM_413_USAGE, procedure.FORM_413_BOX])
def test_what_is_copied_into_form_413_is_the_procedures_text(words: str) -> None:
    """Letter by letter, between its quotation marks."""
    assert f"« {words} »" in TEXT


def test_the_names_and_addresses_are_the_procedures() -> None:
    """The three CNs, the desks, the platform, the portal, the form."""
    for service in ApplicationService:
        assert f"« {service} »" in TEXT
        assert any(service in line for step in procedure.CHECKLIST for line in step.details)
    for address in (
        procedure.CARDS_DESK,
        procedure.EDITORS_DESK,
        procedure.CARDS_PHONE,
        procedure.PLATFORM,
        procedure.TOM,
        procedure.FORM_301,
        procedure.RIGHTS_PAGE,
    ):
        assert address in TEXT


def test_the_checklist_walks_the_three_sections() -> None:
    """In their order, each with something to tick."""
    sections = [step.section for step in procedure.CHECKLIST]
    assert sections == sorted(sections)
    assert set(sections) == {"1", "2", "3"}


def road(service: ApplicationService, *, test: bool) -> str:
    steps = procedure.next_steps(service, service.value, test=test, key="k.key", request="k.csr")
    return "\n".join([line for step in steps for line in (step.title, *step.details)])


def test_the_next_steps_depend_on_the_service() -> None:
    """Account and smoke test of the ROR or the inter-ROR search; the Annuaire has neither account nor bac-à-sable."""
    for service, table, proof in (
        (ApplicationService.RORN, "[rorn]", "ror-sante smoke-test --env production"),
        (ApplicationService.INTER_ROR, "[inter_ror]", "ror-sante smoke-test --service inter-ror --env production"),
    ):
        told = road(service, test=False)
        assert (table in told, proof in told, service.value in told) == (True, True, True)
    for test, place in ((True, "NAME"), (False, "production")):
        told = road(ApplicationService.ANNUAIRE, test=test)
        assert "client_id" not in told
        assert f"ror-sante smoke-test --service annuaire --env {place}" in told
        assert ("no Annuaire Santé" in told) == test


@pytest.mark.parametrize("test", [True, False])
def test_the_next_steps_depend_on_the_tree(test: bool) -> None:
    """Form F414 and the bac-à-sable for TEST; form 413 and its two texts for production."""
    told = road(ApplicationService.RORN, test=test)
    assert ("F414" in told, "--env bac-a-sable" in told) == (test, test)
    assert (procedure.FORM_413_USAGE in told, procedure.FORM_413_BOX in told) == (not test, not test)
    assert "k.csr" in told
    assert "--key k.key" in told


def test_every_kind_of_structure_can_be_asked_for() -> None:
    """The five digits of the procedure's identifiers."""
    assert sorted(STRUCTURE_DIGITS.values()) == ["0", "1", "2", "3", "4"]
