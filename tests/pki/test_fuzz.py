"""Damaged files: whatever the damage, one of our two errors or an identity that can be judged."""

import contextlib

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs7
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ror_sante.environments import ApplicationService
from ror_sante.errors import ConfigurationError, Pkcs12Error
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.pem import read_certificates

FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Where, and with which byte: a place is a fraction of the length, so that one draw serves files of every size.
DAMAGE = st.lists(st.tuples(st.integers(0, 99_999), st.integers(0, 255)), min_size=1, max_size=3)


class Files(dict):
    """Files by name; the short repr keeps the reports of hypothesis readable."""

    def __repr__(self):
        return "files"


def damaged(data, places):
    broken = bytearray(data)
    for place, value in places:
        broken[place * len(broken) // 100_000] = value
    return bytes(broken)


def judge(identity, tree, now):
    """Ask an identity everything; none of it may raise."""
    repr(identity)
    _ = (identity.subject_dn, identity.thumbprint, identity.supplied)
    for anchor in (tree.anchor, [tree.anchor]):
        identity.verify(anchor, at=now, service=ApplicationService.RORN, test=True)


@pytest.fixture(scope="session")
def files(maker, tree, leaf):
    """The shapes of P12 files; what lies in clear without a check reaches every reader when it is damaged."""
    clear = [maker.cert_bag(made.der) for made in (leaf, tree.aci, tree.root)]
    return Files(
        {
            "modern": maker.p12(leaf, [tree.aci, tree.root]),
            "old": maker.p12(leaf, [tree.aci, tree.root], old=True),
            "clear": maker.pfx(maker.key_bag(leaf), *clear),
            "clear certificates": maker.pfx(*clear, maker.key_bag(leaf, "secret")),
        }
    )


@pytest.mark.parametrize("shape", ["modern", "old", "clear", "clear certificates"])
@FEW
@given(places=DAMAGE)
def test_a_damaged_p12_never_surprises(files, tree, now, shape, places):
    """Bytes changed anywhere in a P12 give Pkcs12Error, ConfigurationError, or an identity that can be judged."""
    with contextlib.suppress(Pkcs12Error, ConfigurationError):
        judge(ClientIdentity.from_p12(damaged(files[shape], places), "secret"), tree, now)


@FEW
@given(place=st.integers(0, 4000), value=st.integers(0, 255))
def test_a_damaged_leaf_never_surprises(maker, tree, leaf, now, place, value):
    """A byte changed in one certificate of a file in clear: refused, left out, or judged."""
    made = (leaf, tree.aci)[place % 2]
    broken = bytearray(made.der)
    broken[place // 2 % len(broken)] = value
    bags = [maker.cert_bag(bytes(broken) if made is other else other.der) for other in (leaf, tree.aci, tree.root)]
    with contextlib.suppress(Pkcs12Error, ConfigurationError):
        judge(ClientIdentity.from_p12(maker.pfx(maker.key_bag(leaf, "secret"), *bags), "secret"), tree, now)


@FEW
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"\x30\x82", b"MII", b"-----BEGIN CERTIFICATE-----"]))
def test_garbage_never_surprises(data, start):
    """Bytes of no kind at all give one of our two errors, from every reader."""
    for passphrase in ("secret", None):
        with pytest.raises((Pkcs12Error, ConfigurationError)):
            ClientIdentity.from_p12(start + data, passphrase)
        with pytest.raises((Pkcs12Error, ConfigurationError)):
            ClientIdentity.from_pem(start + data, start + data, passphrase)


@FEW
@given(text=st.text(max_size=20) | st.binary(max_size=20))
def test_no_passphrase_surprises(files, tree, now, text):
    """Any text and any bytes as a passphrase give one of our two errors, or open the file."""
    with contextlib.suppress(Pkcs12Error, ConfigurationError):
        judge(ClientIdentity.from_p12(files["clear certificates"], text), tree, now)


@FEW
@given(places=DAMAGE, which=st.integers(0, 3))
def test_damaged_pem_files_never_surprise(tree, leaf, now, places, which):
    """Bytes changed in certificate, key, encrypted key or bundle: one of our two errors, or an identity."""
    parts = [leaf.pem + tree.aci.pem, leaf.key_pem(), _encrypted(leaf), _bundle(tree)]
    parts[which] = damaged(parts[which], places)
    certificate, key, encrypted, bundle = parts
    with contextlib.suppress(Pkcs12Error, ConfigurationError):
        judge(ClientIdentity.from_pem(certificate, key, intermediates=[bundle]), tree, now)
    with contextlib.suppress(Pkcs12Error, ConfigurationError):
        judge(ClientIdentity.from_pem(certificate, encrypted, "secret"), tree, now)
    with contextlib.suppress(Pkcs12Error):
        read_certificates(bundle, name="bundle")


def _encrypted(made):
    how = BestAvailableEncryption(b"secret")
    return made.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, how)


def _bundle(tree):
    return pkcs7.serialize_certificates([tree.aci.certificate, tree.root.certificate], Encoding.DER)
