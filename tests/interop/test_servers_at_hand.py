"""What these tests say on a machine without the servers."""

from __future__ import annotations

import pytest

from tests.interop.conftest import need
from tests.interop.frontends import Program

ABSENT = Program("Some server", ("no-such-server-program",), "some-package")


def test_a_missing_server_skips_its_tests_and_names_the_package() -> None:
    """On a developer's machine a missing server is no failure, and the message says what to install."""
    with pytest.raises(pytest.skip.Exception, match=r"Some server is not installed .*apt-get install some-package"):
        need(ABSENT, required=False)


def test_a_missing_server_fails_its_tests_where_servers_are_required() -> None:
    """In CI, which sets REQUIRE_INTEROP=1, nothing is skipped in silence."""
    with pytest.raises(pytest.fail.Exception, match=r"Some server is not installed .*apt-get install some-package"):
        need(ABSENT, required=True)
