"""Where the two sides of a comparison come from: `load` reads any of them."""

from brewhaven.diff.sources.spec import Spec, load, parse

__all__ = ["Spec", "load", "parse"]
