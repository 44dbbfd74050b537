"""The faults of an export: its kick-off, its polls, its manifest, its files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ror_sante.simulator.export import ERRORS, Listed, Manifest, Pending, lost_job
from ror_sante.simulator.faults.fault import ELSEWHERE, Fault, inside
from ror_sante.simulator.messages import JSON, Reply, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.faults.fault import Scene


def _manifest(scene: Scene) -> Manifest:
    assert isinstance(scene.reply.body, Manifest)  # noqa: S101  for the type checker: see Fault.strikes
    return scene.reply.body


def _refiled(scene: Scene, change: Callable[[Listed], Listed]) -> Reply:
    manifest = _manifest(scene)
    return replace(scene.reply, body=replace(manifest, output=tuple(map(change, manifest.output))))


def _errors_of(manifest: Manifest) -> Listed:
    return Listed(manifest.output[0].url.rpartition("/")[0] + f"/{ERRORS}", 1)


EXPORTS: Final = (
    Fault(
        "export-no-location",
        "The answer to the kick-off names no address to poll.",
        "kickoff",
        lambda scene: replace(scene.reply, headers=()),
    ),
    Fault(
        "export-poll-elsewhere",
        "The address to poll is on another host.",
        "kickoff",
        lambda scene: replace(scene.reply, headers=(("Content-Location", f"{ELSEWHERE}/suivi?_jobId=1"),)),
    ),
    Fault(
        "export-pending",
        "The job says once more that it still runs.",
        "poll",
        lambda _: Reply(202, Pending(), JSON, (("X-Progress", "En attente"), ("Retry-After", "1"))),
    ),
    Fault(
        "export-failed",
        "The job ends with status 500 and an OperationOutcome that says it will not work.",
        "poll",
        lambda _: outcome(500, "business-rule", "L'extraction a échoué."),
    ),
    Fault(
        "export-lost",
        "The job is not known any more: 404.",
        "poll",
        lambda scene: lost_job(dict(scene.call.params).get("_jobId", "")),
    ),
    Fault(
        "export-foreign-file",
        "The manifest names a file on another host.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, url=f"{ELSEWHERE}/fichiers/1.json")),
    ),
    Fault(
        "export-internal-host",
        "The manifest names the files by an internal host of the service, with the right paths.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, url=inside(file.url))),
    ),
    Fault(
        "export-wrong-count",
        "The manifest announces one resource more in each file than there is.",
        "manifest",
        lambda scene: _refiled(scene, lambda file: replace(file, count=(file.count or 0) + 1)),
    ),
    Fault(
        "export-unknown-keys",
        "The manifest holds keys that nobody has described.",
        "manifest",
        lambda scene: replace(
            scene.reply, body=replace(_manifest(scene), extra=(("extension", {"lot": 1}), ("deleted", [])))
        ),
    ),
    Fault(
        "export-error-file",
        "The manifest names a file of errors beside the others.",
        "manifest",
        lambda scene: replace(scene.reply, body=replace(_manifest(scene), error=(_errors_of(_manifest(scene)),))),
    ),
    Fault(
        "export-empty-manifest",
        "The manifest names no file.",
        "manifest",
        lambda scene: replace(scene.reply, body=replace(_manifest(scene), output=())),
    ),
    Fault(
        "export-file-gone",
        "A file is not there any more: 410.",
        "file",
        lambda _: outcome(410, "expired", "Ce fichier a été supprimé."),
    ),
)
