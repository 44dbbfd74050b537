"""Describe a P12 or a certificate."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from rich.table import Table

from ror_sante.cli.console import console, text
from ror_sante.cli.identity.looking import look_closer, table_of
from ror_sante.cli.verb import Verb, ending
from ror_sante.pki.expiry import Validity
from ror_sante.pki.igc import tree_of
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.usage import extended_usages

if TYPE_CHECKING:
    from cryptography import x509

    from ror_sante.cli.identity.looking import Look
    from ror_sante.pki.chain import Chain

_UNFOLDED: Final = 4000
_UNVERIFIED: Final = "Described, not verified: `identity verify` judges the certificate, `smoke-test` tries it."


@click.command(
    "show",
    cls=Verb,
    epilog=ending((0, 2, 3), "ror-sante identity show", "ror-sante identity show client.p12 --format json"),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def show(*, file: Path | None, style: str, passphrase_file: Path | None) -> int:
    """Describe a P12 or a certificate; without FILE, the configured one.

    It describes and does not judge: the exit code is 0 for an expired certificate too. A passphrase is asked for only
    where the certificates are encrypted too; one that is at hand opens the file. Nothing is sent anywhere.
    """
    about = _described(file, passphrase_file, at=datetime.now(UTC))
    if style == "json":
        sys.stdout.write(json.dumps(about, indent=2) + "\n")
    else:
        _print(about)
    return 0


def _described(file: Path | None, passphrase_file: Path | None, *, at: datetime) -> dict[str, Any]:
    seen = look_closer(file, table_of(file, passphrase_file), ask=False)
    return _about(seen.leaf, seen.chain, at=at) | _file(seen)


def _file(seen: Look) -> dict[str, Any]:
    """Describe the file beside its certificate: what else is in it, and what was noticed."""
    shape, opened = seen.outline, seen.identity
    hidden = seen.unopened is not None and (shape is None or shape.keys + shape.hidden_parts > 0)
    notes = opened.notes if opened is not None else (seen.unopened,) if seen.unopened is not None else ()
    return {
        "file": str(seen.path),
        "private_key": opened is not None or hidden,
        "protection": None if shape is None else shape.protection,
        "opened": opened is not None,
        "notes": [{"code": note.code, "message": note.message, "hint": note.hint} for note in notes],
        "verified": False,
    }


def _about(leaf: x509.Certificate, chain: Chain, *, at: datetime) -> dict[str, Any]:
    validity = Validity.of(leaf)
    return {
        "common_name": common_name(leaf),
        "subject_dn": leaf.subject.rfc4514_string(),
        "issuer": describe_name(leaf.issuer),
        "tree": tree_of(leaf),
        "usages": sorted(_usage_name(usage) for usage in extended_usages(leaf) or ()),
        "key": _key(leaf),
        "serial": f"{leaf.serial_number:x}",
        "not_before": f"{validity.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{validity.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": validity.remaining(at).days,
        "sha256": leaf.fingerprint(SHA256()).hex(),
        "chain": [common_name(certificate) for certificate in chain.certificates],
        "supplied": [common_name(certificate) for certificate in chain.supplied],
    }


def _usage_name(usage: x509.ObjectIdentifier) -> str:
    known = {
        "1.3.6.1.5.5.7.3.1": "serverAuth",
        "1.3.6.1.5.5.7.3.2": "clientAuth",
        "1.3.6.1.5.5.7.3.4": "emailProtection",
    }
    return known.get(usage.dotted_string, usage.dotted_string)


def _key(leaf: x509.Certificate) -> str:
    key = leaf.public_key()
    if isinstance(key, RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"EC {key.curve.name}" if isinstance(key, EllipticCurvePublicKey) else type(key).__name__


def _print(about: dict[str, Any]) -> None:
    made = console()
    if not made.is_terminal:
        made.width = _UNFOLDED  # a DN that goes into a file or a mail is one line
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in _rows(about):
        grid.add_row(text(label, "bold"), text(value))
    made.print(grid)
    made.print()
    made.print(text(_UNVERIFIED, "dim"))


def _rows(about: dict[str, Any]) -> list[tuple[str, str]]:
    days = about["days_left"]
    left = f"{days} days left" if days >= 0 else f"EXPIRED {-days} days ago"
    added = ", ".join(about["supplied"])
    return [
        ("file", about["file"] + ("" if about["private_key"] else " (certificates alone, no key)")),
        ("common name", about["common_name"]),
        ("DN for ANS", about["subject_dn"]),
        ("issued by", about["issuer"]),
        ("tree", about["tree"] or "not of IGC-Santé"),
        ("made for", ", ".join(about["usages"]) or "not said"),
        ("key", about["key"]),
        *([("under", about["protection"])] if about["protection"] else []),
        ("valid", f"{about['not_before'][:10]} to {about['not_after'][:10]}, {left}"),
        ("serial", about["serial"]),
        ("sha256", about["sha256"]),
        ("will push", " ← ".join(about["chain"]) + (f" ({added} added by ror-sante)" if added else "")),
        *(("note", note["message"]) for note in about["notes"]),
    ]
