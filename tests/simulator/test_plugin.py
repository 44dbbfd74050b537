"""The pytest plugin, as a project that installed the package meets it: in pytest runs of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.long


def passes(pytester: pytest.Pytester, *args: str, **outcomes: int) -> pytest.RunResult:
    """Run the project's suite in a process of its own."""
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error", *args)
    result.assert_outcomes(**outcomes)
    return result


def test_the_four_fixtures_work_together(pytester: pytest.Pytester) -> None:
    """A suite gets a running simulator, its tree, an identity and a client, with nothing but the package installed."""
    pytester.makepyfile(
        """
        from ror_sante import ClientIdentity, NationalRorClient, Simulator, SimulatorPki


        def test_types(ror_pki, ror_simulator, ror_identity, national_ror):
            assert isinstance(ror_pki, SimulatorPki)
            assert isinstance(ror_simulator, Simulator)
            assert isinstance(ror_identity, ClientIdentity)
            assert isinstance(national_ror, NationalRorClient)


        def test_search(national_ror, ror_simulator):
            assert len(list(national_ror.search("HealthcareService", max_results=3))) == 3
            assert [seen.method for seen in ror_simulator.requests] == ["POST", "GET"]
            assert len(ror_simulator.received_chain) == 2
        """
    )
    passes(pytester, passed=2)


def test_each_test_meets_a_simulator_without_a_past(pytester: pytest.Pytester) -> None:
    """Faults, requests and the clock of one test are gone in the next, also after a test that stopped the simulator."""
    pytester.makepyfile(
        """
        import pytest

        seen = []


        @pytest.mark.parametrize("turn", range(3))
        def test_turn(national_ror, ror_simulator, turn):
            assert ror_simulator.requests == []
            assert len(list(national_ror.search("Organization", max_results=1))) == 1
            ror_simulator.fault("http-500", times=None)
            ror_simulator.clock.advance(10_000)
            seen.append(id(ror_simulator))
            if turn == 1:
                ror_simulator.stop()


        def test_there_was_one(ror_simulator):
            assert ror_simulator.running
            assert set(seen) == {id(ror_simulator)}
        """
    )
    passes(pytester, passed=4)


def test_each_worker_has_its_own(pytester: pytest.Pytester) -> None:
    """Under xdist every worker runs a simulator on a port of its own, with the options that the project chose."""
    pytester.makepyfile(
        """
        import pathlib
        import time

        import pytest

        from ror_sante.simulator.variants import Variants


        @pytest.fixture(scope="session")
        def ror_simulator_options():
            return {"size": 12, "variants": Variants(next_links="opaque")}


        @pytest.mark.parametrize("turn", range(2))
        def test_turn(national_ror, ror_simulator, turn):
            ports = pathlib.Path(__file__).parent / "ports"
            ports.mkdir(exist_ok=True)
            (ports / ror_simulator.url.rpartition(":")[2]).touch()
            while len(list(ports.iterdir())) < 2:  # both at the same time
                time.sleep(0.01)
            assert len(list(national_ror.search("HealthcareService", {"_count": "7"}))) == 12
            assert len(ror_simulator.requests) == 3
            assert "/_page/" in ror_simulator.requests[-1].path
        """
    )
    passes(pytester, "-n", "2", "--dist", "each", passed=4)


def test_a_run_that_does_not_ask_for_it_pays_nothing(pytester: pytest.Pytester) -> None:
    """Without its fixtures the plugin imports nothing of the package but itself."""
    pytester.makepyfile(
        """
        import sys


        def test_modules():
            loaded = {name for name in sys.modules if name.startswith("ror_sante")}
            assert loaded == {"ror_sante", "ror_sante._version", "ror_sante.pytest_plugin"}
        """
    )
    passes(pytester, passed=1)


def test_without_the_extra_other_tests_run_and_ours_say_what_is_missing(pytester: pytest.Pytester) -> None:
    """Without pytest-httpserver a run works; a test that asks for the simulator reads the pip command, no traceback."""
    pytester.makeconftest(
        """
        import sys

        sys.modules["pytest_httpserver"] = sys.modules["pytest_httpserver.httpserver"] = None
        """
    )
    pytester.makepyfile(
        """
        def test_of_the_project():
            pass


        def test_that_needs_it(national_ror):
            pass


        def test_of_certificates(ror_pki):
            assert ror_pki.anchor.subject
        """
    )
    result = passes(pytester, "-p", "no:pytest_httpserver", passed=2, errors=1)
    told = "\n".join(result.outlines)
    assert "needs the extra 'testing', which is not installed: pip install 'ror-sante[testing]'" in told
    assert "Traceback" not in told
    assert "pytest_plugin.py" not in told
