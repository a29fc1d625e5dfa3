"""The errors of a comparison that a person can meet."""

from __future__ import annotations

from brewhaven.errors import BrewHavenError


class DiffError(BrewHavenError):
    """A side of the comparison could not be read. The message ends with what was asked for."""

    exit_code = 2
