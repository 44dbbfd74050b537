"""What the Annuaire Santé's gateway answers is judged by what it says, not by its status alone."""

from __future__ import annotations

from typing import Any

import pytest

from ror_sante.api.annuaire.client import AnnuaireSanteClient
from ror_sante.api.annuaire.extractions import ExtractionClient
from ror_sante.api.annuaire.judgement import judge_document, judge_gateway
from ror_sante.api.annuaire.key import KEY_HEADER
from ror_sante.api.annuaire.naming import Names
from ror_sante.api.annuaire.parameters import PARAMETERS, doubts
from ror_sante.api.annuaire.words import criteria, types_asked
from ror_sante.environments import Environment
from ror_sante.errors import AccessDeniedError, ConfigurationError, NotFoundError, ServerFaultError
from ror_sante.settings import load_settings
from tests.api.answers import answer, entry, offer, outcome

BASE = "https://gateway.example/fhir/v2"
PAGE = f"{BASE}/_page?id=d123"
STALE = outcome("exception", "The url can't be processed. Maybe it is too old or corrupted.")
WHOLE = {"resourceType": "Bundle", "entry": [entry(offer(1), None)], "link": [{"relation": "self", "url": BASE}]}


# ------------------------------------------------------------------ statuses


def test_an_old_next_link_is_a_page_that_is_gone() -> None:
    """Status 500 with the server's sentence about old links is no fault of the server: the search begins anew."""
    found = judge_gateway(answer(STALE, 500, PAGE))
    assert isinstance(found, NotFoundError)
    assert not found.retryable


def test_the_same_sentence_elsewhere_is_a_fault() -> None:
    """Only a next link can be too old."""
    assert isinstance(judge_gateway(answer(STALE, 500, f"{BASE}/Practitioner?_page=1")), ServerFaultError)


def test_status_500_with_an_outcome_is_not_repeated() -> None:
    """So the gateway answers to a parameter that it does not know; the hint says so."""
    found = judge_gateway(answer(outcome("exception", "Parameter nope not found"), 500, f"{BASE}/Device"))
    assert isinstance(found, ServerFaultError)
    assert not found.retryable
    assert "parameter" in found.hint


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 500), (b"", 502), (b"<html></html>", 504), (outcome("transient"), 503)]
)
def test_other_server_faults_are_repeated(body: Any, status: int) -> None:
    """Without an OperationOutcome, or with another status, a 5xx may pass."""
    found = judge_gateway(answer(body, status, f"{BASE}/Device"))
    assert isinstance(found, ServerFaultError)
    assert found.retryable


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named(status: int) -> None:
    """The sentence says that it is the key, the hint where it stands and what it must be subscribed to."""
    found = judge_gateway(answer({"message": "Unauthorized"}, status, f"{BASE}/Device"))
    assert isinstance(found, AccessDeniedError)
    assert found.message.startswith("the gateway refuses our API key: ")
    assert "annuaire.api_key_file" in found.hint
    assert "portal.api.esante.gouv.fr" in found.hint


def test_an_address_without_a_fhir_server_is_named() -> None:
    """A 404 that is no OperationOutcome comes from a wrong address; one that is, from a wrong id."""
    nowhere = judge_gateway(answer({"message": "No context-path matches"}, 404, f"{BASE}/metadata"))
    absent = judge_gateway(answer(outcome("not-found"), 404, f"{BASE}/Device/002-1"))
    assert isinstance(nowhere, NotFoundError)
    assert isinstance(absent, NotFoundError)
    assert "annuaire_fhir_url" in nowhere.hint
    assert "annuaire_fhir_url" not in absent.hint


# ------------------------------------------------------------------ whole or broken off


def test_a_whole_page_is_good() -> None:
    """A Bundle that ends with its links is whole."""
    assert judge_document(answer(WHOLE)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}},{"reso',
        b'{"resourceType":"Bundle","entry":[{"resource":{"id":"\xc3',
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "entry": [], "link": []},
    ],
    ids=["empty", "json", "character", "no-link", "empty-link"],
)
def test_a_stream_that_broke_off_is_asked_again(body: Any) -> None:
    """Status 200 with less than a document is a fault of the way, and never an empty page."""
    found = judge_document(answer(body))
    assert found is not None
    assert found.retryable
    assert "breaks off" in found.message
    assert found.fault == "answer-broken"
    assert "_count" in found.hint


@pytest.mark.parametrize(
    "body", [b"[1]", b'{"resourceType":"Bundle","entry":' + b"[" * 200_000 + b"]" * 200_000 + b"}"]
)
def test_what_is_something_else_is_not_asked_again(body: bytes) -> None:
    """JSON of another shape, or nested too deeply, is the same the next time."""
    found = judge_document(answer(body))
    assert found is not None
    assert not found.retryable


def test_a_page_for_people_is_left_to_the_reader() -> None:
    """HTML with status 200 is no broken stream; decoding it tells what it is."""
    assert judge_document(answer(b"<html><title>Maintenance</title></html>", media_type="text/html")) is None


def test_a_resource_needs_no_links() -> None:
    """What was read, and is no Bundle, is whole when it parses."""
    assert judge_document(answer(offer(1, "Device"))) is None


# ------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("_summary", "count", "_elements"),
        ("_sort", "family", "internal ids"),
        ("_since", "2026-11-01", "_lastUpdated"),
        ("_count", "1000", "200"),
        ("mailbox-mss:contains", "@x", "whole address"),
        ("organization.identifier", "990000001", "next pages"),
        ("familly", "X", "close to it: family"),
        ("zzzz", "X", "no documented parameter"),
    ],
)
def test_a_doubtful_parameter_is_told(name: str, value: str, word: str) -> None:
    """What the service has not, or does badly, is said before it is asked."""
    (told,) = doubts("Practitioner", [(name, value)])
    assert word in told


def test_documented_parameters_raise_no_doubt() -> None:
    """Names of the documents, modifiers and repeats included, pass in silence."""
    for resource_type, names in PARAMETERS.items():
        assert not list(doubts(resource_type, [(name, "x") for name in names if name != "mailbox-mss:contains"]))
    assert not list(doubts("Organization", [("name:contains", "x"), ("_count", "200"), ("_count", "many")]))


# ------------------------------------------------------------------ the client, before anything is sent


@pytest.mark.parametrize("key", ["", "short", f"{KEY_HEADER}: 0123456789", "0123 456789", "clé-0123456789", "x" * 600])
def test_what_is_no_key_is_refused_unseen(key: str) -> None:
    """A key is one word of ASCII; the message does not hold what was given."""
    with pytest.raises(ConfigurationError) as caught:
        AnnuaireSanteClient(Environment.production(), api_key=key)
    assert "0123" not in str(caught.value)


def test_no_key_is_said_when_one_is_needed() -> None:
    """A client without a key is good for extractions; a search says what is missing and where it comes from."""
    with (
        AnnuaireSanteClient(Environment.production()) as annuaire,
        pytest.raises(ConfigurationError, match=r"annuaire\.api_key_file is missing") as caught,
    ):
        next(annuaire.search("Device"))
    assert "portal.api.esante.gouv.fr" in caught.value.hint


def test_a_place_without_a_gateway_is_said() -> None:
    """The bac-à-sable has none: no sandbox is documented."""
    with (
        AnnuaireSanteClient(Environment.bac_a_sable(), api_key="0123456789") as annuaire,
        pytest.raises(ConfigurationError, match="bac-a-sable has no FHIR gateway"),
    ):
        annuaire.metadata()


@pytest.mark.parametrize(
    ("method", "path", "headers", "word"),
    [
        ("PUT", "/fhir/v2/Device/1", {}, "takes no"),
        ("GET", "https://autre.example/fhir/v2/Device", {}, "gateway.api.esante.gouv.fr"),
        ("GET", "/fhir/v2/Device", {"esante-api-key": "another-key"}, "set by the client"),
        ("GET", "/fhir/v2/Device", {"Authorization": "Bearer x"}, "set by the client"),
    ],
)
def test_requests_that_would_leave_the_gateway_are_refused(
    method: str, path: str, headers: dict[str, str], word: str
) -> None:
    """No other host, no writing, no other key: nothing is sent."""
    with (
        AnnuaireSanteClient(Environment.production(), api_key="0123456789") as annuaire,
        pytest.raises(ConfigurationError, match=word),
    ):
        annuaire.request(method, path, headers=headers)


@pytest.mark.parametrize("wrong", ["practitioner", "Location"])
def test_another_resource_type_is_refused(wrong: str) -> None:
    """Five types are there; the message names them."""
    with (
        AnnuaireSanteClient(Environment.production(), api_key="0123456789") as annuaire,
        pytest.raises(ConfigurationError, match="Practitioner, PractitionerRole"),
    ):
        annuaire.search(wrong)
        with pytest.raises(ConfigurationError, match="max_results"):
            annuaire.search("Device", max_results=-1)
        with pytest.raises(ConfigurationError, match="not a technical id"):
            annuaire.read("Device", "a/b")


def test_a_closed_client_says_so() -> None:
    """After `close()` nothing is sent."""
    annuaire = AnnuaireSanteClient(Environment.production(), api_key="0123456789")
    annuaire.close()
    with pytest.raises(ConfigurationError, match="closed"):
        annuaire.metadata()


def test_the_key_does_not_show() -> None:
    """Neither the client nor its parts show the key."""
    annuaire = AnnuaireSanteClient(Environment.production(), api_key="0123456789-secret")
    assert "secret" not in repr(annuaire) + repr(vars(annuaire))


def test_settings_make_a_client(tmp_path: Any) -> None:
    """The key comes from its file, and pace and links from the table."""
    key, file = tmp_path / "api.key", tmp_path / "ror-sante.toml"
    key.write_text("0123456789\n", encoding="utf-8")
    file.write_text('environment = "production"\n[annuaire]\napi_key_file = "api.key"\n', encoding="utf-8")
    file.chmod(0o600)
    settings = load_settings(file, environ={})
    assert (settings.annuaire.calls_per_second, settings.annuaire.links) == (17, "rebase")
    with AnnuaireSanteClient.from_settings(settings) as annuaire:
        assert annuaire.environment.name == "production"
        assert annuaire.fhir_base == "https://gateway.api.esante.gouv.fr/fhir/v2"
    with AnnuaireSanteClient.from_settings(settings, api_key="another-key") as annuaire:
        assert repr(annuaire) == "<AnnuaireSanteClient production>"


def test_the_extractions_are_made_once_and_by_the_maker_that_was_given() -> None:
    """At their first use, and not before; without a maker they have the client's own arguments."""
    made: list[ExtractionClient] = []

    def make() -> ExtractionClient:
        made.append(ExtractionClient(Environment.production(), names=Names.known_and(["Own_Extract"], [])))
        return made[-1]

    with AnnuaireSanteClient(Environment.production(), extractions=make) as annuaire:
        assert not made
        assert annuaire.extractions is annuaire.extractions
    assert made == [annuaire.extractions]
    with AnnuaireSanteClient(Environment.production()) as annuaire:
        assert annuaire.extractions.host == made[0].host


# ------------------------------------------------------------------ one word


@pytest.mark.parametrize(
    ("resource_type", "word", "value", "pair"),
    [
        ("Practitioner", "rpps", "10001234565", ("identifier", "10001234565")),
        ("Practitioner", "rpps", " 8 10001234565", ("identifier", "10001234565")),
        ("Organization", "finess", "2B0000020", ("identifier", "2B0000020")),
        ("Organization", "siret", "187 512 751 00020", ("identifier", "18751275100020")),
        ("Organization", "name", "imagerie", ("name:contains", "imagerie")),
        ("Practitioner", "name", " MASI ", ("family", "MASI")),
        ("Organization", "name", "SOINS, AIDE", ("name:contains", "SOINS\\, AIDE")),
        ("Organization", "city", "PARIS", ("address-city", "PARIS")),
        ("PractitionerRole", "mailbox", "a.b@x.mssante.fr", ("mailbox-mss", "a.b@x.mssante.fr")),
    ],
)
def test_a_question_is_a_parameter(resource_type: str, word: str, value: str, pair: tuple[str, str]) -> None:
    """A word gives the parameter of its type; blanks in numbers and the prefix of an IDNPS are taken away."""
    assert criteria(resource_type, **{word: value}) == [pair]


@pytest.mark.parametrize(
    ("resource_type", "word", "value", "message"),
    [
        ("Practitioner", "rpps", "10001234564", "check digit of this RPPS"),
        ("Practitioner", "rpps", "1000123456", "has 11 digits"),
        ("Practitioner", "rpps", "710001234565", "has 11 digits"),
        ("Organization", "finess", "2B0000021", "check digit of this FINESS"),
        ("Organization", "siret", "18751275100021", "check digit of this SIRET"),
        ("Organization", "mailbox", "@ch-dax.mssante.fr", "whole address"),
        ("Organization", "name", "  ", "name is empty"),
        ("Organization", "rpps", "10001234565", "about Practitioner, not about Organization"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(resource_type: str, word: str, value: str, message: str) -> None:
    """A wrong length or check digit, half an address, another type: said before anything is sent, never quoted."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        criteria(resource_type, **{word: value})
    assert value.strip() == "" or value not in f"{caught.value}{caught.value.hint}"


def test_questions_join() -> None:
    """Several words are all meant."""
    assert criteria("Organization", city="PARIS", name="imagerie") == [
        ("name:contains", "imagerie"),
        ("address-city", "PARIS"),
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["rpps"], ("Practitioner",)),
        (["name", "city"], ("Organization",)),
        (["name"], ("Practitioner", "Organization")),
        (["mailbox"], ("Practitioner", "PractitionerRole", "Organization")),
        ([], ()),
        (["rpps", "city"], ()),
    ],
)
def test_questions_name_their_types(words: list[str], found: tuple[str, ...]) -> None:
    """A number tells what it is about; a name may be a person's or a structure's."""
    assert types_asked(words) == found
