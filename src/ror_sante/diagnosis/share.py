"""Mask in a report what a stranger need not know, each thing under one name, so that it still reads as a story."""

from __future__ import annotations

import getpass
import ipaddress
import re
import socket
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast
from urllib.parse import urlsplit

from cryptography.x509.oid import NameOID

from ror_sante.environments import BUILT_IN
from ror_sante.errors import RorError
from ror_sante.pki.names import attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from ror_sante.environments import Environment
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.settings import Settings

T = TypeVar("T")

# Names of the services themselves tell nothing about who calls them.
_PUBLIC: Final = ("esante.gouv.fr", "sante.fr", "localhost")
_NO_PERSON: Final = frozenset({"root", "user", "nobody", "www-data"})
# Words with a dot that are files or Python names, not hosts.
_FILES: Final = frozenset(
    ("cer cnf crl crt csr csv der html json key md p12 p7b pass pem pfx py toml txt xml ssl_ util").split()  # noqa: SIM905  twenty words read better than a list of them
)
_MODULES: Final = ("ror_sante", "ssl", "socket", "urllib3", "requests", "os")

# Struct_IdNat (NOS/MOS): 0 and an ADELI number, or 4 and an RPPS number: the practice of one person. The authorities'
# own "0002 187512751" has a blank after its first digits.
_PERSON: Final = re.compile(r"(?<=OU=)[04]\d{6,}\b(?! ?\d)|(?<=OU = )[04]\d{6,}\b(?! ?\d)")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PATH: Final = re.compile(r"\b[A-Za-z]:\\[^\s'\";,]+|(?<![\w/:.@~\]-])~?/(?:[^\s/'\";:,()]+/)+[^\s/'\";:,()]+")
_IP4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_IP6: Final = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%\w+)?(?![\w:])")
_HOST: Final = re.compile(r"(?<![\w.@-])(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z_]{1,23}(?![\w@(-])")


class Mask:
    """Replaces what is private by a word and a number: ``[host-1]``, ``[path-2]``.

    Args:
        known: pairs of a kind (``client-id``, ``host``, ``path``, ``user``, ``name``) and a value to look for.
        keep: paths of addresses that are no files.
    """

    def __init__(self, known: Iterable[tuple[str, str]] = (), *, keep: Iterable[str] = ()) -> None:
        self._known: dict[str, str] = {}
        self._keep = tuple(path for path in keep if path.strip("/"))
        self._numbers: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        for kind, value in known:
            self._add(kind, value)

    @classmethod
    def of(cls, settings: Settings, environment: Environment) -> Self:
        """Know what the settings, the environment and this machine would give away."""
        return cls(
            [*_accounts(settings), *_hosts(settings, environment), *_files(settings, environment), *_people(settings)],
            keep=[urlsplit(url).path for url in _urls(settings, environment)] + [environment.diffusion_path],
        )

    def learn(self, identity: ClientIdentity) -> None:
        """Know the person whom a certificate names: a practice's number is its owner's, and so is its name."""
        subject = identity.certificate.subject
        units = attributes(subject, NameOID.ORGANIZATIONAL_UNIT_NAME)
        if any(_PERSON.fullmatch(f"OU={unit}", 3) for unit in units):
            for kind, oid in (("number", NameOID.ORGANIZATIONAL_UNIT_NAME), ("name", NameOID.ORGANIZATION_NAME)):
                for value in attributes(subject, oid):
                    self._add(kind, value)

    def learned(self, identity: ClientIdentity) -> ClientIdentity:
        """Know a certificate's person, and give the certificate on."""
        self.learn(identity)
        return identity

    def text(self, words: str) -> str:
        """Give a text with everything private masked."""
        for value in sorted(self._known, key=len, reverse=True):
            if value in words:
                words = self._without(value, self._known[value], words)
        for pattern, kind in ((_PERSON, "number"), (_MAIL, "mail"), (_PATH, "path")):
            words = pattern.sub(lambda found, kind=kind: self._masked(kind, found[0]), words)  # type: ignore[misc]  # a default binds the loop's value
        for pattern, kind in ((_IP4, "address"), (_IP6, "address"), (_HOST, "host")):
            words = pattern.sub(lambda found, kind=kind: self._masked(kind, found[0]), words)  # type: ignore[misc]  # as above
        return words

    def value(self, thing: T) -> T:
        """Give a value (a report, a check, a machine) with all its texts masked; errors are left out of it."""
        if isinstance(thing, Enum) or thing is None:
            return thing
        if isinstance(thing, str):
            return cast("T", self.text(thing))
        if isinstance(thing, RorError):
            return cast("T", None)
        if isinstance(thing, tuple):
            return cast("T", tuple(self.value(one) for one in thing))
        if is_dataclass(thing) and not isinstance(thing, type):
            return replace(thing, **{one.name: self.value(getattr(thing, one.name)) for one in fields(thing)})
        return thing

    def _without(self, value: str, kind: str, words: str) -> str:
        """Mask a value where it stands alone; of a folder, all that lies in it."""
        inside = r"(?:[/\\][^\s'\";:,()]+)*" if kind == "path" else ""
        alone = rf"(?<![\w.-]){re.escape(value)}{inside}(?!-?\w|\.\w)"
        return re.sub(alone, lambda found: self._name(kind, found[0]), words)

    def _add(self, kind: str, value: str) -> None:
        if len(value) > 1:
            self._known.setdefault(value, kind)

    def _masked(self, kind: str, found: str) -> str:
        return self._name(kind, found) if _is_private(kind, found, self._keep) else found

    def _name(self, kind: str, value: str) -> str:
        key = (kind, value.lower() if kind == "host" else value)
        if key not in self._numbers:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._numbers[key] = f"[{kind}-{self._counts[kind]}]"
        return self._numbers[key]


def _is_private(kind: str, found: str, keep: tuple[str, ...]) -> bool:
    match kind:
        case "host":
            last, first = found.rpartition(".")[2].lower(), found.partition(".")[0]
            return not _is_public(found) and last not in _FILES and first not in _MODULES
        case "mail":
            return not _is_public(found.rpartition("@")[2])
        case "path":
            return not found.startswith(keep)
        case "address":
            return _is_address(found)
    return True


def _is_public(host: str) -> bool:
    return any(host.lower() == name or host.lower().endswith(f".{name}") for name in _PUBLIC)


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


# ------------------------------------------------------------------ what is known beforehand


def _accounts(settings: Settings) -> Iterator[tuple[str, str]]:
    tables = (settings.rorn, settings.inter_ror, *settings.inter_ror.regions.values())
    names = [getattr(table, "client_id", None) for table in tables]
    yield from (("client-id", name) for name in names if name)


def _urls(settings: Settings, environment: Environment) -> Iterator[str]:
    places = [environment, *BUILT_IN.values()]
    for place in places:
        yield from filter(None, [place.token_url, place.api_url, place.annuaire_download_url, place.annuaire_fhir_url])
    for table in (settings.inter_ror, *settings.inter_ror.regions.values()):
        yield from filter(None, [table.token_url, getattr(table, "base_url", None)])


def _hosts(settings: Settings, environment: Environment) -> Iterator[tuple[str, str]]:
    names = [urlsplit(url).hostname for url in _urls(settings, environment)]
    names += [urlsplit(settings.network.proxy or "").hostname, socket.gethostname(), *settings.network.no_proxy]
    yield from (("host", name) for name in names if name and not _is_public(name) and not _is_loopback(name))


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _files(settings: Settings, environment: Environment) -> Iterator[tuple[str, str]]:
    paths: list[Path | None] = [settings.source, Path.home(), Path.cwd()]
    for table in (settings.identity, *settings.identities.values()):
        if table is not None:
            paths += [table.p12, table.certificate, table.key, table.next, table.passphrase_file, *table.intermediates]
    groups = [environment.anchors, environment.token_anchors, environment.api_anchors]
    paths += [Path(word) for group in groups for word in group or () if "/" in word or "\\" in word]
    for path in paths:
        if path is not None and len(path.parts) > 1:
            yield from (("path", form) for form in dict.fromkeys([str(path), str(path.absolute())]))


def _people(settings: Settings) -> Iterator[tuple[str, str]]:
    names = [settings.network.proxy_user, Path.home().name]
    try:
        names.append(getpass.getuser())
    except (KeyError, OSError):  # a container's user need not have a name
        names.append(None)
    yield from (("user", name) for name in names if name and name not in _NO_PERSON)
