"""Find out whether our certificate was revoked."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import platformdirs

from ror_sante.cli.failures import tell
from ror_sante.cli.identity.looking import look
from ror_sante.cli.place import Flags, settings_of
from ror_sante.cli.verb import Verb, ending
from ror_sante.diagnosis.revocation import RevocationCheck, RevocationReport, Source
from ror_sante.diagnosis.statements import StatementCache
from ror_sante.environments import IGC_SANTE, IGC_SANTE_TEST, WEB_PKI
from ror_sante.errors import UntrustedChainError
from ror_sante.http.proxy import Proxy
from ror_sante.http.publication import Publication
from ror_sante.pki.anchor import TrustAnchor, load_anchors
from ror_sante.pki.judgement import check_chain
from ror_sante.pki.names import common_name
from ror_sante.pki.revocation import Standing
from ror_sante.pki.verdict import gravest, ranked
from ror_sante.settings import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ror_sante.diagnosis.revocation import Method
    from ror_sante.pki.chain import Chain
    from ror_sante.settings import Settings

_METHODS: Final[dict[str, tuple[Method, ...]]] = {"both": ("ocsp", "crl"), "ocsp": ("ocsp",), "crl": ("crl",)}
_log = logging.getLogger(__name__)


@click.command(
    "revocation",
    cls=Verb,
    epilog=ending(
        (0, 1, 2, 3),
        "ror-sante identity revocation",
        "ror-sante identity revocation --method crl --crl aci.crl --crl acr.crl",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--method", type=click.Choice(["both", "ocsp", "crl"]), default="both", show_default=True)
@click.option("--hard-fail", is_flag=True, help="A standing that cannot be found out is a bad verdict too (exit 1).")
@click.option(
    "--ocsp-url", metavar="URL", help="Ask this responder in place of the certificate's; it may lie anywhere."
)
@click.option(
    "--crl",
    "crls",
    multiple=True,
    metavar="URL|FILE",
    help="Read this list in place of the certificates'; repeat it, one for each authority.",
)
@click.option("--anchor", "anchors", multiple=True, metavar="FILE", help="A further root that the chain may end at.")
@click.option("--fresh", is_flag=True, help="Ask again although an answer is kept.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="The passphrase, alone.")
def revocation(
    *,
    file: Path | None,
    method: str,
    hard_fail: bool,
    ocsp_url: str | None,
    crls: tuple[str, ...],
    anchors: tuple[str, ...],
    fresh: bool,
    style: str,
    passphrase_file: Path | None,
) -> int:
    """Ask by OCSP and by CRL whether a P12 or a certificate was revoked; without FILE, the configured one.

    The authorities above it are asked about too. Only the hosts of the IGC-Santé are asked, over http, and answers are
    kept on the disk; an answer counts when it is fresh and signed by the authority. When nothing reliable can be had,
    the verdict is "unknown", which is a warning unless --hard-fail. A passphrase is needed only where the certificates
    are encrypted too.
    """
    settings = settings_of(Flags(p12=file, passphrase_file=passphrase_file))
    check = RevocationCheck(
        Publication(named=frozenset(filter(None, [*crls, ocsp_url])), proxy=Proxy.from_settings(settings.network)),
        cache=StatementCache(platformdirs.user_cache_path("ror-sante", appauthor=False) / "revocation"),
        methods=_METHODS[method],
        ocsp_url=ocsp_url,
        crls=crls,
        fresh=fresh,
    )
    chain = look(file, passphrase_file).chain
    _refuse_unproven(chain, trusted := _anchors(settings, anchors), at := datetime.now(UTC))
    report = check.run(chain.certificates, trusted, at=at)
    if style == "json":
        sys.stdout.write(json.dumps(_as_dict(report), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(report)) + "\n")
    return _verdict(report, hard_fail=hard_fail)


def _refuse_unproven(chain: Chain, anchors: tuple[TrustAnchor, ...], at: datetime) -> None:
    """Say of a chain that ends at a root what `RevocationCheck`, which never sees that root, cannot tell."""
    error = gravest(ranked(check_chain(chain, anchors, at=at)))
    if error is None:
        return
    if isinstance(error, UntrustedChainError):
        error.hint = f"{error.hint} Another root is named with --anchor."
    raise error


def _anchors(settings: Settings, more: tuple[str, ...]) -> tuple[TrustAnchor, ...]:
    """Give the roots of both trees, those of the environment, and those that were named."""
    own = () if settings.environment == SIMULATOR else settings.resolve_environment().anchors
    return load_anchors([IGC_SANTE, IGC_SANTE_TEST, *(word for word in own if word != WEB_PKI), *more])


def _verdict(report: RevocationReport, *, hard_fail: bool) -> int:
    standing = report.standing
    if standing is Standing.REVOKED:
        tell("the certificate is revoked", "Stop using it, and order another: the page Renewal has the runbook.")
    elif standing is Standing.UNKNOWN:
        told = "nothing reliable says whether the certificate is revoked; each place says why"
        tell(told) if hard_fail else _log.warning(told)
    return int(standing is Standing.REVOKED or (hard_fail and standing is Standing.UNKNOWN))


def _lines(report: RevocationReport) -> Iterator[str]:
    for one in report.certificates:
        yield f"{common_name(one.certificate)} (serial {one.certificate.serial_number:x}): {one.standing}"
        if not one.sources:
            yield "  names no place that can be asked"
        for source in one.sources:
            yield f"  {source.method.upper()} {source.place}: {_told(source)}"
    yield f"verdict: {report.standing}"


def _told(source: Source) -> str:
    said = source.statement
    if said is None:
        return "; ".join(part for part in ("nothing to rely on: " + source.problem, source.hint) if part)
    since = f" since {said.revoked_at:%Y-%m-%d %H:%M} UTC" if said.revoked_at else ""
    reason = f" ({said.reason})" if said.reason else ""
    until = f", next {said.next_update:%Y-%m-%d %H:%M} UTC" if said.next_update else ""
    kept = "; kept from an earlier run" if source.kept else ""
    notes = "".join(f"; {note}" for note in said.notes)
    dated = f"of {said.this_update:%Y-%m-%d %H:%M} UTC{until}, signed by {said.signer}"
    return f"{said.standing}{since}{reason}, {dated}{kept}{notes}"


def _as_dict(report: RevocationReport) -> dict[str, Any]:
    return {
        "verdict": report.standing.value,
        "certificates": [
            {
                "common_name": common_name(one.certificate),
                "serial": f"{one.certificate.serial_number:x}",
                "standing": one.standing.value,
                "sources": [_source(source) for source in one.sources],
            }
            for one in report.certificates
        ],
    }


def _source(source: Source) -> dict[str, Any]:
    said = source.statement
    about: dict[str, Any] = {"method": source.method, "place": source.place, "kept": source.kept}
    if said is None:
        return about | {"standing": Standing.UNKNOWN.value, "problem": source.problem, "hint": source.hint}
    moments = {name: getattr(said, name) for name in ("this_update", "next_update", "revoked_at")}
    times = {name: None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in moments.items()}
    more = {"reason": said.reason, "signer": said.signer, "notes": [*said.notes]}
    return about | {"standing": said.standing.value, **times, **more}
