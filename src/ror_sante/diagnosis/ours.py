"""Look at our own side before anything is sent: the anchors in force, and the certificate that will be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.report import BAD_IDENTITY, Outcome
from ror_sante.diagnosis.rung import Seen, ok, warn
from ror_sante.environments import WEB_PKI, ApplicationService
from ror_sante.errors import Finding, Severity
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.renewal import advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ror_sante.pki.anchor import TrustAnchor
    from ror_sante.pki.identity import ClientIdentity

# Which rung a finding of `ClientIdentity.verify` belongs to; what is not here is about the product.
_RUNG_OF: Final = {
    "any-passphrase": "p12",
    "ber-fallback": "p12",
    "unencrypted-key": "p12",
    "passphrase-variable": "p12",
    "incomplete-chain": "chain",
    "untrusted-chain": "chain",
    "broken-link": "chain",
    "intermediate-expired": "chain",
    "expired": "dates",
    "not-yet-valid": "dates",
    "expires-soon": "dates",
    "test-certificate": "environment",
    "production-certificate": "environment",
    "other-service": "name",
}


_SERVICES: Final = {
    ApplicationService.RORN: "the national ROR",
    ApplicationService.INTER_ROR: "the inter-ROR search",
    ApplicationService.ANNUAIRE: "the Annuaire Santé",
}


def by_rung(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Sort findings by the rung they belong to, in their order."""
    sorted_out: dict[str, list[Finding]] = {}
    for finding in findings:
        sorted_out.setdefault(_RUNG_OF.get(finding.code, "product"), []).append(finding)
    return sorted_out


def trust(anchors: Sequence[TrustAnchor], *, words: Iterable[str]) -> Seen:
    """Name the roots in force; the public web authorities are a warning."""
    web = WEB_PKI in words
    public = [anchor for anchor in anchors if anchor.name.startswith(WEB_PKI)]
    own = [anchor for anchor in anchors if anchor not in public]
    told = [f"{anchor.subject} ({Path(anchor.name).name})" for anchor in own]
    if web:
        told.append(f"the {len(public)} public web authorities ({WEB_PKI})")
    marks = ", ".join(f"sha256 {anchor.sha256}" for anchor in own)
    detail = f"{', '.join(told)}, and nothing else" + (f"; {marks}" if marks else "")
    if web:
        return warn(detail, "The national ROR stands under IGC-Santé: name its root in anchors, if this host does too.")
    return ok(detail)


def opened(identity: ClientIdentity, findings: Sequence[Finding]) -> Seen:
    """Say what the file holds."""
    return _judged(findings, f"opens: {common_name(identity.certificate)} and its private key, from {identity.source}")


def chain(identity: ClientIdentity, findings: Sequence[Finding]) -> Seen:
    """Say what will be pushed, and what this package added to it."""
    links = " ← ".join(common_name(certificate) for certificate in identity.chain)
    added = ", ".join(common_name(certificate) for certificate in identity.supplied)
    told = f"{links} ← {describe_name(identity.chain[-1].issuer)}"
    return _judged(findings, f"{told}; {added} is the package's own copy" if added else told)


def product(findings: Sequence[Finding]) -> Seen:
    """Say whether it is a certificate that authenticates a client."""
    return _judged(findings, "ORG AUTH_CLI: made to authenticate a client (clientAuth, digitalSignature)")


def dates(identity: ClientIdentity, findings: Sequence[Finding], *, at: datetime) -> Seen:
    """Say how long the certificate still lives; the hint grows more pressing towards the end."""
    left = identity.validity.remaining(at)
    seen = _judged(findings, f"valid until {identity.validity.not_after:%Y-%m-%d}, {left.days} days left")
    if seen.outcome is not Outcome.WARN:
        return seen
    return replace(seen, hint=advice(identity.validity, at=at) or seen.hint)


def environment(findings: Sequence[Finding], *, test: bool | None) -> Seen:
    """Say whether the certificate is of the tree that this environment expects."""
    expected = {
        True: "a TEST certificate, as this environment expects",
        False: "a production certificate, as this environment expects",
        None: "this environment does not say whether it expects TEST certificates",
    }
    return _judged(findings, expected[test])


def name(identity: ClientIdentity, findings: Sequence[Finding], *, service: ApplicationService) -> Seen:
    """Say whether the CN is the one that the order form recommends for the service."""
    return _judged(findings, f"{common_name(identity.certificate)}, as recommended for {_SERVICES[service]}")


def _judged(findings: Sequence[Finding], good: str) -> Seen:
    """Say what is good, unless there are findings: the gravest one decides, all are told."""
    if not findings:
        return ok(good)
    detail = "; ".join(finding.message for finding in findings)
    worst = findings[0]
    if worst.severity is Severity.ERROR:
        return Seen(Outcome.FAIL, detail, worst.hint, BAD_IDENTITY)
    return warn(detail, worst.hint)
