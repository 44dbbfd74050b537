"""The simulator's ``$export``: kick-off, polls, manifest, files; jobs that end, and data that change meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.server import Simulator, Variants

REGION = "https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM"


def job_of(caller: Any, *params: tuple[str, str]) -> str:
    """Kick off, and give the address to poll."""
    answer = caller.get("$export", ("_outputFormat", "application/json"), *params)
    assert answer.status == 202
    location: str = answer.headers["Content-Location"]
    return location


def manifest_of(caller: Any, *params: tuple[str, str]) -> Any:
    """Kick off, poll to the end, and give the manifest."""
    location = job_of(caller, *params)
    while (answer := caller.follow(location)).status == 202:
        assert answer.headers["Retry-After"] == "1"
    assert answer.status == 200
    return answer.json


def references(answer: Any) -> list[str]:
    return [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in answer.json["entry"]]


def test_an_export_holds_every_offer_once_and_what_is_linked(run: Any, call: Any) -> None:
    """The files together have each care service once, and every place, role and organization."""
    simulator = run(size=40, variants=Variants(export_slice=15))
    caller = call(simulator)
    manifest = manifest_of(caller)
    assert len(manifest["output"]) == 3
    files = [references(caller.follow(file["url"])) for file in manifest["output"]]
    assert [len(file) for file in files] == [file["count"] for file in manifest["output"]]
    seen = Counter(name for file in files for name in file)
    directory = simulator.directory
    assert all(seen[record.reference] == 1 for record in directory.HealthcareService)
    for record in (*directory.Location, *directory.PractitionerRole):
        assert record.reference in seen
    assert max(seen.values()) > 1  # the same organization is linked in several slices


@pytest.mark.parametrize(("counted", "told"), [(40, True), (39, False)])
def test_the_files_of_a_large_export_are_not_counted(
    run: Any, call: Any, monkeypatch: pytest.MonkeyPatch, counted: int, told: bool
) -> None:
    """The manifest would wait for every resource; each file is made when it is asked for."""
    monkeypatch.setattr("ror_sante.simulator.export._COUNTED", counted)
    caller = call(run(size=40, variants=Variants(export_slice=15)))
    output = manifest_of(caller)["output"]
    assert [("count" in file) for file in output] == [told] * 3
    assert (
        sum(name.startswith("HealthcareService") for file in output for name in references(caller.follow(file["url"])))
        == 40
    )


def test_a_job_says_how_far_it_is(run: Any, call: Any) -> None:
    """As many 202 as the variant says, each with its progress, then the manifest as often as it is asked for."""
    caller = call(run(variants=Variants(export_polls=2, export_wait=7)))
    location = job_of(caller)
    first, second, third, fourth = (caller.follow(location) for _ in range(4))
    assert [first.status, second.status, third.status, fourth.status] == [202, 202, 200, 200]
    assert (first.headers["X-Progress"], second.headers["X-Progress"]) == ("En cours : 0 %", "En cours : 50 %")
    assert (first.headers["Retry-After"], first.body) == ("7", b"")
    assert third.body == fourth.body


def test_a_region_is_a_filter_encoded_once(run: Any, call: Any) -> None:
    """The inner query comes out whole from one decoding; encoded twice, it is refused."""
    caller = call(run(size=200))
    files = manifest_of(caller, ("_typeFilter", f"HealthcareService?_tag={REGION}|11"))["output"]
    entries = caller.follow(files[0]["url"]).json["entry"]
    offers = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "HealthcareService"]
    assert {offer["meta"]["tag"][0]["code"] for offer in offers} == {"11"}
    refused = caller.get("$export", ("_typeFilter", "HealthcareService%3F_tag%3D11"))
    assert (refused.status, refused.issue["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    "params",
    [
        ("_outputFormat", "application/fhir+ndjson"),
        ("_type", "Location"),
        ("_since", "2026-01-01"),
        ("_typeFilter", "Location?_tag=11"),
    ],
)
def test_what_the_ror_does_not_do_is_refused(caller: Any, params: tuple[str, str]) -> None:
    """NDJSON, other types, unknown parameters and other filters are a 400."""
    assert caller.get("$export", params).status == 400


def test_the_formats_that_are_taken(caller: Any) -> None:
    """JSON by both of its names, and with the raw plus of the published samples."""
    for query in ("_outputFormat=application/json", "_outputFormat=application/fhir+json&_type=HealthcareService"):
        assert caller.follow(f"/ws-diffusion-fhir/$export?{query}").status == 202


def test_files_as_ndjson(run: Any, call: Any) -> None:
    """The other wrapper: one resource a line, the same resources in the same order."""
    caller, other = (call(run(variants=Variants(export_files=form))) for form in ("ndjson", "bundle"))
    (url,) = (file["url"] for file in manifest_of(caller)["output"])
    answer = caller.follow(url)
    assert answer.headers["Content-Type"] == "application/fhir+ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    (twin,) = (file["url"] for file in manifest_of(other)["output"])
    assert [f"{line['resourceType']}/{line['id']}" for line in lines] == references(other.follow(twin))


def test_a_bare_manifest(run: Any, call: Any) -> None:
    """The other manifest has addresses and nothing else."""
    manifest = manifest_of(call(run(variants=Variants(manifest="bare"))))
    assert list(manifest) == ["output"]
    assert list(manifest["output"][0]) == ["url"]


def test_a_job_ends(run: Any, call: Any) -> None:
    """One second before its end a job and its file are there, at its end both are gone."""
    simulator = run(variants=Variants(export_life=100))
    caller = call(simulator)
    location = job_of(caller)
    assert caller.follow(location).status == 202
    simulator.clock.advance(98)
    file = caller.follow(location).json["output"][0]["url"]
    assert caller.follow(file).status == 200
    simulator.clock.advance(3)
    assert [caller.follow(location).status, caller.follow(file).status] == [404, 404]


def test_a_job_can_be_deleted(run: Any, call: Any) -> None:
    """DELETE makes an end of it, once; where the service does not know DELETE it is a 405."""
    caller, other = call(run()), call(run(variants=Variants(export_cancel=False)))
    path = _local(job_of(caller))
    bearer = {"Authorization": f"Bearer {caller.token}"}
    assert [caller.send("DELETE", path, bearer).status for _ in range(2)] == [202, 404]
    assert caller.get("$export-poll-status").status == 404
    refused = other.send("DELETE", _local(job_of(other)), {"Authorization": f"Bearer {other.token}"})
    assert refused.status == 405


def _local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_only_the_latest_jobs_are_kept(caller: Any) -> None:
    """A thirty-third job pushes the first one out."""
    first = job_of(caller)
    for _ in range(32):
        last = job_of(caller)
    assert [caller.follow(first).status, caller.follow(last).status] == [404, 202]


@pytest.mark.parametrize("name", ["99.json", "x.json", "-1.json"])
def test_a_file_that_is_not_there_is_404(caller: Any, name: str) -> None:
    """A number beyond the slices, or no number."""
    files = manifest_of(caller)["output"]
    assert caller.follow(files[0]["url"].replace("0.json", name)).status == 404


def test_an_export_without_the_four_headers_is_400(caller: Any) -> None:
    """The rule of the other calls holds for an export."""
    bearer = {"Authorization": f"Bearer {caller.token}"}
    assert caller.send("GET", "/ws-diffusion-fhir/$export", bearer).status == 400


def test_a_job_keeps_the_data_of_its_start(run: Any, call: Any) -> None:
    """What changes after the kick-off is in the next export, and a reset brings the first data back."""
    simulator: Simulator = run(size=12)
    caller = call(simulator)
    before = manifest_of(caller)["output"][0]["url"]
    old = references(caller.follow(before))
    simulator.renew(size=6)
    after = references(caller.follow(manifest_of(caller)["output"][0]["url"]))
    assert references(caller.follow(before)) == old
    assert (_offers(old), _offers(after)) == (12, 6)
    simulator.renew(seed=2)
    assert (simulator.directory.size, simulator.directory.seed) == (6, 2)
    simulator.reset()
    assert (simulator.directory.size, simulator.directory.seed) == (12, 1)


def _offers(names: list[str]) -> int:
    return sum(name.startswith("HealthcareService/") for name in names)


# ------------------------------------------------------------------ faults


def test_faults_of_the_kick_off(ror_simulator: Simulator, caller: Any) -> None:
    """An answer without an address, and one with an address elsewhere."""
    ror_simulator.fault("export-no-location")
    assert caller.get("$export").headers["Content-Location"] is None
    ror_simulator.fault("export-poll-elsewhere")
    assert "autre-hote.invalid" in caller.get("$export").headers["Content-Location"]


@pytest.mark.parametrize(("fault", "status"), [("export-pending", 202), ("export-failed", 500), ("export-lost", 404)])
def test_faults_of_a_poll(ror_simulator: Simulator, caller: Any, fault: str, status: int) -> None:
    """A job that does not come to its end; the next poll finds it again."""
    location = job_of(caller)
    ror_simulator.fault(fault)
    assert [caller.follow(location).status, caller.follow(location).status] == [status, 200]


def test_faults_of_the_manifest(ror_simulator: Simulator, caller: Any) -> None:
    """Each strikes the manifest and lets the polls before it pass."""
    good = manifest_of(caller)

    def struck(fault: str) -> Any:
        ror_simulator.fault(fault)
        return manifest_of(caller)

    assert struck("export-foreign-file")["output"][0]["url"].startswith("https://autre-hote.invalid/")
    inside = struck("export-internal-host")["output"][0]["url"]
    assert (urlsplit(inside).hostname, "$export-get-file" in inside) == ("api-interne.ror.invalid", True)
    assert struck("export-wrong-count")["output"][0]["count"] == good["output"][0]["count"] + 1
    assert {"extension", "deleted"} <= set(struck("export-unknown-keys"))
    assert struck("export-empty-manifest")["output"] == []
    (errors,) = struck("export-error-file")["error"]
    assert references_of_errors(caller.follow(errors["url"])) == ["error"]


def references_of_errors(answer: Any) -> list[str]:
    return [entry["resource"]["issue"][0]["severity"] for entry in answer.json["entry"]]


def test_any_fault_can_strike_a_file(ror_simulator: Simulator, caller: Any) -> None:
    """A fault with at="file" waits for a file, and one of files does not strike elsewhere."""
    ror_simulator.fault("http-500", at="file")
    ror_simulator.fault("export-file-gone")
    url = manifest_of(caller)["output"][0]["url"]
    assert [caller.follow(url).status for _ in range(3)] == [500, 410, 200]


def test_a_fault_of_exports_has_its_place() -> None:
    """It cannot be sent elsewhere."""
    with pytest.raises(ConfigurationError, match="one step of an export or a download and nothing else"):
        Simulator(size=1).fault("export-lost", at="fhir")
