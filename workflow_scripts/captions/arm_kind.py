"""The declaration of a kind of arm."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field

from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

Rows: TypeAlias = "pa.Table"
"""Rows of an arm (``arm_rows.SCHEMA``)."""


class Seeded(Settings):
    """Settings shared by all kinds that draw at random."""

    seed: int = Field(0, examples=[1])
    """Seed of random choices."""


class OfBase(Settings):
    """Settings shared by all kinds that change the captions of another arm."""

    base: str = Field("original", examples=["revised"])
    """The arm whose captions are shuffled or cut."""


class ShuffleSettings(Seeded, OfBase):
    """Settings shared by all kinds that shuffle captions."""

    within: Literal["all", "subreddit"] = Field("all", examples=["subreddit"])
    """Which images exchange captions. all: any; subreddit: those of the same subreddit, so that the topic stays."""


@dataclass(frozen=True)
class ArmInputs:
    """Inputs of an arm.

    Attributes:
        table: the caption table (``caption_table``): original and generated captions of n images, with their scores.
        arms: name -> rows of each arm that the kind reads (:attr:`ArmKind.arms`).
        file: the user's file of captions, for kinds that read one.
        scores: (judge, arm) -> the judge's scores of the arm's captions (``scores.schema``), for kinds with a setting
            ``judge``.
        describe: (key, seed, coverage, precision) -> a caption by the demo's world, for kinds that are ``from_world``.
        counts: what a kind counts in that file or those scores; ``select`` adds to it.
    """

    table: "pa.Table"
    arms: Mapping[str, Rows] = field(default_factory=dict)
    file: Path | None = None
    scores: "Mapping[tuple[str, str], pa.Table]" = field(default_factory=dict)
    describe: Callable[[str, int, float, float], str] | None = None
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class ArmKind:
    """A way to select one caption per image.

    Attributes:
        name: the setting ``kind`` of an arm.
        summary: one phrase.
        settings: class of the kind's settings, which are keys of the arm in a config. Kinds may share a setting if
            they define it identically.
        scored: whether the rows have the matcher's scores of their captions; elsewhere some or all are unknown.
        select: (inputs, settings) -> n rows in the order of the caption table (``arm_rows.SCHEMA``).
        from_file: whether it reads a file of the user's, the arm's ``table``.
        from_world: whether its captions are made from what the pictures of the demo's world show.
        arms: names of the settings that name other arms, whose rows it reads.
        columns: the columns of the caption table that it reads, besides ``key``; None: all.
        generated: settings -> whether it reads the generated captions or their scores, which a study without
            ``recaption`` lacks.
        row_wise: whether the caption of an image depends on that image alone: then ``select`` gets a part
            of the rows at a time, so that memory does not grow with the study.
    """

    name: str
    summary: str
    select: Callable[[ArmInputs, Any], Rows]
    settings: type[Settings] = Settings
    scored: bool = False
    from_file: bool = False
    from_world: bool = False
    arms: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    generated: Callable[[Any], bool] = lambda _: False
    row_wise: bool = False
