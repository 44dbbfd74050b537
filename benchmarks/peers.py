"""An environment of its own for each library that one would use instead, so that none disturbs another.

niquests, for one, overwrites urllib3 wherever it is installed. The environments lie in ``.venv-bench/`` of the checkout
and are made when they are first needed; their versions are those of ``peers.txt``.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_FOLDER: Final = _HERE.parent / ".venv-bench"
_PINS: Final = _HERE / "peers.txt"


@cache
def python_of(libraries: tuple[str, ...]) -> str:
    """Give the interpreter of the environment that holds some libraries; none means our own.

    Args:
        libraries: names that ``peers.txt`` pins.

    Raises:
        SystemExit: they cannot be installed.
    """
    if not libraries:
        return sys.executable
    folder = _FOLDER / "-".join(libraries)
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        print(f"making {folder} ...", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", _PINS, *libraries]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (folder / "made").touch()
    return str(python)
