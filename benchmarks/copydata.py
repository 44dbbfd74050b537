"""Files of an export and pages of a search, of any number of resources of about 3 kB, the same on every run."""

from __future__ import annotations

import json
import random
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from bodies import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FHIR = "/copy"  # the FHIR services of all sizes stand below this path
PAGED = "paged"
PER_FILE = 10_000  # resources: 30 MB a file, a hundred files at a million
PER_PAGE = 200  # the ROR's largest page
PAGES = 50
BYTES = 3_000  # of one resource, about

_TYPES = ("HealthcareService", "Location", "Organization", "Practitioner", "PractitionerRole")
_REGIONS = ("01", "11", "24", "28", "32", "44", "52", "75", "84", "93")
_REGION = "https://mos.esante.gouv.fr/NOS/TRE_R30-RegionOM/FHIR/TRE-R30-RegionOM"
_ID = "0123456789abcdef"  # a place for another of the same length
_SHAPES = 500


def write_export(www: Path, resources: int, url: str) -> None:
    """Write the manifest and the files of an export of so many resources below a server's root."""
    folder = www / FHIR.strip("/") / str(resources)
    folder.mkdir(parents=True)
    output = []
    for first in range(0, resources, PER_FILE):
        count = min(PER_FILE, resources - first)
        name = f"part-{first // PER_FILE:04}.json"
        write_file(folder / name, first, count)
        output.append({"type": "Bundle", "url": f"{url}{FHIR}/{resources}/{name}", "count": count})
    manifest = {"transactionTime": "2026-01-15T08:30:00Z", "requiresAccessToken": True, "output": output, "error": []}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def write_file(path: Path, first: int, count: int) -> None:
    """Write one file of an export, with so many resources from the one that is numbered `first`."""
    with path.open("wb") as file:
        file.write(b'{"resourceType":"Bundle","type":"collection","entry":[')
        file.writelines(_entries(_shapes(_TYPES), first, count))
        file.write(b"]}")


def write_pages(www: Path, url: str, service: str = PAGED, *, pages: int = PAGES, per_page: int = PER_PAGE) -> Path:
    """Write a search of HealthcareServices whose pages lead one to the next; give the folder of the service."""
    folder = www / FHIR.strip("/") / service
    folder.mkdir(parents=True)
    shapes = _shapes(_TYPES[:1])
    names = [_TYPES[0], *(f"page-{number}" for number in range(2, pages + 1)), ""]
    for number, (name, following) in enumerate(pairwise(names)):
        link = [{"relation": "next", "url": f"{url}{FHIR}/{service}/{following}"}] if following else []
        head = {"resourceType": "Bundle", "type": "searchset", "total": pages * per_page, "link": link}
        with (folder / name).open("wb") as file:
            file.write(json.dumps(head).encode()[:-1] + b', "entry":[')
            file.writelines(_entries(shapes, number * per_page, per_page))
            file.write(b"]}")
    return folder


def _entries(shapes: list[tuple[bytes, bytes]], first: int, count: int) -> Iterator[bytes]:
    for number in range(first, first + count):
        before, after = shapes[number % len(shapes)]
        yield b"%s%s%016x%s" % (b"," if number > first else b"", before, number, after)


@cache
def _shapes(types: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    """Give entries cut in two where the id goes."""
    chance = random.Random(1)
    return [_halves(_entry(number, types[number % len(types)], chance)) for number in range(_SHAPES)]


def _halves(entry: dict[str, object]) -> tuple[bytes, bytes]:
    before, _, after = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode().partition(_ID.encode())
    return before, after


def _entry(number: int, kind: str, chance: random.Random) -> dict[str, object]:
    tag = {"system": _REGION, "code": chance.choice(_REGIONS)}
    resource = service(number, chance, extensions=11) | {"resourceType": kind, "id": _ID}
    resource["meta"] = {"versionId": "1", "lastUpdated": "2026-01-15T08:30:00.000+01:00", "tag": [tag]}
    return {"resource": resource, "search": {"mode": "match"}}
