"""Which differences between methods are real: paired tests over the queries, by SciPy, with Holm's correction."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d

PairedTest = Literal["t", "permutation"]
TESTS: tuple[PairedTest, ...] = ("t", "permutation")
LEVEL = 0.05
"""A corrected p below this is marked."""

_RESAMPLES = 9999
_VALUES_AT_ONCE = 1 << 22


class Comparison(NamedTuple):
    """A method beside the baseline, by one measure."""

    difference: float
    """Of the means: the method's less the baseline's."""
    p: float
    """Of the two-sided paired test; NaN where one query leaves nothing to test."""
    p_holm: float
    """Corrected over all methods that were compared."""
    wins: int
    """Queries on which the method is better."""
    losses: int
    """Queries on which the baseline is better."""

    @property
    def mark(self) -> str:
        """``▲`` if the method is better and that is significant, ``▼`` if it is worse, else nothing."""
        if not self.p_holm < LEVEL:
            return ""
        return "▲" if self.difference > 0 else "▼"


def check_test(name: str) -> PairedTest:
    """The name, if there is such a test. Raises InputError."""
    if name not in TESTS:
        raise InputError(f"Unknown test {name!r}: expected one of {', '.join(TESTS)}.")
    return name


def compare(
    baseline: Doubles1d, others: Mapping[str, Doubles1d], test: PairedTest = "t", seed: int = 0
) -> dict[str, Comparison]:
    """Compare methods with a baseline on the same queries.

    Args:
        baseline: float64[queries], a measure of each query.
        others: The same of each method.
        test: The paired t test, or random signs for the differences (Fisher's permutation test, 9999 of them, or all
            there are for few queries). Smucker, Allan and Carterette 2007, "A comparison of statistical significance
            tests for information retrieval evaluation", find that the two agree.
        seed: Of the permutations.
    """
    differences = {name: values - baseline for name, values in others.items()}
    ps = {name: paired_p(values, test, seed) for name, values in differences.items()}
    corrected = dict(zip(ps, holm(list(ps.values())), strict=True))
    return {
        name: Comparison(
            float(values.mean()),
            ps[name],
            corrected[name],
            int(np.count_nonzero(values > 0)),
            int(np.count_nonzero(values < 0)),
        )
        for name, values in differences.items()
    }


def paired_p(differences: Doubles1d, test: PairedTest = "t", seed: int = 0) -> float:
    """Two-sided p of the hypothesis that differences are 0 on average: 1 if all are 0, NaN for fewer than two."""
    from scipy import stats

    if len(differences) < 2:
        return float("nan")
    if not differences.any():
        return 1.0
    if np.ptp(differences) == 0:
        # no variance: t is infinite
        return 0.0 if test == "t" else float(2.0 ** (1 - len(differences)))
    if test == "t":
        return float(stats.ttest_1samp(differences, 0.0).pvalue)
    found = stats.permutation_test(
        (differences,),
        lambda values, axis: np.mean(values, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=max(1, _VALUES_AT_ONCE // len(differences)),
        random_state=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979, "A simple sequentially rejective multiple test procedure").

    The i-th smallest of m, from 0, is multiplied by m - i; none may fall below a smaller one's, or exceed 1. NaN stays.
    """
    values = np.array(ps, np.float64)
    order = np.argsort(values)  # NaN last
    tested = order[: np.count_nonzero(~np.isnan(values))]
    steps = values[tested] * np.arange(len(tested), 0, -1)
    values[tested] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(tested) else steps
    return [float(value) for value in values]
