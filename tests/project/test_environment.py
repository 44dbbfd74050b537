"""The autouse fixture of tests/conftest.py keeps a developer's machine out of the tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def a_machine_with_settings() -> object:
    """Set what a developer's machine may set, before the function-scoped fixture runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        patch.setenv("https_proxy", "http://proxy.example:3128")
        patch.setenv("SSL_CERT_FILE", "/nonexistent/bundle.pem")
        patch.setenv("ROR_SANTE_ENVIRONMENT", "production")
        patch.setenv("EDITOR", "ed")
        yield


def test_settings_of_the_machine_do_not_reach_a_test() -> None:
    """Proxies, CA bundles and ROR_SANTE_* variables are gone inside a test."""
    assert not {"HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "ROR_SANTE_ENVIRONMENT"} & set(os.environ)


def test_other_variables_stay() -> None:
    """A variable that changes nothing about connections is left alone."""
    assert os.environ["EDITOR"] == "ed"
