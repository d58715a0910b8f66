"""Experiments as data: declarations, their compilation and the grid they make."""
