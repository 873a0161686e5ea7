"""Names of the folders that all studies of a results folder share."""

FETCHED = ".fetched"
"""Fetched bytes and the index of imported archives, by url."""
