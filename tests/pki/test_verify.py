"""The judgement: every flaw found, the gravest first, and a good identity without a word."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from OpenSSL import crypto

from ror_sante.environments import ApplicationService
from ror_sante.errors import (
    ConfigurationError,
    IncompleteChainError,
    Severity,
    UntrustedChainError,
    UsageError,
    ValidityError,
)
from ror_sante.pki.anchor import TrustAnchor
from ror_sante.pki.identity import ClientIdentity, gravest
from ror_sante.pki.igc import CATEGORY, Tree, tree_of
from ror_sante.pki.packaged import packaged
from ror_sante.pki.usage import LAST_DAY_OF_2048

SECOND = dt.timedelta(seconds=1)


@pytest.fixture(scope="module")
def production(maker):
    """A tree that calls itself IGC-Santé production."""
    return maker.tree(unit="IGC-SANTE")


@pytest.fixture(scope="module")
def test_tree(maker):
    """A tree that calls itself IGC-Santé TEST."""
    return maker.tree(unit="IGC-SANTE TEST", prefix="TEST ")


def codes(findings):
    return [finding.code for finding in findings]


def verified(tree, made=None, now=None, others=None, anchor=None, **about):
    return codes(tree.identity(made, others).verify(anchor or tree.anchor, at=now, **about))


# ------------------------------------------------------------------ a good one


def test_a_good_identity_has_no_finding(tree, now):
    """An AUTH_CLI-shaped leaf without subjectAltName, its chain and its root: nothing to say, nothing to raise."""
    findings = tree.identity().verify(tree.anchor, at=now, service=ApplicationService.RORN)
    assert findings == ()
    assert gravest(findings) is None


def test_the_root_may_be_missing_and_several_may_be_trusted(tree, foreign, now):
    """The root need not be in the file, and one good anchor among several is enough."""
    identity = tree.identity(others=[tree.aci])
    assert identity.verify([foreign.anchor, tree.anchor], at=now) == ()
    assert codes(identity.verify([foreign.anchor], at=now)) == ["incomplete-chain"]


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
def test_an_elliptic_curve_identity_is_good(tree, now, curve):
    """A key on P-256 or P-384 is as good as RSA."""
    assert verified(tree, tree.client(key=ec.generate_private_key(curve)), now) == []


# ------------------------------------------------------------------ dates


def test_the_dates_are_judged_to_the_second(tree):
    """Good at its first and last second (with a warning that it ends), refused one second before and after."""
    identity = tree.identity()
    first, last = identity.validity.not_before, identity.validity.not_after
    assert codes(identity.verify(tree.anchor, at=first - SECOND)) == ["not-yet-valid"]
    assert codes(identity.verify(tree.anchor, at=first)) == []
    assert codes(identity.verify(tree.anchor, at=last)) == ["expires-soon"]
    assert codes(identity.verify(tree.anchor, at=last + SECOND)) == ["expired"]


@pytest.mark.parametrize(("days", "expected"), [(61, []), (60, ["expires-soon"]), (1, ["expires-soon"])])
def test_the_end_is_announced_sixty_days_before(tree, days, expected):
    """From sixty days before the end there is a warning, which stops nothing."""
    identity = tree.identity()
    findings = identity.verify(tree.anchor, at=identity.validity.not_after - dt.timedelta(days=days))
    assert codes(findings) == expected
    assert gravest(findings) is None
    assert all(f"in {days} day{'s' if days > 1 else ''}" in finding.message for finding in findings)


def test_the_time_zone_of_the_question_does_not_matter(tree):
    """The same instant in another zone gives the same judgement, in the path validation too."""
    identity = tree.identity()
    last = identity.validity.not_after.astimezone(dt.timezone(dt.timedelta(hours=14)))
    assert codes(identity.verify(tree.anchor, at=last)) == ["expires-soon"]
    assert codes(identity.verify(tree.anchor, at=last + SECOND)) == ["expired"]


def test_an_expired_authority_is_found(maker, tree, leaf, now):
    """An intermediate that is over, or not yet begun, is named with its dates, though the leaf is good."""
    for days in ((-900, -1), (1, 900)):
        aci = maker.authority(tree.aci.certificate.subject, tree.root, key=tree.aci.key, path_length=0, days=days)
        findings = tree.identity(leaf, [aci]).verify(tree.anchor, at=now)
        assert codes(findings) == ["intermediate-expired"]
        assert "AC SIMULATED ELEMENTAIRE ORGANISATIONS" in findings[0].message
        assert isinstance(gravest(findings), ValidityError)


def test_an_expired_root_is_found(maker, tree, leaf, now):
    """An anchor that is over is found like an intermediate."""
    root = maker.authority(tree.root.certificate.subject, None, key=tree.root.key, days=(-900, -1))
    assert verified(tree, leaf, now, anchor=TrustAnchor(root.certificate, "old")) == ["intermediate-expired"]


def test_dates_and_rules_are_separate_findings(maker, tree, now):
    """An expired leaf under a chain that breaks a rule gives both findings."""
    aci = maker.authority(tree.aci.certificate.subject, tree.root, key=tree.aci.key, key_usage={"crl_sign"})
    expired = tree.client(days=(-900, -1))
    assert verified(tree, expired, now, others=[aci]) == ["expired", "broken-link"]


def test_without_a_common_moment_the_dates_alone_are_told(maker, tree, now):
    """Certificates that never held together cannot be validated as a path: their dates say enough."""
    aci = maker.authority(
        tree.aci.certificate.subject, tree.root, key=tree.aci.key, key_usage={"crl_sign"}, days=(-900, -800)
    )
    assert verified(tree, None, now, others=[aci]) == ["intermediate-expired"]


def test_a_time_without_zone_is_refused(tree, now):
    """A naive time is an error of the caller, the only kind that verify raises, with that of no anchor."""
    with pytest.raises(ConfigurationError, match="no time zone"):
        tree.identity().verify(tree.anchor, at=now.replace(tzinfo=None))
    with pytest.raises(ConfigurationError, match="no anchor"):
        tree.identity().verify([], at=now)


# ------------------------------------------------------------------ usage


PRODUCTS = {
    # what, the usages of the certificate: the codes expected
    "SIGN": ({"digital_signature", "content_commitment"}, [Eku.EMAIL_PROTECTION], ["sign-certificate"]),
    "CONF": ({"key_encipherment"}, [Eku.EMAIL_PROTECTION], ["sign-certificate", "wrong-key-usage"]),
    "SERV without clientAuth": ({"digital_signature"}, [Eku.SERVER_AUTH], ["server-certificate"]),
    "other": ({"digital_signature"}, [Eku.CODE_SIGNING], ["no-client-auth"]),
    "any": ({"digital_signature"}, [Eku.ANY_EXTENDED_KEY_USAGE], ["no-client-auth"]),
    "encipherment": ({"key_encipherment"}, [Eku.CLIENT_AUTH], ["wrong-key-usage"]),
    "no keyUsage": (None, [Eku.CLIENT_AUTH], []),
    "also mail": ({"digital_signature"}, [Eku.CLIENT_AUTH, Eku.EMAIL_PROTECTION], []),
}


@pytest.mark.parametrize(("key_usage", "usages", "expected"), PRODUCTS.values(), ids=PRODUCTS)
def test_another_product_is_told_apart(tree, now, key_usage, usages, expected):
    """What is not AUTH_CLI is refused by the name of its product, or by the usage that it lacks."""
    findings = tree.identity(tree.client(key_usage=key_usage, usages=usages)).verify(tree.anchor, at=now)
    assert codes(findings) == expected
    assert isinstance(gravest(findings), UsageError if expected else type(None))


def test_a_certificate_without_extended_usage_is_a_warning(tree, now):
    """No extendedKeyUsage limits nothing: servers take it, and AUTH_CLI always has one, so there is a warning."""
    findings = tree.identity(tree.client(usages=())).verify(tree.anchor, at=now)
    assert codes(findings) == ["no-client-auth"]
    assert gravest(findings) is None


def test_a_server_certificate_with_client_auth_is_refused_from_igc_alone(tree, production, now):
    """SERV SSL of IGC-Santé is the wrong product; another authority's certificate for both uses is only odd."""
    both = [Eku.SERVER_AUTH, Eku.CLIENT_AUTH]
    ours = production.identity(production.client(usages=both)).verify(production.anchor, at=now)
    theirs = tree.identity(tree.client(usages=both)).verify(tree.anchor, at=now)
    assert codes(ours) == codes(theirs) == ["server-certificate"]
    assert isinstance(gravest(ours), UsageError)
    assert gravest(theirs) is None


def test_an_authority_is_no_client(maker, tree, now):
    """The certificate of an authority in place of the leaf is refused."""
    made = maker.issue(tree.client().certificate.subject, tree.root, ca=True)
    assert verified(tree, made, now)[0] == "ca-certificate"


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (lambda maker: maker.rsa(1024), "RSA 1024"),
        (lambda maker: ec.generate_private_key(ec.SECP192R1()), "secp192r1"),
        (lambda maker: ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
    ],
    ids=["RSA 1024", "P-192", "K-256"],
)
def test_a_key_unfit_for_tls_is_found_once(tree, maker, now, key, word):
    """A short RSA key, or a curve that TLS does not sign with, is one finding and not also a fault of the chain."""
    findings = tree.identity(tree.client(key=key(maker))).verify(tree.anchor, at=now)
    assert codes(findings) == ["weak-key"]
    assert word in findings[0].message


@pytest.mark.parametrize(
    ("key", "later", "found"),
    [
        (lambda maker: maker.rsa(2048), dt.timedelta(), []),
        (lambda maker: maker.rsa(2048), SECOND, ["short-key"]),
        (lambda maker: maker.rsa(3072), SECOND, []),
        (lambda maker: ec.generate_private_key(ec.SECP256R1()), SECOND, []),
    ],
    ids=["2048 to the end", "2048 a second more", "3072", "P-256"],
)
def test_a_key_that_serves_past_2030_is_warned_about(tree, maker, now, key, later, found):
    """One second decides, and the size; it is a warning, for it works today."""
    made = tree.client(key=key(maker), end=LAST_DAY_OF_2048 + later)
    findings = tree.identity(made).verify(tree.anchor, at=now)
    assert codes(findings) == found
    assert all(finding.severity is Severity.WARNING and "3072" in finding.hint for finding in findings)


# ------------------------------------------------------------------ chain


def test_a_missing_intermediate_is_named(tree, now):
    """A leaf whose issuer is nowhere: the finding names the issuer and the way to add it."""
    findings = tree.identity(others=[tree.root]).verify(tree.anchor, at=now)
    assert codes(findings) == ["incomplete-chain"]
    assert "AC SIMULATED ELEMENTAIRE ORGANISATIONS, is missing" in findings[0].message
    assert "intermediates" in findings[0].hint
    assert isinstance(gravest(findings), IncompleteChainError)


def test_the_missing_intermediate_mends_the_chain(tree, now):
    """The same identity with the intermediate added is good, and the first one is unchanged."""
    without = tree.identity(others=[])
    assert codes(without.with_intermediates(tree.aci.pem).verify(tree.anchor, at=now)) == []
    assert codes(without.verify(tree.anchor, at=now)) == ["incomplete-chain"]


def test_a_certificate_of_a_person_is_pointed_at(maker, tree, now):
    """A leaf under an authority of PERSONNES gets a hint that cards and people are not what ROR needs."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "AC IGC-SANTE ELEMENTAIRE PERSONNES")])
    persons = maker.authority(subject, tree.root)
    made = maker.issue(tree.client().certificate.subject, persons)
    (finding,) = tree.identity(made, []).verify(tree.anchor, at=now)
    assert "ORGANISATIONS" in finding.hint


def test_another_root_is_not_trusted(tree, foreign, now):
    """A whole chain to another root: both roots are named."""
    findings = foreign.identity().verify(tree.anchor, at=now)
    assert codes(findings) == ["untrusted-chain"]
    assert "AC RACINE FOREIGN ELEMENTAIRE" in findings[0].message
    assert "AC RACINE SIMULATED ELEMENTAIRE" in findings[0].message
    assert isinstance(gravest(findings), UntrustedChainError)


@pytest.mark.parametrize("with_root", [True, False])
def test_the_same_names_with_other_keys_have_words_of_their_own(tree, twin, now, with_root):
    """A chain whose names are all right and whose root has another key is an imitation, and is called so."""
    others = [twin.aci, twin.root] if with_root else [twin.aci]
    findings = twin.identity(others=others).verify(tree.anchor, at=now)
    assert codes(findings) == ["untrusted-chain"]
    assert "has the name of the trusted one" in findings[0].message
    assert "another key" in findings[0].message


def test_an_intermediate_of_the_right_name_and_another_key_breaks_the_link(tree, twin, now):
    """The leaf of one tree with the intermediate of its twin: same name, other key."""
    findings = tree.identity(others=[twin.aci, twin.root]).verify(tree.anchor, at=now)
    assert codes(findings) == ["broken-link"]
    assert "same name, other key" in findings[0].message
    assert isinstance(gravest(findings), UntrustedChainError)


def test_a_name_of_igc_is_not_enough_to_borrow_its_intermediate(maker, now):
    """A leaf that claims the real ACI-EL-ORG as issuer is not completed with it: the signature decides."""
    real = packaged("ACI-EL-ORG").subject
    imitation = maker.authority(real, None)
    made = maker.issue(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")]), imitation)
    identity = ClientIdentity.from_p12(maker.p12(made), "secret")
    assert identity.supplied == ()
    assert codes(identity.verify(TrustAnchor.igc_sante(), at=now)) == ["broken-link"]


RULES = {
    "no CA flag": {"ca": False},
    "no keyCertSign": {"key_usage": {"crl_sign"}},
    "for servers only": {"usages": [Eku.SERVER_AUTH]},
}


@pytest.mark.parametrize("about", RULES.values(), ids=RULES)
def test_an_intermediate_that_may_not_certify_breaks_the_chain(maker, tree, leaf, now, about):
    """Good signatures by an authority that may not sign certificates, or not for clients, are refused."""
    aci = maker.authority(tree.aci.certificate.subject, tree.root, key=tree.aci.key, **about)
    identity = ClientIdentity.from_pem(leaf.pem, leaf.key_pem("x"), "x").with_intermediates(aci.certificate)
    findings = identity.verify(tree.anchor, at=now)
    assert codes(findings) == ["broken-link"]
    assert "breaks a rule" in findings[0].message


def test_an_authority_below_the_allowed_depth_breaks_the_chain(maker, tree, leaf, now):
    """ACI-EL-ORG may sign end certificates only (pathlen 0): an authority under it is refused."""
    below = maker.authority(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "AC EN TROP")]), tree.aci)
    made = maker.issue(leaf.certificate.subject, below)
    assert verified(tree, made, now, others=[below, tree.aci]) == ["broken-link"]


# ------------------------------------------------------------------ TEST and production


def test_the_two_trees_are_told_by_name_and_by_category(tree, production, test_tree):
    """TEST is told by the issuer's CN, or by the product category byte; our own tree is neither."""
    assert tree_of(production.client().certificate) is Tree.PRODUCTION
    assert tree_of(test_tree.client().certificate) is Tree.TEST
    assert tree_of(tree.client().certificate) is None
    for value, expected in ((b"\x04\x01\x83", Tree.TEST), (b"\x04\x01\x03", None), (b"", None)):
        made = tree.client(extra=[x509.UnrecognizedExtension(CATEGORY, value)])
        assert tree_of(made.certificate) is expected
    assert tree_of(packaged("ACR-EL")) is tree_of(packaged("ACI-EL-ORG")) is Tree.PRODUCTION
    assert tree_of(packaged("ACR-EL-TEST")) is tree_of(packaged("ACI-EL-ORG-TEST")) is Tree.TEST


def test_a_test_certificate_for_production_is_said_so(production, test_tree, now):
    """TEST against the production root: one finding, in plain words, and none about an unknown root beside it."""
    for anchor in (production.anchor, TrustAnchor.igc_sante()):
        findings = test_tree.identity().verify(anchor, at=now)
        assert codes(findings) == ["test-certificate"]
        assert "this is a TEST certificate" in findings[0].message
        assert isinstance(gravest(findings), UntrustedChainError)


def test_a_production_certificate_for_a_test_environment_is_said_so(production, test_tree, now):
    """The reverse mix-up has a code and words of its own."""
    for anchor in (test_tree.anchor, TrustAnchor.igc_sante_test()):
        findings = production.identity().verify(anchor, at=now)
        assert codes(findings) == ["production-certificate"]
        assert "this is a production certificate" in findings[0].message


def test_the_environment_says_what_it_expects(production, test_tree, tree, now):
    """Even where both roots are trusted, an environment that says which it is refuses the other tree."""
    both = [production.anchor, test_tree.anchor]
    assert codes(test_tree.identity().verify(both, at=now)) == []
    assert codes(test_tree.identity().verify(both, at=now, test=True)) == []
    assert codes(test_tree.identity().verify(both, at=now, test=False)) == ["test-certificate"]
    assert codes(production.identity().verify(both, at=now, test=False)) == []
    assert codes(production.identity().verify(both, at=now, test=True)) == ["production-certificate"]
    assert codes(tree.identity().verify(tree.anchor, at=now, test=True)) == []


def test_a_mix_up_does_not_hide_a_hole_in_the_chain(production, test_tree, now):
    """A TEST leaf without its intermediate, against production: both are said, the mix-up first."""
    findings = test_tree.identity(others=[]).verify(production.anchor, at=now)
    assert codes(findings) == ["test-certificate", "incomplete-chain"]


# ------------------------------------------------------------------ service, notes, order


def test_another_cn_is_a_warning(tree, now):
    """The recommended CN passes in silence; that of another service is named; any other is allowed, with a word."""
    service = ApplicationService.RORN
    assert verified(tree, tree.client(cn="CLIENT_WS_RORN"), now, service=service) == []
    for cn, word in (
        ("CLIENT_WS_ANNUAIRE", "another service (ANNUAIRE)"),
        ("MON-LOGICIEL", "not the recommended one"),
        ("CLIENT_WS_RORN ", "not the recommended one"),
    ):
        findings = tree.identity(tree.client(cn=cn)).verify(tree.anchor, at=now, service=service)
        assert codes(findings) == ["other-service"]
        assert findings[0].severity is Severity.WARNING
        assert word in findings[0].message
        assert gravest(findings) is None


def test_the_notes_of_the_file_are_findings_too(tree, leaf, now):
    """A key in clear is said again in the judgement, after everything graver."""
    identity = ClientIdentity.from_pem(leaf.pem, leaf.key_pem())
    assert codes(identity.verify(tree.anchor, at=now)) == ["incomplete-chain", "unencrypted-key"]


def test_all_flaws_are_gathered_the_gravest_first(tree, foreign, now):
    """One look tells everything: wrong product, over, and under another root; the error carries them all."""
    made = foreign.client(cn="x", usages=[Eku.EMAIL_PROTECTION], days=(-900, -1))
    findings = foreign.identity(made).verify(tree.anchor, at=now, service=ApplicationService.RORN)
    assert codes(findings) == ["sign-certificate", "expired", "untrusted-chain", "other-service"]
    error = gravest(findings)
    assert isinstance(error, UsageError)
    assert error.findings == findings
    assert "(and 2 more findings)" in str(error)
    assert error.hint == findings[0].hint


# ------------------------------------------------------------------ a second opinion


def openssl_says(identity, anchor, at):
    """Let OpenSSL judge what would be pushed, as a strict TLS server does; give its error, or None."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(anchor.certificate))
    store.set_flags(crypto.X509StoreFlags.X509_STRICT)
    store.set_time(at)
    pushed = [crypto.X509.from_cryptography(certificate) for certificate in identity.chain]
    try:
        crypto.X509StoreContext(store, pushed[0], pushed[1:]).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return None


def test_openssl_agrees(maker, tree, foreign, twin, now):
    """OpenSSL, strict, accepts the chains that we accept and refuses those that we refuse."""
    root, aci, subject = tree.root, tree.aci, tree.aci.certificate.subject
    over = maker.authority(subject, root, key=aci.key, path_length=0, days=(-900, -1))
    no_sign = maker.authority(subject, root, key=aci.key, key_usage={"crl_sign"})
    cases = {
        "good": (tree.identity(), True),
        "good, any order": (tree.identity(others=[root, foreign.aci, aci]), True),
        "good, EC": (tree.identity(tree.client(key=ec.generate_private_key(ec.SECP256R1()))), True),
        "expired": (tree.identity(tree.client(days=(-900, -1))), False),
        "not yet": (tree.identity(tree.client(days=(1, 900))), False),
        "no intermediate": (tree.identity(others=[]), False),
        "intermediate over": (tree.identity(others=[over]), False),
        "intermediate may not sign": (tree.identity(others=[no_sign]), False),
        "twin": (twin.identity(), False),
        "foreign": (foreign.identity(), False),
        "crossed": (tree.identity(others=[twin.aci]), False),
    }
    for name, (identity, accepted) in cases.items():
        ours = identity.verify(tree.anchor, at=now)
        theirs = openssl_says(identity, tree.anchor, now)
        assert (gravest(ours) is None, theirs is None) == (accepted, accepted), (name, ours, theirs)


def test_openssl_agrees_to_the_second(tree):
    """The first and last second of the leaf are the same for OpenSSL."""
    identity = tree.identity()
    first, last = identity.validity.not_before, identity.validity.not_after
    for at in (first - SECOND, first, last, last + SECOND):
        ours = gravest(identity.verify(tree.anchor, at=at))
        assert (ours is None) == (openssl_says(identity, tree.anchor, at) is None), at
