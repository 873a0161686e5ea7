"""``faithful-pairs power``: the smallest effects that a study can find on its primary contrasts."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.commands.cost import ConfigFiles, positive
from workflow_scripts.core.errors.text import printed


def command(
    configfile: ConfigFiles = None,
    sd: Annotated[
        list[float] | None,
        typer.Option(
            parser=positive,
            metavar="POINTS",
            help="deviation between seeds of one network's mean over sets; repeat it for several; default: 0.3 and "
            "0.6, or that of few test images by chance",
        ),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="STUDY", help="also use the deviations in a finished study, such as results/demo"),
    ] = None,
) -> None:
    """Print the smallest effects that a study can find.

    For each primary contrast, that is the smallest true effect, in percentage points, for which 80 % of studies with
    these runs have a conclusive verdict: a two-sided test at 5 % after Holm, with the moderated variance of the
    summary, under both objectives of the linear probe. For an equivalence, it is the smallest margin. Only deviations
    between seeds count; those between classes and images make the figures larger. No results are needed. If the config
    has smallest_effect, or the contrast a margin, the number of seeds that finds it is printed too.

    \b
    Examples:
      faithful-pairs power
      faithful-pairs power --configfile my-study.yaml --sd 0.2 --sd 0.5
      faithful-pairs power --configfile my-study.yaml --measured results/my-study

    \b
    Exit status:
      0  printed
      1  a config file is missing or faulty, or the study of --measured has no readable summary
      2  wrong usage
    """
    from workflow_scripts.study.estimates.power import SCOPE, assumed, chance, powers, stated, table, without_set
    from workflow_scripts.study.estimates.power import measured as learned
    from workflow_scripts.study.plan import configured

    units = configured(configfile or [])
    found, known = powers(units), None if measured is None else learned(measured)
    lines = ["The study has no primary contrast."]
    if found:
        lines = table(found, sd or assumed(chance(units)), known, units.study.smallest_effect)
    lines += [f"warning: {error}" for error in without_set(units, found)]
    used = {(one.comparison.contrast.endpoint, one.step) for one in found if not one.reason}
    for (endpoint, step), one in (known or {}).items():
        if (endpoint, step) in used:
            lines.append(f"Measured in {measured}: {endpoint} at {step}, {one.networks} networks of {one.arms} arms.")
    of_study = stated(measured) if measured else {}
    for power in (power for power in found if not power.reason):
        contrast = power.comparison.contrast
        effect = of_study.get((contrast.name, power.comparison.tag, contrast.endpoint, power.step))
        if effect and contrast.test == "difference":
            points, seeds = effect
            lines.append(
                f"{measured} itself states {points:.2f} points for {power.name}, with {seeds} seeds, its classes and "
                "its images. More seeds lessen only the part that is due to seeds."
            )
    sys.stdout.write(printed([f"**{units.study.study}**, percentage points", "", *lines, "", SCOPE]))
