"""Faithful Pairs. Its modules are loaded by :mod:`workflow_scripts.core.pinned_code`."""

import workflow_scripts.core.pinned_code  # noqa: F401 - loads all other modules
