"""Make throw-away client and server certificates, one folder a flaw: ``python certs-test/make.py OUT``."""

from __future__ import annotations

import argparse
import sys
from shlex import quote

from ror_sante.errors import ConfigurationError
from ror_sante.simulator.certs_test import MAX_DAYS, MIN_DAYS, make_certs


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Make certificates for tests, one folder a flaw. Exit codes: 0 made, 2 not made.",
        epilog="Example: python certs-test/make.py build/certs --days 365",
    )
    parser.add_argument("out", metavar="OUT", help="folder to make; one from an earlier run is made anew")
    parser.add_argument("--key-size", type=int, default=2048, choices=(2048, 3072, 4096), help="bits of the RSA keys")
    parser.add_argument("--days", type=int, default=1096, help=f"life of sound leaves, {MIN_DAYS} to {MAX_DAYS}")
    parser.add_argument("--test", action="store_true", help="play the TEST tree: CNs start with 'TEST '")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Make the folder and say what to do with it.

    Args:
        argv: the arguments; None means those of the process.

    Returns:
        The exit code.
    """
    asked = _arguments(argv)
    try:
        place = make_certs(asked.out, key_size=asked.key_size, days=asked.days, test=asked.test)
    except ConfigurationError as error:
        print(f"error: {error}\n{error.hint}".rstrip(), file=sys.stderr)
        return 2
    print(f"Certificates for tests are in {place}; manifest.json lists them with what should come of each.")
    case = place / "client" / "expired"
    print(f"Try one: ROR_SANTE_IDENTITY_PASSPHRASE_FILE={quote(str(case / 'passphrase.txt'))} \\")
    print(f"  ror-sante smoke-test --env simulator --pki {quote(str(place))} --p12 {quote(str(case / 'client.p12'))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
