"""Measure this package beside what one would use instead, in one run, and print the ratios.

python benchmarks/run.py                     # everything; writes RESULTS.md and the plots
python benchmarks/run.py --quick             # one short round, to see that it works; writes nothing
python benchmarks/run.py --only copies ...   # some parts alone; the tables of the others stay as they were
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from circumstances import told
from server import MissingServerError, Server, nginx

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent

# A part is a module with TITLE, the heading of its tables, and measure(server, *, quick) -> str, the tables below it.
# A new one is hooked in by its name alone.
PARTS: Final = ("clients", "connections", "starts", "files", "extractions", "copies", "regions", "growth")

# Any of these changes what the others trust or where they call; REQUESTS_CA_BUNDLE even wins over session.verify.
_DISTURBING = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_CONF"}
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
_HEADING = re.compile(r"^# (.+)\n", re.MULTILINE)


def main() -> int:
    options = _options()
    for name in os.environ.copy():
        if name.upper() in _DISTURBING | _PROXIES:
            del os.environ[name]
    kept = _kept(options.output)
    try:
        with nginx() as server:
            for name in options.only or PARTS:
                title, tables = _part(name, server, quick=options.quick)
                kept[title] = tables
                print(f"# {title}\n\n{tables}\n", flush=True)
                _write(options.output, kept)
    except MissingServerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _part(name: str, server: Server, *, quick: bool) -> tuple[str, str]:
    module = import_module(name)
    measure: Callable[..., str] = module.measure
    before = os.getloadavg()[0]
    tables = measure(server, quick=quick)
    return module.TITLE, f"{told(server, before)}\n\n{tables}"


def _kept(output: Path | None) -> dict[str, str]:
    """Read the parts of an earlier run by their titles, in the order of today's."""
    before = output.read_text(encoding="utf-8") if output and output.exists() else ""
    _, *found = _HEADING.split(before)  # a title, its text, the next title, ...
    texts = dict(zip(found[::2], map(str.strip, found[1::2]), strict=True))
    titles = [import_module(name).TITLE for name in PARTS]
    return {title: texts[title] for title in titles if title in texts}


def _write(output: Path | None, parts: dict[str, str]) -> None:
    """Write after each part: a run that is stopped keeps what it has measured."""
    if output:
        order = [import_module(name).TITLE for name in PARTS]
        texts = [f"# {title}\n\n{parts[title]}\n" for title in order if title in parts]
        output.write_text("\n".join(texts), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="one short round, nothing saved unless --output says where"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, help="where the tables go (default: RESULTS.md beside this file)")
    options = parser.parse_args()
    if not options.quick and options.output is None:
        options.output = HERE / "RESULTS.md"
    return options


if __name__ == "__main__":
    sys.exit(main())
