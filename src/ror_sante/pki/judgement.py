"""Judge an identity against the trusted roots, at a time that the caller gives."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from ror_sante.errors import Finding, Severity, printable
from ror_sante.pki.chain import Chain, is_ca, is_signed_by
from ror_sante.pki.expiry import Validity, aware
from ror_sante.pki.igc import Tree, is_igc, tree_of
from ror_sante.pki.names import common_name, describe_name
from ror_sante.pki.usage import check_service, check_usage
from ror_sante.pki.verdict import gravest, ranked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from cryptography import x509

    from ror_sante.environments import ApplicationService
    from ror_sante.pki.anchor import TrustAnchor

# The platform writes to the administrators one month before the end; ordering and exchanging takes some more.
EXPIRES_SOON: Final = timedelta(days=60)
_RENEW: Final = "Order the renewal now; the new certificate has another key, and both may be used side by side."

# IGC-Santé has three families with an authority PERSONNES each; ORGANISATIONS is known of ELEMENTAIRE alone.
_OTHER_FAMILY: Final = re.compile(r"\b(STANDARD|FORT|PERSONNES)\b")


def check_dates(leaf: x509.Certificate, *, at: datetime) -> Iterator[Finding]:
    """Find whether the leaf is expired, not yet valid, or about to end."""
    validity = Validity.of(leaf)
    if at > validity.not_after:
        yield Finding("expired", f"the certificate expired on {_day(validity.not_after)}", _RENEW)
    elif at < validity.not_before:
        yield Finding(
            "not-yet-valid",
            f"the certificate is valid only from {_day(validity.not_before)}; it is judged at {_day(at)}",
            "Check the clock of this machine.",
        )
    elif validity.needs_renewal(at=at, within=EXPIRES_SOON):
        days = validity.remaining(at).days
        yield Finding(
            "expires-soon",
            f"the certificate ends on {_day(validity.not_after)}, in {days} day{'' if days == 1 else 's'}",
            _RENEW,
            Severity.WARNING,
        )


def check_tree(leaf: x509.Certificate, anchors: Sequence[TrustAnchor], *, test: bool | None) -> Iterator[Finding]:
    """Find a TEST certificate where production is expected, and the reverse: the classic mix-up.

    What is expected is what the environment says (`test`), else the tree of the anchors when they are of one.
    """
    actual = tree_of(leaf)
    expected = _expected(anchors, test=test)
    if actual is Tree.TEST and expected is Tree.PRODUCTION:
        yield Finding(
            "test-certificate",
            f"this is a TEST certificate (issued by {describe_name(leaf.issuer)}), and production is asked for",
            "Use the production certificate here, or the environment bac-a-sable for this one.",
        )
    if actual is Tree.PRODUCTION and expected is Tree.TEST:
        yield Finding(
            "production-certificate",
            f"this is a production certificate (issued by {describe_name(leaf.issuer)}), and this environment is a "
            "test one, which trusts the TEST tree",
            "Use a TEST certificate here, and keep the production one out of test machines.",
        )


def check_family(leaf: x509.Certificate) -> Iterator[Finding]:
    """Find a certificate of another family of IGC-Santé: STANDARD, FORT, or one of persons and cards.

    The ROR wants the family ELEMENTAIRE, and in it the authority ORGANISATIONS (procedure of ANS, introduction).
    """
    issuer = describe_name(leaf.issuer)
    if is_igc(leaf) and not is_ca(leaf) and _OTHER_FAMILY.search(issuer):
        yield Finding(
            "other-family",
            f"the certificate is of another family of IGC-Santé: it was issued by {issuer}",
            "ROR needs the product ORG AUTH_CLI, issued by AC IGC-SANTE ELEMENTAIRE ORGANISATIONS.",
        )


def judge(
    chain: Chain,
    anchors: Sequence[TrustAnchor],
    *,
    at: datetime,
    service: ApplicationService | None = None,
    test: bool | None = None,
    notes: Iterable[Finding] = (),
) -> tuple[Finding, ...]:
    """Gather everything that is wrong or odd with a certificate and its chain; a key is not needed for that.

    Args:
        chain: the certificate and its authorities.
        anchors: the trusted roots, one at least.
        at: the time to judge at, with its time zone.
        service: compare the CN with the one recommended for this service.
        test: what the environment expects, see `check_tree`.
        notes: what was noticed before.

    Returns:
        The findings, the gravest first.

    Raises:
        ConfigurationError: `at` has no time zone.
    """
    leaf, moment = chain.certificates[0], aware(at).astimezone(UTC)
    mixed_up = tuple(check_tree(leaf, anchors, test=test))
    usage = tuple(check_usage(leaf))
    weak = any(finding.code == "weak-key" for finding in usage)  # the library's path validation repeats it
    found = check_chain(chain, anchors, at=moment, validate=not weak)
    return ranked(
        (
            *usage,
            *check_family(leaf),
            *mixed_up,
            *check_dates(leaf, at=moment),
            # A certificate of the other tree ends at the other root: that is the same fact, said once.
            *(finding for finding in found if not (mixed_up and finding.code == "untrusted-chain")),
            *(check_service(leaf, service) if service else ()),
            *notes,
        )
    )


def _expected(anchors: Sequence[TrustAnchor], *, test: bool | None) -> Tree | None:
    if test is not None:
        return Tree.TEST if test else Tree.PRODUCTION
    trees = {tree_of(anchor.certificate) for anchor in anchors}
    return trees.pop() if len(trees) == 1 else None


def check_chain(
    chain: Chain, anchors: Sequence[TrustAnchor], *, at: datetime, validate: bool = True
) -> Iterator[Finding]:
    """Find whether the chain reaches an anchor, and whether each authority on the way holds at that time.

    Args:
        chain: ours, root left out.
        anchors: the trusted roots.
        at: the time to judge at, in UTC.
        validate: put a chain that reaches its anchor before the library's path validation too.
    """
    last = chain.certificates[-1]
    anchor = next((anchor for anchor in anchors if is_signed_by(last, anchor.certificate)), None)
    path = [*chain.certificates, anchor.certificate] if anchor else [*chain.certificates]
    yield from _check_authorities(path[1:], at=at)
    if anchor is None:
        yield _not_reaching(chain, anchors)
    elif validate:
        yield from _check_path(path, at=at)


def path_to_anchor(
    chain: Sequence[x509.Certificate], anchors: Sequence[TrustAnchor], *, at: datetime
) -> tuple[x509.Certificate, ...]:
    """Give a chain with its root at the end, once it is proven link by link; the leaf's own dates do not count.

    Args:
        chain: the leaf, then its authorities, without the root.
        anchors: the trusted roots.
        at: the time to judge at, with its time zone.

    Raises:
        IdentityError: it does not end at an anchor, or an authority in it does not hold.
    """
    certificates = tuple(chain)
    error = gravest(ranked(check_chain(Chain(certificates), anchors, at=aware(at).astimezone(UTC))))
    if error is not None:
        raise error
    root = next(anchor.certificate for anchor in anchors if is_signed_by(certificates[-1], anchor.certificate))
    return (*certificates, root)


def _check_authorities(authorities: Sequence[x509.Certificate], *, at: datetime) -> Iterator[Finding]:
    for authority in authorities:
        validity = Validity.of(authority)
        if not validity.is_valid(at):
            yield Finding(
                "intermediate-expired",
                f"the authority {common_name(authority)} is valid from {_day(validity.not_before)} to "
                f"{_day(validity.not_after)}; it is judged at {_day(at)}",
                "Check the clock; if it is right, give the authority's newer certificate with `intermediates`.",
            )


def _not_reaching(chain: Chain, anchors: Sequence[TrustAnchor]) -> Finding:
    last, trusted = chain.certificates[-1], ", ".join(anchor.subject for anchor in anchors[:3])
    issuer = describe_name(last.issuer)
    if any(anchor.certificate.subject == last.issuer for anchor in anchors):
        return Finding(
            "untrusted-chain",
            f"the chain ends at a root that has the name of the trusted one, {issuer}, and another key",
            "It is an imitation, or a root made again under the same name: take both from the same source.",
        )
    if chain.impostors:
        return Finding(
            "broken-link",
            f"{common_name(last)} was not signed by the {issuer} at hand: same name, other key",
            f"Find the {issuer} whose key signed it, from the same source as the certificate.",
        )
    if chain.complete:
        return Finding(
            "untrusted-chain",
            f"the chain ends at {issuer}, which is not trusted here (trusted: {trusted})",
            "Use a certificate issued under the trusted root, or the environment that trusts this one.",
        )
    return Finding(
        "incomplete-chain",
        f"the chain stops at {common_name(last)}: the certificate of its issuer, {issuer}, is missing",
        f"Add it with `intermediates`.{_person_hint(issuer)}",
    )


def _person_hint(issuer: str) -> str:
    """Say that a certificate of a person or a card is of no use, when the issuer's name tells it."""
    return " PERSONNES certifies people and cards; ROR needs ORGANISATIONS." if issuer.endswith(" PERSONNES") else ""


def _check_path(path: Sequence[x509.Certificate], *, at: datetime) -> Iterator[Finding]:
    """Put the chain before the path validation of the cryptographic library (RFC 5280 section 6).

    The authorities meet its web PKI profile, which wants CA:TRUE, path lengths, keyCertSign and sound algorithms,
    as a strict server does. The leaf meets none: AUTH_CLI has no subjectAltName, which that profile demands; its
    usages are judged in `usage`. Dates have findings of their own, so the time is one at which all hold, if any.
    """
    moment = _common_moment(path, at=at)
    if moment is None:
        return
    verifier = (
        PolicyBuilder()
        .store(Store([path[-1]]))
        .time(moment)
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(path[0], list(path[1:-1]))
    except VerificationError as error:
        yield Finding(
            "broken-link",
            f"the signatures link up to {common_name(path[-1])}, and yet the chain breaks a rule: {printable(error)}",
            "An authority in it may not certify this: check that no end certificate stands in for an authority.",
        )


def _common_moment(path: Sequence[x509.Certificate], *, at: datetime) -> datetime | None:
    """Give the time asked for when all certificates hold then, else one at which they all do."""
    spans = [Validity.of(certificate) for certificate in path]
    if all(span.is_valid(at) for span in spans):
        return at
    latest_start = max(span.not_before for span in spans)
    return latest_start if all(span.is_valid(latest_start) for span in spans) else None


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
