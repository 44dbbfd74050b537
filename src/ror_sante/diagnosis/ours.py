"""Look at our own side before anything is sent: the anchors in force, and the certificate that will be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ror_sante.diagnosis.report import BAD_IDENTITY, Outcome
from ror_sante.diagnosis.rung import Seen, ok, skipped, warn
from ror_sante.environments import WEB_PKI, ApplicationService
from ror_sante.errors import Finding, Severity
from ror_sante.pki.files import label
from ror_sante.pki.judgement import EXPIRES_SOON
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.renewal import LAST_DAYS, advice, compared
from ror_sante.pki.verdict import gravest

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

_PUT_IN_PLACE: Final = "Name it as p12 in the settings, and the one after it in next."
_NAME_NEXT: Final = "Name the renewed P12 as next in the settings: it takes over without a restart."
_SEE_NEXT: Final = "A next certificate is named in the settings: the rung next says whether it can take over."
_COMPARE: Final = "See `ror-sante identity compare` of both, and mend it before the old one ends."

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


def stands_in(opened: Seen, over: ClientIdentity) -> Seen:
    """Say that the certificate in force is the next one, for ours is over; programs that start now take it too."""
    detail = f"ours is not valid today ({_life(over)}), the next one stands in for it; {opened.detail}"
    return replace(opened, outcome=Outcome.WARN, detail=detail, hint=opened.hint or _PUT_IN_PLACE)


def dates(identity: ClientIdentity, findings: Sequence[Finding], *, at: datetime, next_is_named: bool = False) -> Seen:
    """Say how long the certificate still lives; the hint grows more pressing towards the end."""
    left = identity.validity.remaining(at)
    seen = _judged(findings, f"valid until {identity.validity.not_after:%Y-%m-%d}, {left.days} days left")
    pressing = advice(identity.validity, at=at)
    if seen.outcome is not Outcome.WARN or not pressing:
        return seen
    return replace(seen, hint=_SEE_NEXT if next_is_named else f"{pressing} {_NAME_NEXT}")


def awaited(missing: Sequence[Path], current: ClientIdentity | None, *, at: datetime) -> Seen:
    """Say that the next certificate is not there; from 60 days before the end of the one in force that is a warning."""
    told = f"{', '.join(label(file) for file in missing)}: not there yet"
    if current is None or not current.validity.needs_renewal(at=at, within=EXPIRES_SOON):
        return skipped(told)
    last = current.validity.not_after
    return warn(told, f"Put the renewed certificate there before {last:%Y-%m-%d}: it takes over without a restart.")


def coming(
    identity: ClientIdentity, findings: Sequence[Finding], current: ClientIdentity | None, *, at: datetime
) -> Seen:
    """Say who will take over, when, and what stands in its way; as a warning, for today's calls do not need it."""
    told = f"{common_name(identity.certificate)}, valid {_life(identity)}, from {identity.source}"
    pairs = () if current is None else compared(current.certificate, identity.certificate)
    differing = [text for good, text in pairs if not good]
    if findings or differing:
        detail = "; ".join([told, *(finding.message for finding in findings), *differing])
        return warn(detail, _COMPARE if differing else findings[0].hint)
    if current is None:
        return ok(told)
    day = current.validity.not_after - LAST_DAYS
    when = f"on {day:%Y-%m-%d}" if at < day else "at once"
    return ok(f"{told}; same subject DN as the one in force, takes over {when}")


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


def _life(identity: ClientIdentity) -> str:
    return f"{identity.validity.not_before:%Y-%m-%d} to {identity.validity.not_after:%Y-%m-%d}"


def _judged(findings: Sequence[Finding], good: str) -> Seen:
    """Say what is good, unless there are findings: the gravest one decides, all are told."""
    if not findings:
        return ok(good)
    detail = "; ".join(finding.message for finding in findings)
    worst = findings[0]
    if worst.severity is Severity.ERROR:
        return Seen(Outcome.FAIL, detail, worst.hint, BAD_IDENTITY, error=gravest(findings))
    return warn(detail, worst.hint)
