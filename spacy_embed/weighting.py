"""Weightings: what a row counts in a bag. Each is fitted on bags of counts and turns counts into weights."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Protocol, TypeVar, get_args

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.errors import InputError
from spacy_embed.types import Doubles1d, Floats1d, Ints1d, Rows, State

Smoothing = Literal["smooth", "standard", "textbook", "bm25", "probabilistic"]
WeightingT = TypeVar("WeightingT", bound="Weighting")


class Weighting(Protocol):
    """Turns bags of counts into weighted bags with the same rows."""

    name: ClassVar[str]

    def fit(self: WeightingT, bags: Bags, n_rows: int) -> WeightingT:
        """A copy fitted on a corpus: bags of counts over a table of ``n_rows`` rows."""

    def fit_counts(self: WeightingT, counts: CorpusCounts) -> WeightingT:
        """The same from counts of the corpus, which need not be held at once."""

    def widened(self: WeightingT, n_rows: int) -> WeightingT:
        """A copy for a table that has grown since the fit: its new rows count as never seen."""

    def transform(self, bags: Bags) -> Bags:
        """Weighted bags. Raises InputError when it needs a fit and has none."""

    def state(self) -> State:
        """Settings and fitted arrays, enough for ``weighting_from_state``."""


@dataclass(frozen=True)
class Uniform:
    """Every occurrence counts 1: weights are the counts."""

    name: ClassVar[str] = "uniform"

    def fit(self, bags: Bags, n_rows: int) -> "Uniform":
        """Nothing to learn."""
        return self

    def fit_counts(self, counts: CorpusCounts) -> "Uniform":
        """Nothing to learn."""
        return self

    def widened(self, n_rows: int) -> "Uniform":
        """Nothing to widen."""
        return self

    def transform(self, bags: Bags) -> Bags:
        """The bags as they are."""
        return bags

    def state(self) -> State:
        return {"name": self.name}


def inverse_document_frequency(document_frequencies: Ints1d, n_documents: int, smoothing: Smoothing) -> Doubles1d:
    """idf of each row, float64[rows], natural logarithm.

    ``n`` documents, ``df`` of them hold the row:

    - ``smooth``: ln((1 + n) / (1 + df)) + 1, scikit-learn's default (``smooth_idf=True``)
    - ``standard``: ln(n / df) + 1, scikit-learn's ``smooth_idf=False``
    - ``textbook``: ln(n / df) (Spärck Jones 1972)
    - ``bm25``: ln(1 + (n - df + 0.5) / (df + 0.5)) (Robertson & Zaragoza 2009, as Lucene has it)
    - ``probabilistic``: max(0, ln((n - df) / df)) (Robertson & Spärck Jones 1976)

    A row that no document holds counts as df = 1 where the formula would divide by zero.

    Raises:
        InputError: Unknown smoothing, or no documents.
    """
    if n_documents < 1:
        raise InputError("idf needs at least one document to be fitted on, got none.")
    df = document_frequencies.astype(np.float64)
    at_least_one = np.maximum(df, 1.0)
    match smoothing:
        case "smooth":
            return np.log((1.0 + n_documents) / (1.0 + df)) + 1.0
        case "standard":
            return np.log(n_documents / at_least_one) + 1.0
        case "textbook":
            return np.log(n_documents / at_least_one)
        case "bm25":
            return np.log1p((n_documents - df + 0.5) / (df + 0.5))
        case "probabilistic":
            odds = (n_documents - at_least_one) / at_least_one
            return np.log(np.maximum(odds, 1.0))
    raise InputError(f"Unknown idf smoothing {smoothing!r}: expected one of {', '.join(get_args(Smoothing))}.")


@dataclass(frozen=True, eq=False)
class TfIdf:
    """Term frequency times inverse document frequency, fitted on a stated corpus.

    Attributes:
        smoothing: The idf formula, see ``inverse_document_frequency``.
        sublinear: Use 1 + ln(tf) for tf (Manning et al. 2008, 6.4.1); counts below 1 are left alone.
        idf: float32[rows] once fitted.
        n_documents: The size of the corpus that it was fitted on.
        factors: float32[rows], by how much judgements raised or lowered each row's idf (see
            ``training.judged_encoder``); kept by later fits. None: 1 each.
    """

    name: ClassVar[str] = "tfidf"
    smoothing: Smoothing = "smooth"
    sublinear: bool = False
    idf: Floats1d | None = field(default=None, repr=False)
    n_documents: int = 0
    factors: Floats1d | None = field(default=None, repr=False)

    def fit(self, bags: Bags, n_rows: int) -> "TfIdf":
        """Learn the idf of each row from bags of counts."""
        return self.fit_counts(CorpusCounts.of(bags, n_rows))

    def fit_counts(self, counts: CorpusCounts) -> "TfIdf":
        """Learn the idf of each row from counts of the corpus."""
        return self.fit_frequencies(counts.document_frequencies, counts.n_documents)

    def widened(self, n_rows: int) -> "TfIdf":
        """For a table that has grown: new rows have a document frequency of 0, and factors of 1."""
        if self.idf is None:
            return self
        new = inverse_document_frequency(np.zeros(1, np.int64), self.n_documents, self.smoothing)[0]
        factors = None if self.factors is None else padded(self.factors, n_rows, 1.0)
        return replace(self, idf=padded(self.idf, n_rows, float(new)), factors=factors)

    def fit_frequencies(self, document_frequencies: Ints1d, n_documents: int) -> "TfIdf":
        """Learn the idf from document frequencies, int64[rows], that were counted elsewhere."""
        idf = inverse_document_frequency(document_frequencies, n_documents, self.smoothing)
        return replace(self, idf=idf.astype(np.float32), n_documents=n_documents)

    def transform(self, bags: Bags) -> Bags:
        """tf x idf, times factors. Raises InputError before a fit or for rows beyond the fitted table."""
        idf = fitted(self.idf, self.name, bags)
        if self.factors is not None:
            idf = idf * fitted(self.factors, self.name, bags)
        tf = bags.weights
        if self.sublinear:
            tf = np.where(tf >= 1.0, 1.0 + np.log(np.maximum(tf, 1.0)), tf).astype(np.float32)
        return bags.with_weights(tf * idf[bags.rows])

    def state(self) -> State:
        return {
            "name": self.name,
            "smoothing": self.smoothing,
            "sublinear": self.sublinear,
            "idf": self.idf,
            "n_documents": self.n_documents,
            "factors": self.factors,
        }


@dataclass(frozen=True, eq=False)
class Sif:
    """Smooth inverse frequency: a / (a + p(w)) (Arora et al. 2017, "A simple but tough-to-beat baseline", eq. 3).

    The paper's whole method also takes the mean and removes the first principal component: see ``embedding``.

    Attributes:
        a: The paper's a, about 1e-3 to 1e-4.
        probabilities: float32[rows], p(w) of each row in the corpus or a given list; 0 for a row never seen.
        given: The probabilities come from a list, and ``fit`` leaves them alone.
    """

    name: ClassVar[str] = "sif"
    a: float = 1e-3
    probabilities: Floats1d | None = field(default=None, repr=False)
    given: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.a < np.inf:
            raise InputError(f"SIF's a must be above 0 and finite, got {self.a}.")

    def fit(self, bags: Bags, n_rows: int) -> "Sif":
        """Estimate p(w) as the share of the corpus's counts, unless they were given."""
        return self.fit_counts(CorpusCounts.of(bags, n_rows))

    def fit_counts(self, counts: CorpusCounts) -> "Sif":
        """The same from counts of the corpus."""
        return self if self.given else self._with_frequencies(counts.row_totals)

    def widened(self, n_rows: int) -> "Sif":
        """For a table that has grown: new rows have a frequency of 0."""
        return self if self.probabilities is None else replace(self, probabilities=padded(self.probabilities, n_rows))

    def fit_frequencies(self, frequencies: Doubles1d) -> "Sif":
        """Take p(w) from a list of frequencies, float64[rows], in any unit; later fits keep them.

        Raises:
            InputError: They are not finite, below 0, or all 0.
        """
        return replace(self._with_frequencies(frequencies), given=True)

    def _with_frequencies(self, frequencies: Doubles1d) -> "Sif":
        total = float(frequencies.sum())
        if not np.isfinite(frequencies).all() or (frequencies < 0).any() or total <= 0:
            raise InputError("SIF needs word frequencies that are finite, none below 0 and not all 0.")
        return replace(self, probabilities=(frequencies / total).astype(np.float32))

    def transform(self, bags: Bags) -> Bags:
        """count x a / (a + p). Raises InputError before a fit or for rows beyond the fitted table."""
        probabilities = fitted(self.probabilities, self.name, bags)
        return bags.with_weights(bags.weights * (self.a / (self.a + probabilities[bags.rows])))

    def state(self) -> State:
        return {"name": self.name, "a": self.a, "probabilities": self.probabilities, "given": self.given}


@dataclass(frozen=True, eq=False)
class Keywords:
    """Only, or mostly, a given set of rows: a keyword's count times ``weight``, any other's times ``other``.

    Attributes:
        rows: int32[k], the keywords' rows.
        weight: What a keyword counts.
        other: What any other row counts; 0 keeps keywords only.
    """

    name: ClassVar[str] = "keywords"
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int32))
    weight: float = 1.0
    other: float = 0.0

    def fit(self, bags: Bags, n_rows: int) -> "Keywords":
        """Nothing to learn."""
        return self

    def fit_counts(self, counts: CorpusCounts) -> "Keywords":
        """Nothing to learn."""
        return self

    def widened(self, n_rows: int) -> "Keywords":
        """New rows are no keywords."""
        return self

    def transform(self, bags: Bags) -> Bags:
        """Bags with keyword weights; entries that come to 0 are dropped."""
        factors = np.where(np.isin(bags.rows, self.rows), np.float32(self.weight), np.float32(self.other))
        weighted = bags.with_weights(bags.weights * factors)
        return weighted.keep(weighted.weights != 0)

    def state(self) -> State:
        return {"name": self.name, "rows": self.rows, "weight": self.weight, "other": self.other}


def fitted(values: Floats1d | None, name: str, bags: Bags) -> Floats1d:
    """The fitted array of a weighting, checked against the rows that it is asked for."""
    if values is None:
        raise InputError(f"The '{name}' weighting has not been fitted: fit it on a corpus (nlp.initialize or .fit).")
    if len(bags.rows) and int(bags.rows.max()) >= len(values):
        raise InputError(
            f"The '{name}' weighting was fitted on a table of {len(values)} rows, but a bag names row "
            f"{int(bags.rows.max())}: fit it again with the table in use."
        )
    return values


def padded(values: Floats1d, n_rows: int, new: float = 0.0) -> Floats1d:
    """A fitted array, float32[rows], with a value for each row that its table has gained since."""
    return np.pad(values, (0, max(0, n_rows - len(values))), constant_values=np.float32(new))


WEIGHTINGS: dict[str, type[Uniform] | type[TfIdf] | type[Sif] | type[Keywords]] = {
    cls.name: cls for cls in (Uniform, TfIdf, Sif, Keywords)
}


def weighting_from_state(state: State) -> Weighting:
    """Rebuild a weighting from what its ``state()`` gave.

    Raises:
        InputError: The state names no known weighting.
    """
    settings = dict(state)
    name = settings.pop("name", None)
    if name not in WEIGHTINGS:
        raise InputError(f"Unknown weighting {name!r}: expected one of {', '.join(WEIGHTINGS)}.")
    return WEIGHTINGS[name](**settings)
