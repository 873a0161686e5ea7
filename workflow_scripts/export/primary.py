"""What a study found: the primary contrasts and the sentences with which its report begins."""

from workflow_scripts.export.finished import Finished
from workflow_scripts.reporting.answers import answers, notes
from workflow_scripts.reporting.sections.console import primary_row
from workflow_scripts.reporting.sections.contrast_tables import count
from workflow_scripts.reporting.sections.contrasts import named, none_named, titles
from workflow_scripts.reporting.tables import Table

HEADS = ("contrast", "difference", "n", "p, adjusted", "verdict")
NOTE = "Adjusted: by Holm's method, if several are primary. All other contrasts are exploratory."


def primary(study: Finished) -> Table | None:
    """The primary contrasts, as ``faithful-pairs show`` prints them; None without any."""
    found = named(study.contrasts, study.settings.headline_step)
    names = titles(found)
    shown = [one for contrast in found for one in contrast.shown if one.row["primary"]]
    rows = []
    for one in shown:
        name, difference, *rest = primary_row(one, names[one.at])
        rows.append((name, difference, count(one.row), *rest))
    title = "Primary contrasts: difference in points, with joint 95 % interval over seeds, test items and classes"
    return Table("primary", title, HEADS, rows, note=NOTE) if rows else None


def answer(study: Finished) -> list[str]:
    """The verdicts in sentences, as the report begins with them."""
    contrasts = study.contrasts
    found = named(contrasts, study.settings.headline_step)
    told = answers(found, study.summary(), study.settings)
    return [
        *notes(told, contrasts),
        *([one.text for one in told] or [none_named(contrasts, study.settings.headline_step)]),
    ]
