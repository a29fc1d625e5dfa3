"""A plugin of the AWS CLI: it reaches the local cloud with every service.

For a few services (RDS and SQS among them) version 1 of the CLI prefers an address of AWS to ``AWS_ENDPOINT_URL``,
which once helped an old Python. It leaves alone what is given with ``--endpoint-url``, so this gives it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_CONFIGURATION = f"[plugins]\nbrewhaven = {__name__}\n"


def write_configuration(file: Path) -> None:
    """Write the configuration with which the CLI loads this module; it holds no profile and no credentials."""
    file.write_text(_CONFIGURATION)


def awscli_initialize(events: Any) -> None:
    """Called by the CLI when it starts."""
    events.register("before-building-argument-table-parser", _keep_endpoint)


def _keep_endpoint(parsed_globals: Any, **_others: Any) -> None:
    service = str(parsed_globals.command).upper().replace("-", "_")
    endpoint = os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")
    if parsed_globals.endpoint_url is None and endpoint:
        parsed_globals.endpoint_url = endpoint
