"""Which certificate authorities the programs on the local cloud trust for PostgreSQL.

A program on AWS names the file with Amazon's authorities in ``PGSSLROOTCERT``, libpq's own variable. Here the servers'
certificates come from the local authority, so whoever starts a program that has the variable names that one instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

ROOT_CERTIFICATE = "PGSSLROOTCERT"


def with_local_authority(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program, with the local authority in the place of the one that it names for PostgreSQL."""
    local = os.environ.get("SSL_CERT_FILE")
    return {**environment, **({ROOT_CERTIFICATE: local} if local and ROOT_CERTIFICATE in environment else {})}
