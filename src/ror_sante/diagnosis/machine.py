"""Look at this machine: versions, replaced libraries, variables that do not count, and who may read our files."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import ssl
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import urllib3
import urllib3.connection

from ror_sante._version import __version__
from ror_sante.diagnosis.report import Check, Outcome
from ror_sante.diagnosis.rung import Seen, failed, ok, warn
from ror_sante.errors import ConfigurationError, printable
from ror_sante.tls.process import check_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from ror_sante.settings import Settings

_LIBRARIES: Final = ("requests", "urllib3", "cryptography", "certifi")
# Distributions that install files over those of urllib3.
_OVER_URLLIB3: Final = ("urllib3-future", "niquests")
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_AUTHORITIES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
# What OpenSSL itself reads, whatever a program does; the context takes back what they loosen (tls.context).
_OPENSSL: Final = ("OPENSSL_CONF", "OPENSSL_MODULES")
_KEY_LOG: Final = "SSLKEYLOGFILE"
# What a check of variables says when there is none.
NONE: Final = "none is set"
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a support desk asks first.

    Attributes:
        facts: names and versions, in the order in which they are told.
        checks: what was looked at: ``ssl``, ``urllib3``, ``proxy variables``, ``authority variables``,
            ``openssl variables``, and ``files``. A warning among them changes no exit code.
    """

    facts: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]

    @classmethod
    def examine(cls, settings: Settings | None = None, *, environ: Mapping[str, str] | None = None) -> Self:
        """Look at the machine that this runs on; nothing is changed, and no content of a file is read.

        Args:
            settings: name the files to look at, and whether the proxy of the environment is used.
            environ: the variables; None takes those of the process.
        """
        known = os.environ if environ is None else environ
        used = settings is not None and settings.network.proxy == "environment"
        looked = {
            "ssl": _replaced(),
            "urllib3": _overwritten(),
            "proxy variables": _proxies(known, used=used),
            "authority variables": _ignored(known, _AUTHORITIES, "trust is what `trust` says, and nothing else"),
            "openssl variables": _openssl(known),
            "files": _files(settings),
        }
        checks = (Check(name=name, outcome=s.outcome, detail=s.detail, hint=s.hint) for name, s in looked.items())
        return cls(facts=tuple(_facts()), checks=tuple(checks))

    @property
    def warned(self) -> tuple[Check, ...]:
        """What should be looked at."""
        return tuple(check for check in self.checks if check.outcome not in (Outcome.OK, Outcome.SKIPPED))

    def to_dict(self) -> dict[str, Any]:
        """Give what the JSON report holds under ``machine``."""
        told = [check.to_dict() for check in self.checks]
        return {"facts": dict(self.facts), "checks": [_without_time(one) for one in told]}


def _without_time(check: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in check.items() if key != "seconds"}


def _facts() -> Iterator[tuple[str, str]]:
    yield "ror-sante", __version__
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "OpenSSL", ssl.OPENSSL_VERSION.removeprefix("OpenSSL ")
    for name in _LIBRARIES:
        yield name, _version(name) or "not installed"
    yield "system", printable(f"{platform.system()} {platform.release()} {platform.machine()}", 100)
    yield "user", _user()


def _running() -> str:
    """Give the version of the urllib3 that runs here, by its own word."""
    return str(vars(urllib3).get("__version__", "unknown"))


def _version(name: str) -> str:
    try:
        return printable(importlib.metadata.version(name), 40)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _user() -> str:
    try:
        return printable(getpass.getuser(), 60)
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


# ------------------------------------------------------------------ libraries


def _replaced() -> Seen:
    """Say whether something stands between us and Python's own TLS."""
    try:
        check_process()
    except ConfigurationError as error:
        return failed(error)
    kind = ssl.SSLContext.__module__.partition(".")[0]
    if kind != "ssl":
        return ok(
            f"{printable(kind, 60)} has replaced ssl.SSLContext; our context is built beneath it, and not affected"
        )
    return ok("Python's own")


def _overwritten() -> Seen:
    """Say whether urllib3 is urllib3: a distribution may have installed over it, or a module taken a class's place."""
    for name in _OVER_URLLIB3:
        if version := _version(name):
            return warn(
                f"{name} {version} is installed: its files lie over those of urllib3",
                f"Install ror-sante in an environment without {name}.",
            )
    if _version("urllib3") != _running():
        return warn(
            f"version {printable(_running(), 40)} runs, {_version('urllib3') or 'none'} is installed",
            "Install it again: pip install --force-reinstall urllib3",
        )
    for kind in (urllib3.PoolManager, urllib3.HTTPSConnectionPool, urllib3.connection.HTTPSConnection):
        if kind.__module__.partition(".")[0] != "urllib3":
            where = printable(kind.__module__, 60)
            return warn(f"{where} has replaced a class of it", f"Make these calls in a process without {where}.")
    return ok("its own files")


# ------------------------------------------------------------------ variables


def _proxies(environ: Mapping[str, str], *, used: bool) -> Seen:
    reason = (
        'used, as [network] proxy = "environment" says' if used else "ignored: a proxy is used only when it is named"
    )
    return _told(_set(environ, _PROXIES), reason)


def _ignored(environ: Mapping[str, str], names: tuple[str, ...], reason: str) -> Seen:
    return _told(_set(environ, names), f"ignored: {reason}")


def _openssl(environ: Mapping[str, str]) -> Seen:
    read = _told(_set(environ, _OPENSSL), "read by OpenSSL when it starts; what they loosen is taken back")
    if not environ.get(_KEY_LOG):
        return read
    logged = f"{_told_variable(_KEY_LOG, environ[_KEY_LOG])}: ignored, session keys are never written"
    return ok(logged if read.detail == NONE else f"{read.detail}; {logged}")


def _set(environ: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """Name the variables that are set, in either case, with their values masked."""
    spelt = [word for name in names for word in (name, name.lower())]
    return [_told_variable(name, environ[name]) for name in spelt if environ.get(name)]


def _told(found: list[str], reason: str) -> Seen:
    return ok(f"{', '.join(found)}: {reason}") if found else ok(NONE)


def _told_variable(name: str, value: str) -> str:
    return f"{name}={masked_userinfo(printable(value, 200))}"


def masked_userinfo(value: str) -> str:
    """Show an address, with or without its scheme, without user and password; a slip in it hides no less.

    >>> masked_userinfo("http://me:p@ss@proxy:3128")
    'http://…@proxy:3128'
    """
    before, at, after = value.rpartition("@")
    scheme, mark, _ = before.partition("://")
    return f"{scheme + mark if mark else ''}…@{after}" if at else value


# ------------------------------------------------------------------ files


def _files(settings: Settings | None) -> Seen:
    """Say who else may read our certificate, its key and the secrets, or change them."""
    paths = [] if settings is None else list(dict.fromkeys(_named(settings)))
    there = [path for path in paths if path.exists()]
    open_ones = [told for path in there if (told := _open_to(path))]
    if open_ones:
        return warn("; ".join(open_ones), f"Close them to others: chmod 600 {_word(there)}")
    return ok(f"{len(there)} of ours, closed to others" if there else "none is named")


def _word(paths: list[Path]) -> str:
    return " ".join(printable(path, 200) for path in paths if _open_to(path))


def _open_to(path: Path) -> str:
    """Say what others may do with a file, or nothing."""
    mode = path.stat().st_mode
    may = [word for bits, word in ((_OTHERS_READ, "read"), (_OTHERS_WRITE, "changed")) if mode & bits]
    if not may:
        return ""
    return f"{printable(path, 200)} may be {' and '.join(may)} by others (mode {stat.S_IMODE(mode):04o})"


def _named(settings: Settings) -> Iterator[Path]:
    """Name the files of the settings that hold a key or a secret."""
    for table in (settings.identity, *settings.identities.values()):
        if table is not None:
            yield from (path for path in (table.p12, table.key, table.next, table.passphrase_file) if path is not None)
    secrets = [settings.network.proxy_password_file, settings.rorn.client_secret_file, settings.annuaire.api_key_file]
    secrets += [settings.inter_ror.client_secret_file]
    secrets += [region.client_secret_file for region in settings.inter_ror.regions.values()]
    yield from (path for path in secrets if path is not None)
