"""The faults of the extraction downloads of the Annuaire Santé: their answers, and the zips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ror_sante.simulator import extraction
from ror_sante.simulator.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from ror_sante.simulator.faults.fault import Scene
    from ror_sante.simulator.messages import Reply


def _rezipped(scene: Scene, change: Callable[[bytes], bytes]) -> Reply:
    """Put another zip in the place of the good one; an answer to HEAD tells its size."""
    body = scene.reply.body
    if isinstance(body, extraction.Zipped):
        return replace(scene.reply, body=replace(body, data=change(body.data)))
    return replace(scene.reply, body=change(scene.reply.payload))


def _next(reply: Reply) -> int:
    return int(dict(reply.headers)["Content-Disposition"].rpartition("_")[2].removesuffix(".zip")) + 1


EXTRACTIONS: Final = (
    Fault(
        "extraction-none",
        "There is no new file: 503.",
        "extraction",
        lambda _: extraction.page(503),
    ),
    Fault(
        "extraction-too-soon",
        "The last download is too close: 429, and no word of how long to wait.",
        "extraction",
        lambda _: extraction.page(429),
    ),
    Fault(
        "extraction-502",
        "A gateway on the way has no answer: 502.",
        "extraction",
        lambda _: extraction.page(502),
    ),
    Fault(
        "extraction-no-name",
        "The answer does not name the file, so that its version is not known.",
        "extraction",
        lambda scene: extraction.renamed(scene.reply, ""),
    ),
    Fault(
        "extraction-evil-name",
        "The answer names the file by a path out of the folder.",
        "extraction",
        lambda scene: extraction.renamed(scene.reply, "attachment; filename=../../../tmp/evil_202611250310.zip"),
    ),
    Fault(
        "extraction-newer",
        "The answer names a version that is a minute newer than the one before.",
        "extraction",
        lambda scene: extraction.renamed(
            scene.reply, f"attachment; filename={scene.call.path.rpartition('/')[2]}_{_next(scene.reply)}.zip"
        ),
    ),
    Fault(
        "extraction-damaged",
        "A byte in the middle of the zip is wrong.",
        "zip",
        lambda scene: _rezipped(scene, extraction.damaged),
    ),
    Fault(
        "extraction-slip",
        "The zip holds a member that would be unpacked above its folder.",
        "extraction",
        lambda scene: _rezipped(scene, extraction.slipped),
    ),
    Fault(
        "extraction-bomb",
        "A small zip that unpacks to 64 MiB.",
        "extraction",
        lambda scene: _rezipped(scene, extraction.bomb),
    ),
)
