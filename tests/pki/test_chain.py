"""The chain: ordered, proven link by link, the root left out, a missing ACI-EL-ORG completed."""

import itertools

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ror_sante.pki.chain import build_chain, common_name, describe_name, packaged_intermediates
from ror_sante.pki.packaged import packaged


def names(chain):
    return [common_name(certificate) for certificate in chain.certificates]


def test_every_order_gives_the_same_chain(tree, foreign, leaf):
    """Whatever order the file has, and with strangers in it: leaf, intermediate, and no root."""
    bag = [leaf.certificate, tree.aci.certificate, tree.root.certificate, foreign.aci.certificate]
    for order in itertools.permutations(bag):
        chain = build_chain(leaf.certificate, order)
        assert chain.certificates == (leaf.certificate, tree.aci.certificate)
        assert chain.root == tree.root.certificate
        assert chain.complete
        assert chain.supplied == ()


def test_without_the_root_the_chain_is_as_good(tree, leaf):
    """A file without the root pushes the same chain; that it reaches a root is for the anchor to say."""
    chain = build_chain(leaf.certificate, [tree.aci.certificate])
    assert chain.certificates == (leaf.certificate, tree.aci.certificate)
    assert not chain.complete


def test_without_the_intermediate_the_chain_stops(tree, leaf):
    """The root alone does not link to the leaf: the chain is the leaf alone."""
    chain = build_chain(leaf.certificate, [tree.root.certificate])
    assert chain.certificates == (leaf.certificate,)
    assert not chain.complete
    assert chain.impostors == ()


def test_a_missing_intermediate_is_taken_from_the_supplement(tree, leaf):
    """An intermediate that the file lacks is completed when its name and its signature both fit, and is reported."""
    chain = build_chain(leaf.certificate, [], supplement=[tree.aci.certificate])
    assert chain.certificates == (leaf.certificate, tree.aci.certificate)
    assert chain.supplied == (tree.aci.certificate,)


def test_the_owners_copy_comes_before_the_supplement(tree, leaf):
    """What the file holds is not reported as supplied."""
    chain = build_chain(leaf.certificate, [tree.aci.certificate], supplement=[tree.aci.certificate])
    assert chain.supplied == ()


def test_the_same_names_with_other_keys_do_not_link(tree, twin):
    """An intermediate of the right name whose key did not sign the leaf is left out and kept as an impostor."""
    leaf = tree.client().certificate
    for pool, supplement in (([twin.aci.certificate], []), ([], [twin.aci.certificate])):
        chain = build_chain(leaf, pool, supplement=supplement)
        assert chain.certificates == (leaf,)
        assert chain.impostors == (twin.aci.certificate,)


def test_the_right_one_is_found_beside_an_impostor(tree, twin, leaf):
    """With both of one name at hand, the one that signed is taken."""
    chain = build_chain(leaf.certificate, [twin.aci.certificate, tree.aci.certificate, tree.root.certificate])
    assert chain.certificates == (leaf.certificate, tree.aci.certificate)
    assert chain.impostors == ()


def test_of_two_certificates_of_one_key_the_later_is_pushed(maker, tree, leaf):
    """An authority that was certified again under its key: the certificate that ends last is pushed."""
    again = maker.authority(tree.aci.certificate.subject, tree.root, key=tree.aci.key, path_length=0, days=(-10, 2999))
    shorter = maker.authority(tree.aci.certificate.subject, tree.root, key=tree.aci.key, path_length=0, days=(-10, 1))
    for order in itertools.permutations([again, shorter]):
        chain = build_chain(leaf.certificate, [made.certificate for made in order])
        assert chain.certificates == (leaf.certificate, again.certificate)


def test_the_packaged_intermediates_complete_both_real_trees():
    """Each packaged ACI-EL-ORG leads to the packaged root of its tree, though no root was given."""
    for aci, root in zip(packaged_intermediates(), ("ACR-EL", "ACR-EL-TEST"), strict=True):
        chain = build_chain(aci, [])
        assert chain.certificates == (aci,)
        assert chain.root == packaged(root)


def test_a_self_signed_certificate_is_its_own_chain(maker, leaf):
    """A self-signed certificate is pushed as it is, and is its own root."""
    own = maker.issue(leaf.certificate.subject, None).certificate
    chain = build_chain(own, [])
    assert chain.certificates == (own,)
    assert chain.root == own


def test_two_authorities_that_certify_each_other_end(maker, tree, foreign, leaf):
    """A ring of authorities does not hold the search."""
    one = maker.authority(tree.aci.certificate.subject, foreign.aci, key=tree.aci.key)
    two = maker.authority(foreign.aci.certificate.subject, tree.aci, key=foreign.aci.key)
    chain = build_chain(leaf.certificate, [one.certificate, two.certificate])
    assert chain.certificates == (leaf.certificate, one.certificate, two.certificate)
    assert not chain.complete


def test_a_very_long_chain_is_cut(maker, tree):
    """The search stops after eight certificates, so that hostile files cost nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    authorities = [tree.aci]
    for number in range(12):
        subject = tree.root.certificate.subject.__class__(
            [*[*tree.root.certificate.subject][:-1], _cn(tree, f"AC {number}")]
        )
        authorities.append(maker.authority(subject, authorities[-1], key=key))
    leaf = maker.issue(tree.client().certificate.subject, authorities[-1])
    chain = build_chain(leaf.certificate, [made.certificate for made in authorities])
    assert len(chain.certificates) == 8


def _cn(tree, value):
    last = [*tree.root.certificate.subject][-1]
    return last.__class__(last.oid, value)


def test_a_signature_that_cannot_be_checked_is_no_imitation(maker, tree, leaf):
    """An issuer of a kind the library cannot check does not link, and is not called an impostor."""
    other = tree.client(key=ec.generate_private_key(ec.SECP256R1()))
    odd = maker.issue(tree.aci.certificate.subject, tree.root, key=other.key, ca=True)
    chain = build_chain(leaf.certificate, [odd.certificate], supplement=[])
    assert chain.certificates == (leaf.certificate,)
    assert chain.impostors == ()


def test_a_name_is_described_in_one_safe_line(maker, tree):
    """The CN says who it is; without one the whole name does; control characters do not reach the terminal."""
    x500 = tree.root.certificate.subject.__class__
    assert describe_name(tree.aci.certificate.subject) == "AC SIMULATED ELEMENTAIRE ORGANISATIONS"
    assert describe_name(x500([*tree.aci.certificate.subject][:2])) == "O=ASIP-SANTE,C=FR"
    assert describe_name(x500([])) == "(a certificate without a name)"
    hostile = tree.client(cn="nice\x1b[31m\nname").certificate
    assert common_name(hostile) == r"nice\x1b[31m name"
    assert hostile.fingerprint(hashes.SHA256())
