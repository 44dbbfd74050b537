"""Run the command as ``python -m ror_sante``."""

import sys

from ror_sante.cli import main

sys.exit(main())
