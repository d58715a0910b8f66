"""Meaning of an embedded data set's parameters; on its own so that it costs nothing to read."""

GENERATOR_VERSION = 1
"""Raised whenever the bytes for a spec change."""
