"""Reads what raters exported, and finds the image and the arms behind each name on their sheets."""

import csv
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import KEY_COLUMNS, LABEL_KEY, POINTS, RATING_COLUMNS, SCALES

_ADVICE = "give a folder with the CSV files that the raters exported and the keys of their sheets"
Row = dict[str, str]


@dataclass
class Rated:
    """The ratings of one caption of an image, from all sheets.

    Attributes:
        key: the image.
        text: digest of the caption.
        arms: the arms that have it.
        faithful, specific: ratings 0..3 of those who gave one.
        preferred: of those who answered, 1 for each who preferred it and 0 for the others.
    """

    key: str
    text: str
    arms: list[str] = field(default_factory=list)
    faithful: list[int] = field(default_factory=list)
    specific: list[int] = field(default_factory=list)
    preferred: list[int] = field(default_factory=list)


@dataclass
class Labels:
    """All ratings, the raters, and how many rows were read and left out, by reason."""

    captions: list[Rated]
    raters: list[str]
    rows: int
    dropped: Counter[str]


def read_labels(folder: Path, arms: Collection[str], captions: Mapping[tuple[str, str], str]) -> Labels:
    """The ratings in ``folder``.

    Rows are left out and counted if their sheet has no key (``unknown_sheet``), if they name no caption of it
    (``unknown_caption``), if an answer is none of the scale's (``out_of_range``), if they hold no answer (``unrated``),
    if the rater has rated the caption before, on this sheet or another (``repeated``), if the caption is of none of the
    arms (``unknown_arm``), and if the study no longer has the image or an arm has another caption for it now
    (``caption_changed``).

    Args:
        arms: the arms that are read; ratings count for these alone.
        captions: (key, arm) -> the study's caption, of all images on the sheets.

    Raises:
        PipelineError: the folder has no key or no ratings, a file lacks a column or has it twice, a row has more or
            fewer fields than the header, or no rater.
    """
    behind = _behind(folder)
    exported = [path for path in _files(folder) if not path.name.endswith(LABEL_KEY)]
    if not behind or not exported:
        raise PipelineError("no ratings", folder, "it lacks " + ("ratings" if behind else "a key"), _ADVICE)
    found: dict[tuple[str, str], Rated] = {}
    done, raters, dropped, rows = set(), set(), Counter[str](), 0
    for path in exported:
        for row in _rows(path, RATING_COLUMNS):
            rows += 1
            name, rater = (row["sheet"], row["image"], row["caption"]), normalize("NFC", row["rater"].strip())
            if not rater:
                advice = "fill in its column rater, with one name per person in all files"
                raise PipelineError("no rater", path, f"the row of {' '.join(name)}", advice)
            answers = {one: row[one].strip() for one in (*SCALES, "preferred")}
            read = [one for one in behind.get(name, []) if one["arm"] in arms]
            if reason := _fault(name, answers, behind, read, captions):
                dropped[reason] += 1
                continue
            caption = read[0]["key"], read[0]["text"]
            rated = found.setdefault(caption, Rated(*caption))
            rated.arms = sorted({*rated.arms, *(one["arm"] for one in read)})
            if (rater, caption) in done:
                dropped["repeated"] += 1
                continue
            done.add((rater, caption))
            raters.add(rater)
            for one, answer in answers.items():
                getattr(rated, one).extend([int(answer)] if answer else [])
    return Labels([found[name] for name in sorted(found)], sorted(raters), rows, dropped)


def damage(folder: Path) -> Iterator[tuple[Path, str]]:
    """Keys and ratings in ``folder`` that can't be read, or that name no caption or answer of a sheet; and why."""
    behind: dict[tuple[str, str, str], list[Row]] = {}
    passed = {"unrated", "unknown_arm"}
    for path in sorted(_files(folder), key=lambda path: not path.name.endswith(LABEL_KEY)):
        is_key = path.name.endswith(LABEL_KEY)
        try:
            for row in _rows(path, KEY_COLUMNS if is_key else RATING_COLUMNS):
                name = (row["sheet"], row["image"], row["caption"])
                if is_key:
                    behind.setdefault(name, []).append(row)
                    continue
                answers = {one: row[one].strip() for one in (*SCALES, "preferred")}
                fault = _fault(name, answers, behind, [], {})
                if fault not in passed:
                    yield path, f"{fault}: {' '.join(name)}"
                    break
        except PipelineError as error:
            yield path, f"{error.where}: {error.value}"
            passed |= {"unknown_sheet", "unknown_caption"} if is_key else set()


def images_on_sheets(folder: Path) -> list[str]:
    """Keys of the images on the sheets whose keys are in ``folder``.

    Raises:
        PipelineError: see :func:`read_labels`.
    """
    return sorted({row["key"] for rows in _behind(folder).values() for row in rows})


def _files(folder: Path) -> list[Path]:
    # Some programs save as .CSV.
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv") if folder.is_dir() else []


def _behind(folder: Path) -> dict[tuple[str, str, str], list[Row]]:
    """(sheet, image, caption) -> rows of the keys, one per arm."""
    behind: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for path in (path for path in _files(folder) if path.name.endswith(LABEL_KEY)):
        for row in _rows(path, KEY_COLUMNS):
            behind[row["sheet"], row["image"], row["caption"]].append(row)
    return dict(behind)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    with readable("unreadable ratings", path, _ADVICE), open(path, encoding="utf-8-sig", newline="") as stream:
        try:
            # strict: otherwise all rows after a quotation mark that is never closed are one field.
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or []
            wrong = [name for name in columns if header.count(name) != 1]
            if wrong:
                advice = "give the file as it was exported, with commas between columns"
                raise PipelineError("missing or repeated column", path, ", ".join(wrong), advice)
            for row in reader:
                if None in row or None in row.values():
                    where, value = f"{path}:{reader.line_num}", f"not {len(header)} fields, as in the header"
                    raise PipelineError("damaged row", where, value, "export the file again, or correct the row")
                yield {name: row[name] for name in columns}
        except csv.Error as error:  # not a ValueError
            raise PipelineError("unreadable ratings", path, error, _ADVICE) from None


def _fault(
    name: tuple[str, str, str],
    answers: Mapping[str, str],
    behind: Mapping[tuple[str, str, str], list[Row]],
    read: list[Row],
    captions: Mapping[tuple[str, str], str],
) -> str:
    if name not in behind:
        return "unknown_caption" if any(sheet == name[0] for sheet, _, _ in behind) else "unknown_sheet"
    if not any(answers.values()):
        return "unrated"
    scale, choice = [*map(str, range(POINTS)), ""], ("0", "1", "")
    if any(answers[one] not in scale for one in SCALES) or answers["preferred"] not in choice:
        return "out_of_range"
    if not read:
        return "unknown_arm"
    now = [captions.get((row["key"], row["arm"])) for row in read]
    same = [text is not None and digest(text) == row["text"] for text, row in zip(now, read, strict=True)]
    return "" if all(same) else "caption_changed"
