"""Settings of linear probes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.interval_settings import Bootstrap

Objective = Literal["sklearn", "lgssl"]


class LinearProbe(Bootstrap):
    """Logistic regression on frozen features by L-BFGS; C is chosen without the test split, ties by log-loss."""

    objectives: tuple[Objective, ...] = Field(("sklearn", "lgssl"), min_length=1, examples=[["sklearn"]])
    """Objectives that are minimised. sklearn: sum of cross-entropies + ||W||^2/(2C), as in scikit-learn and CLIP;
    lgssl: mean cross-entropy + ||W||/(2C), with the norm not squared, as in the original code. The head of the first
    one is saved."""
    costs: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6), min_length=1, examples=[[0.01, 1.0, 100.0]]
    )
    """First grid of C; the default is CLIP's."""
    fine_points: int = quantity(29, unit="points", ge=1, examples=[9])
    """Points of the second grid, which spans four decades around the best C."""
    max_iter: int = quantity(1000, unit="iterations", ge=1, examples=[300])
    """Maximum number of L-BFGS iterations of a fit; the original and CLIP use 1,000."""
    least_validation: int = quantity(2000, unit="images", ge=0, examples=[0])
    """Fewest validation images by which C is chosen; with fewer, it is chosen by `folds` over train and val together.
    0: always by the validation split."""
    folds: int = quantity(5, unit="parts", ge=2, examples=[10])
    """Parts of train and val, each of which is held out once to choose C."""
    common_costs: dict[Objective, Annotated[float, Field(gt=0)]] = Field(
        {"sklearn": 1.0, "lgssl": 30.0}, examples=[{"sklearn": 0.316, "lgssl": 100.0}]
    )
    """C, the same for all runs, at which each objective is tested as well, to show whether a result depends on the
    choice of C."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of the bootstrap and of the folds."""

    @model_validator(mode="after")
    def _consistent(self) -> "LinearProbe":
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives are repeated: {', '.join(self.objectives)}; each is fitted once")
        if missing := set(self.objectives) - set(self.common_costs):
            raise ValueError(f"common_costs lacks {', '.join(sorted(missing))}")
        return self
