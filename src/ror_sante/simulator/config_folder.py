"""Write the folder that points any client at a running simulator: settings, P12, PEM files, variables."""

from __future__ import annotations

import secrets
import shlex
from typing import TYPE_CHECKING, Final

from ror_sante.errors import ConfigurationError, printable
from ror_sante.sync.files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ror_sante.environments import Coding
    from ror_sante.simulator.server import Simulator
    from ror_sante.simulator.templates import Issued

SETTINGS: Final = "ror-sante.toml"


def write_folder(folder: Path, simulator: Simulator, client: Issued, regions: Iterable[str] = ()) -> Path:
    """Write the files, each of mode 0600, in a folder of mode 0700.

    Args:
        folder: where; made when missing.
        simulator: a running simulator.
        client: the certificate to hand out.
        regions: the codes of the regions that are asked at their own endpoints.

    Returns:
        The settings file.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    passphrase = secrets.token_urlsafe(12)
    files = {
        "client.p12": simulator.pki.p12(client, passphrase),
        "client.pass": f"{passphrase}\n".encode(),
        "client.pem": client.pem_chain(),
        "client.key": client.key_pem(passphrase),
        "root.pem": simulator.pki.root_pem(),
        "api.key": f"{simulator.api_key}\n".encode(),
        "web-root.pem": simulator.pki.web.root_pem(),
        "simulator.env": _variables(folder.absolute(), simulator).encode(),
        SETTINGS: (_settings(simulator) + "".join(_region(simulator, code) for code in regions)).encode(),
    }
    try:
        private_folder(folder)
        for name, content in files.items():
            write_private(folder / name, content)
    except OSError as error:
        raise ConfigurationError(
            f"the simulator's folder {printable(folder)} cannot be written: {printable(error.strerror)}",
            hint="Name a folder of yours, on a disk with space.",
        ) from error
    return folder / SETTINGS


# ``simulator`` is a reserved name of an environment: the command starts one of its own for it.
def _settings(simulator: Simulator) -> str:
    environment = simulator.environment
    return f"""# A simulator on this machine; good for as long as it runs.
environment = "bench"

[identity]
p12 = "client.p12"
passphrase_file = "client.pass"

[rorn]
client_id = "{simulator.client_id}"
profile = {_coding(simulator.profile)}
role = {_coding(simulator.role)}

[annuaire]
api_key_file = "api.key"

[environments.bench]
token_url = "{environment.token_url}"
api_url = "{environment.api_url}"
diffusion_path = "{environment.diffusion_path}"
annuaire_download_url = "{environment.annuaire_download_url}"
annuaire_fhir_url = "{environment.annuaire_fhir_url}"
anchors = ["root.pem"]
annuaire_fhir_anchors = ["web-root.pem"]
"""


def _region(simulator: Simulator, code: str) -> str:
    base_url, token_url = simulator.region(code)
    return f"""
[inter_ror.regions.{code}]
base_url = "{base_url}"
token_url = "{token_url}"
"""


def _coding(coding: Coding) -> str:
    return f'{{ code = "{coding.code}", system = "{coding.system}" }}'


def _variables(folder: Path, simulator: Simulator) -> str:
    """Name everything for a suite in another language: lines that a shell and ``docker --env-file`` read."""
    environment = simulator.environment
    variables = {
        "ROR_SANTE_CONFIG": folder / SETTINGS,
        "ROR_SIMULATOR_URL": simulator.url,
        "ROR_SIMULATOR_TOKEN_URL": environment.token_url,
        "ROR_SIMULATOR_FHIR_BASE": environment.fhir_base,
        "ROR_SIMULATOR_EXTRACTION_URL": environment.annuaire_download_url,
        "ROR_SIMULATOR_GATEWAY_URL": environment.annuaire_fhir_url,
        "ROR_SIMULATOR_CLIENT_ID": simulator.client_id,
        "ROR_SIMULATOR_PROFILE_CODE": simulator.profile.code,
        "ROR_SIMULATOR_PROFILE_SYSTEM": simulator.profile.system,
        "ROR_SIMULATOR_ROLE_CODE": simulator.role.code,
        "ROR_SIMULATOR_ROLE_SYSTEM": simulator.role.system,
        "ROR_SIMULATOR_P12": folder / "client.p12",
        "ROR_SIMULATOR_PASSPHRASE_FILE": folder / "client.pass",
        "ROR_SIMULATOR_CERTIFICATE": folder / "client.pem",
        "ROR_SIMULATOR_KEY": folder / "client.key",
        "ROR_SIMULATOR_ROOT": folder / "root.pem",
        "ROR_SIMULATOR_API_KEY": simulator.api_key,
        "ROR_SIMULATOR_WEB_ROOT": folder / "web-root.pem",
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
