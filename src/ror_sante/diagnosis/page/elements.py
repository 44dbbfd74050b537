"""Build HTML and SVG elements whose texts cannot become markup."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # only written here, never read

from ror_sante.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONG = 4000


def element(name: str, /, *children: ET.Element | str | None, **attributes: object) -> ET.Element:
    """Make an element.

    Args:
        name: of the tag.
        children: elements and texts in their order; None and empty texts are left out.
        attributes: a final underscore is dropped (``class_``), others become hyphens (``stroke_width``).
    """
    made = ET.Element(name)
    for key, value in attributes.items():
        made.set(key.rstrip("_").replace("_", "-"), printable(value, _LONG))
    for child in children:
        _add(made, child)
    return made


def every(children: Iterable[ET.Element | str | None]) -> list[ET.Element | str]:
    """Give the children that are there."""
    return [child for child in children if child is not None]


def written(root: ET.Element) -> str:
    """Write a whole document."""
    return "<!doctype html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"


def _add(parent: ET.Element, child: ET.Element | str | None) -> None:
    if child is None:
        return
    if isinstance(child, ET.Element):
        parent.append(child)
        return
    text = printable(child, _LONG) if child.strip() else child
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
