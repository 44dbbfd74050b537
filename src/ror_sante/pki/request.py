"""Make the key pair and the certificate request (CSR) for a certificate of the product ORG AUTH_CLI."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ror_sante.environments import ApplicationService
from ror_sante.errors import ConfigurationError, Finding, Severity, printable
from ror_sante.identifiers import structure_flaws
from ror_sante.pki.departments import department
from ror_sante.pki.expiry import aware
from ror_sante.pki.protection import encrypted_key
from ror_sante.pki.usage import is_short_key
from ror_sante.pki.verdict import ranked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.pki.hidden import Passphrase

# Every leaf of IGC-Santé that was read has 2048 bits; the platform's own rule is in ANS-PUSC-PSCE_generation-de-csr.
KEY_SIZES: Final = (2048, 3072, 4096)
USUAL_KEY_SIZE: Final = 2048
LIFE: Final = timedelta(days=3 * 365 + 1)
"""How long an ORG AUTH_CLI lives: the procedure of ANS, "Cycle de vie des certificats logiciels"."""

# Seen in a real subject, cut at 40: "AGENCE DES SYSTEMES D'INFORMATION PARTAG". RFC 5280 appendix A.1 has 64 for CN.
_ORGANISATION_LENGTH: Final = 40
_NAME_LENGTH: Final = 64


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whom a certificate is asked for.

    Attributes:
        common_name: the "service applicatif" of the order form's step 3.
        organisation: the structure's name.
        structure: its Struct_IdNat, see `ror_sante.identifiers.structure_id`.
        department: as `ror_sante.pki.departments.department` gives it.
    """

    common_name: str
    organisation: str
    structure: str
    department: str

    def name(self) -> x509.Name:
        """Give the subject in the order in which IGC-Santé encodes it: C, ST, O, OU, CN; the O cut at 40 letters."""
        parts = (
            (NameOID.COUNTRY_NAME, "FR"),
            (NameOID.STATE_OR_PROVINCE_NAME, department(self.department)),
            (NameOID.ORGANIZATION_NAME, self.organisation[:_ORGANISATION_LENGTH].rstrip()),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, self.structure),
            (NameOID.COMMON_NAME, self.common_name),
        )
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A new key and the request for its certificate.

    Attributes:
        key: the private key in PEM, encrypted; it does not show in the repr.
        request: the CSR in PEM.
        subject: the subject that is asked for, CN first.
    """

    key: bytes = field(repr=False)
    request: bytes
    subject: str


def check_subject(subject: Subject, *, test: bool) -> tuple[Finding, ...]:
    """Gather what is wrong with a subject before anything is ordered.

    Args:
        subject: whom the certificate is for.
        test: the certificate is for the TEST tree, whose samples break the rules of the numbers: a warning there.

    Raises:
        ConfigurationError: there is no such department.
    """
    subject.name() if _fits(subject) else department(subject.department)
    return ranked((*_check_texts(subject), *_check_structure(subject.structure, test=test)))


def _fits(subject: Subject) -> bool:
    return not any(finding.severity is Severity.ERROR for finding in _check_texts(subject))


def _check_texts(subject: Subject) -> Iterator[Finding]:
    for what, text, longest in (
        ("common name", subject.common_name, _NAME_LENGTH),
        ("organisation", subject.organisation, 10 * _NAME_LENGTH),
        ("structure", subject.structure, _NAME_LENGTH),
    ):
        if not text.strip() or text != text.strip() or not text.isprintable() or len(text) > longest:
            yield Finding(
                "bad-subject",
                f"the {what} is empty, over {longest} letters, or has a blank at an end or a control character",
                "Write it as it shall stand in the certificate.",
            )
    if len(subject.organisation) > _ORGANISATION_LENGTH:
        yield Finding(
            "long-organisation",
            f"the organisation has {len(subject.organisation)} letters, and IGC-Santé keeps {_ORGANISATION_LENGTH}: "
            f"{printable(subject.organisation[:_ORGANISATION_LENGTH])}",
            "The DN to announce is the one of the certificate that comes back.",
            Severity.WARNING,
        )
    if subject.common_name not in list(ApplicationService):
        yield Finding(
            "unusual-name",
            f"the common name is {printable(subject.common_name)!r}; ANS recommends {', '.join(ApplicationService)}",
            "Keep to it unless the service's owner told you another.",
            Severity.WARNING,
        )


def _check_structure(structure: str, *, test: bool) -> Iterator[Finding]:
    for flaw in structure_flaws(structure):
        yield Finding(
            "bad-structure",
            flaw,
            "Look it up: finess.esante.gouv.fr for a FINESS, annuaire-entreprises.data.gouv.fr for a SIREN or SIRET.",
            Severity.WARNING if test else Severity.ERROR,
        )


def check_key_size(size: int, *, at: datetime) -> Iterator[Finding]:
    """Warn about a key that is too short for the years to come, or longer than the platform is known to take.

    Args:
        size: bits.
        at: the day of the order, with its time zone.
    """
    if is_short_key(size, until=aware(at) + LIFE):
        yield Finding(
            "short-key",
            f"a certificate ordered now lives past 2030, the last year for which ANSSI advises RSA {size}",
            "Try --key-size 3072, if the platform takes it.",
            Severity.WARNING,
        )
    if size != USUAL_KEY_SIZE:
        yield Finding(
            "unusual-key",
            f"every certificate of IGC-Santé that we know has RSA {USUAL_KEY_SIZE}: whether the platform takes {size} "
            "is not known",
            "If the order refuses the request, make another with --key-size 2048.",
            Severity.WARNING,
        )


def make_request(
    subject: Subject, passphrase: Passphrase, *, key_size: int = USUAL_KEY_SIZE, test: bool = False
) -> CertificateRequest:
    """Make an RSA key and the request for its certificate; the key leaves this function encrypted.

    Args:
        subject: whom the certificate is for.
        passphrase: what the key is encrypted with.
        key_size: 2048, 3072 or 4096 bits.
        test: see `check_subject`.

    Raises:
        ConfigurationError: the subject has an error, the size is another, or the passphrase is empty or can be none.
    """
    if key_size not in KEY_SIZES:
        raise ConfigurationError(f"an RSA key of {key_size} bits is not offered", hint="Take 2048, 3072 or 4096.")
    errors = [finding for finding in check_subject(subject, test=test) if finding.severity is Severity.ERROR]
    if errors:
        raise ConfigurationError("; ".join(finding.message for finding in errors), hint=errors[0].hint)
    key = rsa.generate_private_key(65537, key_size)
    name = subject.name()
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return CertificateRequest(encrypted_key(key, passphrase), request.public_bytes(Encoding.PEM), name.rfc4514_string())
