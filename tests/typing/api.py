"""How the public names are used, as a type checker must accept it. Never run; ``make types`` reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

import requests

from ror_sante import (
    AnnuaireSanteClient,
    ApiError,
    ApplicationService,
    Bundle,
    ClientIdentity,
    ClientRejectedError,
    Coding,
    Environment,
    Extraction,
    ExtractionClient,
    Finding,
    HandshakeReceipt,
    IdentityError,
    IdentitySource,
    InterRorClient,
    NationalRorClient,
    RateLimitedError,
    Resource,
    RetryPolicy,
    RorError,
    SessionFactory,
    Settings,
    Simulator,
    SimulatorPki,
    SmokeReport,
    SmokeReports,
    SmokeTest,
    Timeouts,
    TrustAnchor,
    Validity,
    load_settings,
)
from ror_sante.api.annuaire.records import is_deactivated
from ror_sante.api.annuaire.rows import PersonActivity
from ror_sante.api.annuaire.rows import Row as ExtractionRow
from ror_sante.api.filters import Condition
from ror_sante.api.inter_ror import Account, Outcome, RegionalResult, Row
from ror_sante.api.paging import Reached
from ror_sante.api.query import HealthcareServiceQuery, LocationQuery, QuestionnaireQuery, TaskQuery
from ror_sante.api.views import HealthcareServiceView, OrganizationView, Position, PractitionerView, views
from ror_sante.sync.annuaire.download import Downloaded, download
from ror_sante.sync.annuaire.mirror import Mirrored, mirror

now = datetime.now(UTC)

# A certificate, from a path or from bytes, judged at a time.
identity = ClientIdentity.from_p12("client.p12", "secret")
ClientIdentity.from_p12(Path("client.p12"), b"secret")
ClientIdentity.from_p12(b"\x30", None)
other = ClientIdentity.from_pem("client.cer", Path("client.key"), "secret", intermediates=["ACI.pem"])
assert_type(other.with_intermediates(Path("ACI.pem")), ClientIdentity)
assert_type(identity.verify(TrustAnchor.igc_sante(), at=now), tuple[Finding, ...])
identity.verify([TrustAnchor.igc_sante(), TrustAnchor.from_file("root.pem")], at=now, service=ApplicationService.RORN)
assert_type(identity.subject_dn, str)
assert_type(identity.validity, Validity)
assert_type(identity.validity.is_valid(now), bool)

# A session that application code can use as it is.
factory = SessionFactory(
    identity,
    TrustAnchor.igc_sante(),
    retry=RetryPolicy(attempts=3),
    proxy="http://proxy:3128",
    timeout=Timeouts(read=10),
)
session: requests.Session = factory.session("https://host.example", "https://other.example:8443")

# What each connection showed.
for receipt in factory.session("https://host.example").receipts:
    assert_type(receipt, HandshakeReceipt)
    assert_type(receipt.sent_names, tuple[str, ...])
    assert_type(receipt.lines(), tuple[tuple[str, str], ...])

# An identity that is followed when its file is renewed, or a function that gives one.
successor = IdentitySource.from_p12("next.p12", "secret")
SessionFactory(IdentitySource.from_p12("client.p12", "secret", successor=successor), TrustAnchor.igc_sante())
SessionFactory(lambda: identity, TrustAnchor.igc_sante())

# The national ROR.
profile = Coding("CU22", "1.2.250.1.213.1.6.1.66")
role = Coding("AUTOMATE", "1.2.250.1.213.1.1.4.6")
with NationalRorClient(
    Environment.bac_a_sable(), identity, client_id="client", profile=profile, role=role, retry=RetryPolicy.none()
) as ror:
    for resource in ror.search("HealthcareService", [("_count", "10")], max_results=5, included=True):
        assert_type(resource, Resource)
        resource["name"]
    for page in ror.pages("Location", {"_count": "200"}, allow_truncated=True, prefetch=False):
        assert_type(page, Bundle)
        assert_type(page.total, int | None)
    ror.read("Location", "1").decode()
    ror.metadata()
    assert_type(ror.request("GET", "/ws-diffusion-fhir/metadata").status, int)

# The Annuaire Santé.
with AnnuaireSanteClient(Environment.production(), identity, api_key="key", retry=RetryPolicy.none()) as annuaire:
    assert_type(annuaire.extractions, ExtractionClient)
    for resource in annuaire.search("Practitioner", {"family": "MASI"}, max_results=5, included=True):
        assert_type(resource, Resource)
    for page in annuaire.pages("Organization", {"_count": "200"}, allow_truncated=True, prefetch=False):
        assert_type(page, Bundle)
    annuaire.read("Device", "002-1").decode()
    annuaire.metadata()
    assert_type(annuaire.request("GET", "/fhir/v2/metadata").status, int)
    for page in annuaire.scan("Device", reached=Reached("https://host/fhir/v2/_page?id=d", found=200)):
        assert_type([is_deactivated(one) for one in page.matches], list[bool])
    for copied in mirror(annuaire, ["Practitioner"], Path("out"), full=True, overlap=60):
        assert_type(copied, Mirrored)
        assert_type(copied.changes, Path | None)

# Queries and views: an editor completes what stands here.
query = HealthcareServiceQuery().specialty("R211|013").location.near(47.2, -1.6, 15).full_offer()
assert_type(query, HealthcareServiceQuery)
assert_type(query.organization.identifier("1290004324").has_role.practitioner_identifier("1"), HealthcareServiceQuery)
assert_type(LocationQuery().nb_capacity.gt(0).has_offer.name.contains("x").region("Bretagne"), LocationQuery)
assert_type(LocationQuery.where.address_postalcode("60000") | LocationQuery.where.status("active"), Condition)
assert_type(LocationQuery().limit_value.ge(200, "kg").last_updated.le(now).count(5).sort("_id"), LocationQuery)
assert_type(TaskQuery().business_status.not_("03").authored_on.ge(now).focus("HealthcareService/5"), TaskQuery)
assert_type(QuestionnaireQuery().title.contains("lits").status("active"), QuestionnaireQuery)
for offer in views(ror.pages(query), HealthcareServiceView):
    assert_type(offer, HealthcareServiceView)
    assert_type(offer.organization_chain, tuple[OrganizationView, ...])
    assert_type(offer.locations[0].position, Position | None)
    assert_type(offer.roles[0].practitioner, PractitionerView | None)
    assert_type(offer.telecoms[0].confidentiality, str)
    assert_type(offer.raw, Resource)
ror.search(query, max_results=5)

settings = load_settings(Path("ror-sante.toml"), environ={})
assert_type(settings, Settings)
AnnuaireSanteClient.from_settings(settings)
NationalRorClient.from_settings(settings)
NationalRorClient.from_settings(settings, identity=identity, environment=Environment.production())

# The smoke test, of one service and of several.
assert_type(SmokeTest.from_settings(settings).run(lambda check: print(check.name)), SmokeReport)
reports = SmokeTest.from_settings(settings, services=["all"], within=60).run_all()
assert_type(reports, SmokeReports)
assert_type(reports.exit_code, int)

# Errors, and what they tell.
try:
    ror.metadata()
except IdentityError as error:
    assert_type(error.findings, tuple[Finding, ...])
except ClientRejectedError as error:
    assert_type(error.alert, str)
except RateLimitedError as error:
    assert_type(error.retry_after, float | None)
except ApiError as error:
    assert_type(error.status, int)
except RorError as error:
    assert_type(error.hint, str)
    assert_type(error.retryable, bool)

# The simulator, which is imported when it is first named.
with Simulator(SimulatorPki.create(), size=10) as simulator:
    simulator.fault("http-500", times=2)
    assert_type(simulator.url, str)
    assert_type(simulator.identity, ClientIdentity)
    assert_type(simulator.anchor, TrustAnchor)

# One question to many regions.
with InterRorClient.from_settings(load_settings()) as regions:
    search = regions.search(HealthcareServiceQuery().name("x"), regions=["11", "Bretagne"], max_results=3)
    for row in search:
        assert_type(row, Row)
        assert_type(row.distance, float | None)
    assert_type(search.account, Account)
    assert_type(regions.search("Location", {"name": "x"}).result(), RegionalResult)
    assert_type(search.account["11"].outcome, Outcome)

# Extractions of the Annuaire Santé.
with ExtractionClient(Environment.production(), identity) as extractions:
    assert_type(extractions.offer("PS_LibreAcces").available, bool)
    assert_type(download(extractions, "PS_LibreAcces", Path("out"), keep=2), Downloaded)
with Extraction("file.zip") as extraction:
    for line in extraction.rows("SavoirFaire"):
        assert_type(line.as_dict(), dict[str, str])
        if isinstance(line, PersonActivity):
            assert_type(line.postal_code, str)
    for person in extraction.persons():
        assert_type(person.rows, tuple[ExtractionRow, ...])
