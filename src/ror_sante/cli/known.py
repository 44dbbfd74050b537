"""What a run knows of itself when it fails: its language, where it went, and with which certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ror_sante.diagnosis.causes import Lang
    from ror_sante.environments import Environment
    from ror_sante.pki.identity import ClientIdentity


@dataclass
class Known:
    """Filled by the verb while it runs, read by the outermost call when it failed.

    Attributes:
        lang: the language of ``--lang``; None is that of the locale.
        environment: the place that was opened.
        identity: the certificate that was opened last.
    """

    lang: Lang | None = None
    environment: Environment | None = field(default=None, repr=False)
    identity: ClientIdentity | None = field(default=None, repr=False)


def remember(**about: Any) -> None:
    """Keep for the case of a failure: ``lang``, ``environment`` or ``identity``."""
    known = _known()
    for name, value in about.items():
        setattr(known, name, value)


def language() -> Lang:
    """Give the language in which to speak: that of ``--lang``, wherever it stood, else that of the locale."""
    return spoken_by(_known())


def spoken_by(known: Known) -> Lang:
    """Give the language of a run."""
    # Imported here: `--version` needs none of the libraries that these stand on.
    from ror_sante.diagnosis.page.words import spoken

    return known.lang or spoken()


def _known() -> Known:
    context = click.get_current_context(silent=True)
    found = None if context is None else context.find_object(Known)
    return found or Known()
