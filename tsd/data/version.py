"""The version of the embedded data set's generator.

It is a module of its own, so that whoever needs the number does not import the generator for it.
"""

GENERATOR_VERSION = 1
"""This number is raised whenever the same parameters give other bytes than before.

It is part of a run's digest, so that results on the earlier data are not taken for current ones.
"""
