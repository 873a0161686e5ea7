"""All functions of some modules, which are ways to damage a study."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


def functions_of(*modules: ModuleType) -> list[Callable[..., Any]]:
    """The public functions that the modules define, in order."""
    return [
        function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    ]
