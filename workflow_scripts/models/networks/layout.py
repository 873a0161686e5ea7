"""A layout: how the weights of a network from elsewhere are stored, and how the network sees images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, PositiveFloat, ValidationError

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.models.networks.view import Resize

if TYPE_CHECKING:
    from torch import Tensor

Colours = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Deviations = Annotated[tuple[PositiveFloat, ...], Field(min_length=3, max_length=3)]


class Preset(NamedTuple):
    """How a network was trained to see images; None where that is unknown.

    Attributes:
        image_size: side of the centre crop in pixels.
        resize: name of the interpolation, which may be one that this workflow lacks.
        crop: share of the resized shorter side that the crop keeps.
        mean: of the three channels, for values in 0..1.
        std: deviation of the three channels.
    """

    image_size: int | None = None
    resize: str | None = None
    crop: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


class Usual(NamedTuple):
    """How most networks of a layout see images: what a config means that does not say it."""

    image_size: int
    resize: Resize
    crop: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a layout finds in a config and a source, without reading weights.

    Attributes:
        backbone: name of the architecture, for ``build_backbone``.
        classifier: beginnings of the names of weights that belong to the classifier.
        preset: what the library or the source says about images.
        options: further settings of the architecture, as JSON values.
    """

    backbone: str
    classifier: Sequence[str] = ()
    preset: Preset = field(default_factory=Preset)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A way in which networks are stored.

    Attributes:
        name: in configs.
        summary: one phrase.
        usual: how most of its networks see images.
        architecture: whether a config names the architecture: it must, may or must not.
        describes: whether the source says what the network is made of, so that random weights need it too.
        find: (architecture, source or None) -> what is known before the weights are read. Raises PipelineError.
        rename: weights by their names in the file -> by those of the network.
    """

    name: str
    summary: str
    usual: Usual
    architecture: Literal["must", "may", "must not"] = "must not"
    describes: bool = False
    find: Callable[[str, Path | None], Found]
    rename: "Callable[[Mapping[str, Tensor]], dict[str, Tensor]]" = dict


D = TypeVar("D", bound=BaseModel)


def read_description(path: Path, kind: type[D]) -> D | None:
    """The JSON file as ``kind``, whose fields are all that is read of it; None if there is no such file.

    It is what the untrusted folder of a network says about it.

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
