"""Keep a tree of the simulator in a folder, and read it back only when every piece fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ror_sante.errors import ConfigurationError, printable
from ror_sante.simulator.templates import Issued, to_pem
from ror_sante.sync.files import private_folder, write_private

SUBFOLDER: Final = "ca"

# A tree is a few kilobytes; a folder that is none of ours may hold anything.
_LIMIT: Final = 1 << 20

_REMAKE: Final = "Make the tree again: python certs-test/make.py OUT, or SimulatorPki.create().save(OUT)."


@dataclass(frozen=True)
class FoundTree:
    """What a folder held."""

    root: Issued
    intermediate: Issued
    crl: bytes | None


def write_tree(folder: str | Path, root: Issued, intermediate: Issued, *, crl: bytes) -> Path:
    """Write both authorities with their keys in clear, and the CRLs.

    Args:
        folder: where to make the ``ca`` folder.
        root: the root.
        intermediate: the intermediate.
        crl: the CRLs in PEM.

    Returns:
        The ``ca`` folder.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        place = private_folder(Path(folder) / SUBFOLDER)
        for name, issued in (("root", root), ("intermediate", intermediate)):
            write_private(place / f"{name}.pem", to_pem(issued.certificate))
            write_private(place / f"{name}.key", issued.key_pem())
        write_private(place / "crl.pem", crl)
    except OSError as error:
        raise ConfigurationError(
            f"the simulator's PKI cannot be written to {printable(folder)}: {printable(error.strerror)}",
            hint="Name a folder of yours, on a disk with space.",
        ) from error
    return place


def read_tree(folder: str | Path) -> FoundTree:
    """Read what `write_tree` wrote.

    Args:
        folder: the folder that holds ``ca``, or ``ca`` itself.

    Returns:
        The authorities and, when there is one, the text of the CRLs.

    Raises:
        ConfigurationError: a file is missing, unreadable or too long; a key is not its certificate's; the
            intermediate is not the root's.
    """
    place = Path(folder) / SUBFOLDER
    if not place.is_dir():
        place = Path(folder)
    root = _read_authority(place, "root")
    intermediate = _read_authority(place, "intermediate")
    _check_link(root, root, place=place)
    _check_link(intermediate, root, place=place)
    crl = place / "crl.pem"
    return FoundTree(root, intermediate, _read_crl(crl) if crl.exists() else None)


def _read_authority(place: Path, name: str) -> Issued:
    certificate_path, key_path = place / f"{name}.pem", place / f"{name}.key"
    certificate_pem, key_pem = _read(certificate_path), _read(key_path)  # our own errors are ValueErrors too
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as error:
        raise _broken(certificate_path, "is not a certificate in PEM") from error
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise _broken(key_path, "is not a private key in PEM without passphrase") from error
    if not isinstance(key, RSAPrivateKey):
        raise _broken(key_path, "is not an RSA key")
    if key.public_key() != certificate.public_key():
        raise _broken(key_path, f"is not the key of {certificate_path.name}")
    return Issued(certificate, key, (certificate,))


def _check_link(child: Issued, issuer: Issued, *, place: Path) -> None:
    try:
        child.certificate.verify_directly_issued_by(issuer.certificate)
    except (InvalidSignature, ValueError, TypeError) as error:
        name = "root.pem" if child is issuer else "intermediate.pem"
        raise _broken(place / name, "was not issued by the key of root.pem") from error


def _read_crl(path: Path) -> bytes:
    data = _read(path)
    try:
        x509.load_pem_x509_crl(data)
    except ValueError as error:
        raise _broken(path, "is not a CRL in PEM") from error
    return data


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise _broken(path, f"cannot be read ({printable(error.strerror)})") from error
    if len(data) > _LIMIT:
        raise _broken(path, "is far too long for a certificate")
    return data


def _broken(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"the simulator's PKI is not usable: {printable(path)} {what}", hint=_REMAKE)
