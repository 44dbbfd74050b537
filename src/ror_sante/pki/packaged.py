"""Give the IGC-Santé authorities that ship with the package, each checked against the SHA-256 written here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ror_sante.errors import ConfigurationError

# Fingerprints of the certificates published at http://igc-sante.esante.gouv.fr/AC/ and /AC%20TEST/ . The site is
# plain HTTP: a release is compared with these values by a person, never the other way round.
_SHA256: Final = {
    "ACR-EL": "2d9e22ca19f777c6b745257c723ecb8df3c35fa6f1f6ec36b83600c97346967f",
    "ACI-EL-ORG": "d834ee5b40686b73573f60547bf6052c6d404d942a5665cdb2c0b9137b5d27b2",
    "ACR-EL-TEST": "01325aeb193871eec90fa89556804e4185cb362e0ca87a3d79939c71186da805",
    "ACI-EL-ORG-TEST": "dc528e3788691b3f7950164076f95b02c64334c68662bdede5750b4e0e5338f6",
}


@cache
def packaged(name: str) -> x509.Certificate:
    """Give one authority by the name that ANS gives its file, such as ``ACR-EL``.

    Raises:
        ConfigurationError: the installed file is not the one that was released.
    """
    return check(files("ror_sante.pki").joinpath(f"data/{name}.pem").read_bytes(), name=name)


def check(pem: bytes, *, name: str) -> x509.Certificate:
    """Read a packaged certificate and compare it with its SHA-256.

    Raises:
        ConfigurationError: it is another certificate, or none.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        certificate = None
    if certificate is None or certificate.fingerprint(SHA256()).hex() != _SHA256[name]:
        raise ConfigurationError(
            f"the installed copy of {name} is not the one that was released",
            hint="The installation was altered or damaged: reinstall ror-sante, and find out who changed it.",
        )
    return certificate


def packaged_roots() -> tuple[x509.Certificate, ...]:
    """Give ACR-EL and its TEST twin."""
    return packaged("ACR-EL"), packaged("ACR-EL-TEST")


def packaged_intermediates() -> tuple[x509.Certificate, ...]:
    """Give ACI-EL-ORG and its TEST twin, which a chain may lack."""
    return packaged("ACI-EL-ORG"), packaged("ACI-EL-ORG-TEST")
