"""Data sets: the embedded one, downloads and preparation of others, checks of them all."""
