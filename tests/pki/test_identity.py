"""The identity: made from files or settings, unchanging, and silent about its key."""

import copy
import dataclasses
import datetime as dt
import pickle
import ssl
import sys
import traceback

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

from ror_sante.errors import ConfigurationError, Pkcs12Error, Severity
from ror_sante.pki.chain import packaged_intermediates
from ror_sante.pki.files import SIZE_LIMIT
from ror_sante.pki.hidden import Hidden, hide
from ror_sante.pki.identity import ClientIdentity
from ror_sante.pki.keystore import KeyStore
from ror_sante.pki.packaged import packaged
from ror_sante.settings import IdentitySettings, Secret

PASSPHRASE = "tr0ub4dor&3-é"


@pytest.fixture(scope="module")
def p12(maker, tree, leaf):
    return maker.p12(leaf, [tree.aci, tree.root], PASSPHRASE)


@pytest.fixture
def folder(tmp_path, p12, leaf, tree):
    (tmp_path / "client.p12").write_bytes(p12)
    (tmp_path / "client.pass").write_text(PASSPHRASE + "\n", encoding="utf-8")
    (tmp_path / "leaf.pem").write_bytes(leaf.pem)
    (tmp_path / "leaf.key").write_bytes(leaf.key_pem(PASSPHRASE))
    (tmp_path / "aci.pem").write_bytes(tree.aci.pem)
    return tmp_path


# ------------------------------------------------------------------ what it holds


def test_what_an_identity_tells(tree, leaf, p12):
    """Leaf, chain without the root, dates, thumbprint and the DN as it is declared: CN first, country last."""
    identity = ClientIdentity.from_p12(p12, PASSPHRASE)
    assert identity.certificate == leaf.certificate
    assert identity.chain == (leaf.certificate, tree.aci.certificate)
    assert identity.supplied == identity.notes == ()
    assert identity.validity.not_after == leaf.certificate.not_valid_after_utc
    assert identity.subject_dn == "CN=CLIENT_WS_RORN,OU=33333333333,O=GIP - TEST3012,ST=Paris (75),C=FR"
    assert len(identity.thumbprint) == 64
    assert identity.source == "bytes in memory"


def test_a_dn_with_special_characters_is_escaped(tree):
    """Commas and semicolons, which real CNs hold, are escaped as RFC 4514 wants."""
    identity = tree.identity(tree.client(cn="rpps.tra.henix;asipsante.fr, Côte-d'Or"))
    assert identity.subject_dn.startswith(r"CN=rpps.tra.henix\;asipsante.fr\, Côte-d'Or,OU=33333333333,")


def test_openssl_takes_what_would_be_pushed(tree, tmp_path):
    """The ssl module loads the chain in its order with the key: the leaf is first and the key is the leaf's."""
    identity = tree.identity(others=[tree.root, tree.aci])
    path = tmp_path / "chain.pem"
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in identity.chain)
    path.write_bytes(tree.client().key_pem() + pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path)


def test_the_packages_intermediate_completes_a_real_chain(maker, leaf):
    """A certificate signed by an authority that the package holds would be completed and reported as supplied."""
    aci = packaged_intermediates()[0]
    identity = ClientIdentity(KeyStore(key=leaf.key, certificates=(aci,)))
    assert identity.chain == (aci,)
    assert identity._chain.root == packaged("ACR-EL")  # the way that the package's root was found


# ------------------------------------------------------------------ files


def test_a_path_or_bytes(folder, p12):
    """A path as str or Path, and the content as bytes, bytearray or memoryview, give the same identity."""
    path = folder / "client.p12"
    sources = (path, str(path), p12, bytearray(p12), memoryview(p12))
    assert len({ClientIdentity.from_p12(source, PASSPHRASE).thumbprint for source in sources}) == 1
    assert ClientIdentity.from_p12(path, PASSPHRASE).source == str(path)


def test_a_path_that_cannot_be_read_is_an_error_of_configuration(folder):
    """Missing, a folder, a NUL in the name, a name too long: each has one sentence that holds the path."""
    cases = {
        folder / "none.p12": "does not exist",
        folder: "is a folder",
        "": "is a folder",
        "a\0b": "cannot be read",
        folder / ("x" * 5000): "cannot be read",
        folder / "client.p12" / "x": "cannot be read",
    }
    for path, words in cases.items():
        with pytest.raises(ConfigurationError, match=words):
            ClientIdentity.from_p12(path, PASSPHRASE)


def test_a_file_of_another_account_is_an_error_of_configuration(folder, monkeypatch):
    """A file without the right to read is told, with what to do; root reads everything, so the refusal is made up."""
    from pathlib import Path

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ConfigurationError, match="may not be read by this user") as raised:
        ClientIdentity.from_p12(folder / "client.p12", PASSPHRASE)
    assert "chmod 600" in raised.value.hint


def test_a_huge_file_is_not_read_whole(folder):
    """Beyond 1 MiB a file is refused, even one that never ends."""
    big = folder / "big.p12"
    big.write_bytes(b"\x30" * (SIZE_LIMIT + 1))
    for source in (big, "/dev/zero", b"\x30" * (SIZE_LIMIT + 1)):
        with pytest.raises(ConfigurationError, match="over 1024 KiB"):
            ClientIdentity.from_p12(source, PASSPHRASE)


# ------------------------------------------------------------------ settings


def test_settings_name_a_p12_and_a_passphrase_file(folder):
    """A P12 with the file of its passphrase: the line break at its end is not part of it."""
    settings = IdentitySettings(p12=folder / "client.p12", passphrase_file=folder / "client.pass")
    assert ClientIdentity.from_settings(settings).notes == ()


def test_settings_name_a_certificate_and_its_key(folder, tree, leaf):
    """A certificate with its key and intermediates gives the whole chain."""
    settings = IdentitySettings(
        certificate=folder / "leaf.pem",
        key=folder / "leaf.key",
        passphrase_file=folder / "client.pass",
        intermediates=(folder / "aci.pem",),
    )
    assert ClientIdentity.from_settings(settings).chain == (leaf.certificate, tree.aci.certificate)


def test_a_passphrase_from_the_environment_is_noted(folder):
    """It works, and warns that other programs of the account can read it."""
    settings = IdentitySettings(p12=folder / "client.p12", passphrase=Secret(PASSPHRASE))
    (note,) = ClientIdentity.from_settings(settings).notes
    assert (note.code, note.severity) == ("passphrase-variable", Severity.WARNING)


def test_the_passphrase_is_asked_for_only_when_needed(folder, leaf):
    """With one in the settings, or a key in clear, nobody is asked; else the answer is used, or its lack told."""
    asked = []

    def ask(file):
        asked.append(file)
        return PASSPHRASE

    with_file = IdentitySettings(p12=folder / "client.p12", passphrase_file=folder / "client.pass")
    ClientIdentity.from_settings(with_file, ask=ask)
    (folder / "clear.key").write_bytes(leaf.key_pem())
    ClientIdentity.from_settings(IdentitySettings(certificate=folder / "leaf.pem", key=folder / "clear.key"), ask=ask)
    assert asked == []
    for settings in (
        IdentitySettings(p12=folder / "client.p12"),
        IdentitySettings(certificate=folder / "leaf.pem", key=folder / "leaf.key"),
    ):
        assert ClientIdentity.from_settings(settings, ask=ask).certificate == leaf.certificate
        with pytest.raises(ConfigurationError, match=r"(no passphrase|none) was given"):
            ClientIdentity.from_settings(settings)
    assert asked == [str(folder / "client.p12"), str(folder / "leaf.key")]


def test_settings_without_a_certificate_are_refused():
    """No file at all is an error that names the keys to set."""
    with pytest.raises(ConfigurationError, match="no client certificate is configured") as raised:
        ClientIdentity.from_settings(IdentitySettings())
    assert "ROR_SANTE_IDENTITY_P12" in raised.value.hint


# ------------------------------------------------------------------ it does not change


def test_more_intermediates_make_another_identity(tree, leaf):
    """Adding intermediates changes nothing in place, and adding none gives the same identity."""
    identity = tree.identity(others=[])
    assert identity.with_intermediates() is identity
    more = identity.with_intermediates(tree.aci.certificate, tree.root.der)
    assert more.chain == (leaf.certificate, tree.aci.certificate) or more.chain[1] == tree.aci.certificate
    assert len(identity.chain) == 1
    assert (more.source, more.notes, more.thumbprint) == (identity.source, identity.notes, identity.thumbprint)


def test_nothing_can_be_set_or_deleted(tree):
    """An identity does not change."""
    identity = tree.identity()
    for name in ("private_key", "_key", "anything"):
        with pytest.raises(AttributeError, match="does not change"):
            setattr(identity, name, None)
        with pytest.raises(AttributeError, match="does not change"):
            delattr(identity, name)


def test_a_copy_is_itself(tree):
    """Copies share the one key instead of doubling it."""
    identity = tree.identity()
    assert copy.copy(identity) is identity
    assert copy.deepcopy([identity])[0] is identity


# ------------------------------------------------------------------ it keeps the key to itself


def test_an_identity_cannot_be_pickled(tree):
    """Pickling, at every protocol, is refused with a reason; so is asking for the state."""
    identity = tree.identity()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(identity, protocol)
    with pytest.raises(TypeError, match="cannot be pickled"):
        identity.__reduce__()
    with pytest.raises(TypeError, match="no state"):
        identity.__getstate__()


def test_no_dictionary_holds_the_key(tree):
    """Neither vars nor asdict finds anything; the P12's own record hides the key in its repr."""
    identity = tree.identity()
    with pytest.raises(TypeError):
        vars(identity)
    with pytest.raises(TypeError):
        dataclasses.asdict(identity)
    assert "RSAPrivateKey" not in repr(KeyStore(key=identity.private_key, certificates=identity.chain))


def test_the_repr_is_safe_to_paste(tree, now):
    """The repr tells who, by whom, until when and the start of the thumbprint: one safe line, nothing of the key."""
    identity = tree.identity(tree.client(cn="a\x1b[2Jb"))
    end = now + dt.timedelta(days=900)
    assert repr(identity) == (
        rf"<ClientIdentity 'a\\x1b[2Jb' issued by 'AC SIMULATED ELEMENTAIRE ORGANISATIONS', "
        f"until {end:%Y-%m-%d}, sha256 {identity.thumbprint[:16]}…>"
    )


def test_hidden_values_do_not_show(leaf):
    """Passphrases and contents keep their value and hide it from repr, str and format."""
    for value in (hide("geheim"), hide(b"geheim"), hide(bytearray(b"geheim")), hide(memoryview(b"geheim"))):
        assert value in ("geheim", b"geheim")
        assert "geheim" not in repr(value)
        assert "geheim" not in repr([value])
        assert hide(value) is value
    assert hide(None) is None
    assert str(Hidden(b"geheim")) == f"{Hidden(b'geheim')}" == "<6 bytes>"


def locals_of(error):
    """Write every local variable of our own frames, in the error and all that caused it."""
    text, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text.append(repr(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "ror_sante" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
                text += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
        error = error.__cause__ or error.__context__
    return "\n".join(text)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["str", "bytes"])
def test_a_traceback_with_locals_shows_no_passphrase(p12, leaf, as_bytes, tmp_path):
    """Tools that print the variables of each frame (pytest -l, rich) find no passphrase and no key in ours."""
    wrong = "wr0ng-päss"
    secret = wrong.encode() if as_bytes else wrong
    (tmp_path / "pass").write_text(wrong, encoding="utf-8")
    (tmp_path / "client.p12").write_bytes(p12)
    from_file = IdentitySettings(p12=tmp_path / "client.p12", passphrase_file=tmp_path / "pass")
    asked = IdentitySettings(p12=tmp_path / "client.p12")
    key = leaf.key_pem("other")
    calls = (
        lambda: ClientIdentity.from_p12(p12, secret),
        lambda: ClientIdentity.from_pem(leaf.pem, key, secret),
        lambda: ClientIdentity.from_settings(from_file),
        lambda: ClientIdentity.from_settings(asked, ask=lambda _: wrong),
    )
    for call in calls:
        with pytest.raises(Pkcs12Error) as raised:
            call()
        shown = locals_of(raised.value)
        assert "passphrase" in shown
        for trace in ("wr0ng", "päss", r"p\xc3\xa4ss"):
            assert trace not in shown


def test_a_traceback_with_locals_shows_no_clear_key(tree, leaf):
    """A key in clear that fits no certificate is in no variable's repr either."""
    own = tree.client(usages=[Eku.CLIENT_AUTH])
    with pytest.raises(Pkcs12Error, match="fits none") as raised:
        ClientIdentity.from_pem(own.pem, bytearray(tree.aci.key_pem()))
    assert "PRIVATE KEY-----" not in locals_of(raised.value)


def test_bad_passphrases_leave_no_trace(p12):
    """Refusals before the library is called carry nothing either."""
    for bad in ("nul\0wr0ng", b"wr0ng\xff", "wr0ng\udce9"):
        with pytest.raises(ConfigurationError) as raised:
            ClientIdentity.from_p12(p12, bad)
        assert "wr0ng" not in locals_of(raised.value)


def test_nothing_is_printed(p12, capfd):
    """Reading an identity writes nothing on stdout or stderr."""
    ClientIdentity.from_p12(p12, PASSPHRASE)
    sys.stdout.flush()
    assert capfd.readouterr() == ("", "")
