"""The names and addresses in the simulator's certificates, in the pattern of IGC-Santé and plainly not its own."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cryptography import x509
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable

# Hosts that cannot exist (RFC 6761, ".invalid"): nobody is ever asked for the CRL of a throw-away certificate.
_WEB: Final = "http://igc.simulateur.invalid"
_DIRECTORY: Final = "ldap://annuaire.simulateur.invalid"
OCSP_URL: Final = "http://ocsp.simulateur.invalid"


@dataclass(frozen=True)
class Tree:
    """The names of one root and its intermediate.

    Attributes:
        root: subject of the root.
        intermediate: subject of the intermediate.
        test: the tree plays the TEST one: CNs start with ``TEST ``, leaves carry the category of test products.
    """

    root: x509.Name
    intermediate: x509.Name
    test: bool

    @classmethod
    def named(cls, stem: str, *, test: bool) -> Tree:
        """Give the names of a new tree.

        Args:
            stem: the word that starts every CN, ``SIMULATEUR`` for instance.
            test: put ``TEST `` before it, as the TEST tree of IGC-Santé does.
        """
        prefix, unit = (f"TEST {stem}", "SIMULATEUR TEST") if test else (stem, "SIMULATEUR")
        return cls(
            root=_authority_name(unit, f"{prefix} AC RACINE ELEMENTAIRE"),
            intermediate=_authority_name(unit, f"{prefix} AC ELEMENTAIRE ORGANISATIONS"),
            test=test,
        )

    @classmethod
    def of(cls, root: x509.Certificate, intermediate: x509.Certificate) -> Tree:
        """Give the names that certificates already have; CN ``TEST ...`` makes it a TEST tree."""
        common_name = root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        test = any(str(attribute.value).startswith("TEST ") for attribute in common_name)
        return cls(root=root.subject, intermediate=intermediate.subject, test=test)

    @property
    def practice_url(self) -> str:
        """Where the certification practice statement would stand."""
        return f"{_WEB}/PC%20TEST" if self.test else f"{_WEB}/PC"

    @property
    def issuer_url(self) -> str:
        """Where the intermediate's certificate would be published (DER)."""
        return f"{_WEB}/AC%20TEST/ACI-SIM-TEST.cer" if self.test else f"{_WEB}/AC/ACI-SIM.cer"

    def crl_urls(self, authority: x509.Name) -> tuple[str, str]:
        """Where the CRL of one of the two authorities would be published: http, then ldap."""
        file = "ACR-SIM" if authority == self.root else "ACI-SIM"
        http = f"{_WEB}/CRL/{file}-TEST.crl" if self.test else f"{_WEB}/CRL/{file}.crl"
        return http, _entry(authority, "certificaterevocationlist")

    def delta_url(self) -> str:
        """Where the intermediate's delta CRL would be published: by ldap alone, as the real one."""
        return _entry(self.intermediate, "deltarevocationlist")


def _entry(authority: x509.Name, attribute: str) -> str:
    name = quote(authority.rfc4514_string(), safe="=,")
    return f"{_DIRECTORY}/{name}?{attribute};binary?base?objectclass=pkiCa"


def leaf_name(common_name: str, *, organisation: str, structure: str, department: str) -> x509.Name:
    """Give the subject of an ORG leaf, in the order in which IGC-Santé encodes it.

    Args:
        common_name: the "service applicatif".
        organisation: the structure's name.
        structure: its Struct_IdNat: one digit for the kind, then the FINESS, SIRET, ... number.
        department: name and number, ``Paris (75)``.

    Returns:
        C (PrintableString), ST, O, OU, CN (UTF8String), one of each.
    """
    return _name(
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, department),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, structure),
        (NameOID.COMMON_NAME, common_name),
    )


def alternative_name(names: Iterable[str]) -> x509.SubjectAlternativeName:
    """Give the subjectAltName for host names and IP addresses, told apart by their form."""
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority_name(unit: str, common_name: str) -> x509.Name:
    """Two OUs, as the real ones; after ``0002`` comes a SIREN, and this one cannot exist."""
    return _name(
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.ORGANIZATION_NAME, "ROR-SANTE SIMULATEUR"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "0002 000000000"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, common_name),
    )


def _name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
