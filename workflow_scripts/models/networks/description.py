"""Reads the description of a network in a folder that is not trusted: known fields of the right type."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object

Colours = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Deviations = Annotated[tuple[PositiveFloat, ...], Field(min_length=3, max_length=3)]


class Description(BaseModel):
    """Base of descriptions: fields that a class does not name are not read."""

    model_config = ConfigDict(extra="ignore", strict=False)


D = TypeVar("D", bound=Description)


def read_description(path: Path, kind: type[D]) -> D | None:
    """The JSON file as ``kind``; None if there is no such file.

    Raises:
        PipelineError: it is not a JSON object, or a field has another type.
    """
    advice = "fetch it again, or give a folder as its library saves it"
    try:
        return kind.model_validate(read_object(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, Unfit) as error:
        raise PipelineError("unreadable description of a network", path, error, advice) from None
    except ValidationError as error:
        first = error.errors()[0]
        value = f"{'.'.join(map(str, first['loc'])) or 'its fields'}: {first['msg']}"
        raise PipelineError("unreadable description of a network", path, value, advice) from None
