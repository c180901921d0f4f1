"""Document embeddings: bags times a vector table, and the removal of common components."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.errors import InputError
from spacy_embed.threads import map_ahead, one_blas_thread
from spacy_embed.types import Doubles2d, Floats1d, Floats2d, State
from spacy_embed.weighting import Sif, TfIdf, Uniform, Weighting, weighting_from_state

Reduction = Literal["sum", "mean"]

_ROWS_AT_ONCE = 512


def sum_embeddings(bags: Bags, table: Floats2d) -> Floats2d:
    """Weighted sum of a bag's rows.

    Args:
        bags: ``n`` bags.
        table: float32[rows, dim], in memory or memory-mapped; only the rows in use are read.

    Returns:
        float32[n, dim]; a zero row for an empty bag.
    """
    return np.asarray(bags.to_csr(table.shape[0]) @ table, dtype=np.float32)


def mean_embeddings(bags: Bags, table: Floats2d) -> Floats2d:
    """Weighted mean of a bag's rows, float32[n, dim]; a zero row for an empty bag or weights that sum to 0."""
    return sum_embeddings(bags.normalized(), table)


def unit_bags(bags: Bags, table: Floats2d) -> Bags:
    """Weights divided by the length of their row: the same as bags over unit rows, without a copy of the table."""
    bags.check_rows(table.shape[0])
    used, position = np.unique(bags.rows, return_inverse=True)
    rows = np.asarray(table[used], dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return bags.with_weights(bags.weights * inverse[position])


def unit_rows(matrix: NDArray[np.floating]) -> Floats2d:
    """Rows scaled to length 1; zero rows stay zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    units = np.empty(matrix.shape, np.float32)
    # in float64 all the same, but without a matrix of it
    np.multiply(matrix, inverse[:, None], out=units, dtype=np.float64, casting="same_kind")
    return units


def cosine_similarity(left: Floats1d, right: Floats1d) -> float:
    """Cosine in [-1, 1], in float64; 0.0 when either vector is zero.

    Raises:
        InputError: The vectors have different lengths.
    """
    if left.shape != right.shape:
        raise InputError(
            f"Embeddings of {left.shape[-1]} and {right.shape[-1]} dimensions cannot be compared: "
            "both documents must come from the same pipeline."
        )
    a, b = left.astype(np.float64), right.astype(np.float64)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / norms, -1.0, 1.0)) if norms > 0 else 0.0


def gram_matrix(embeddings: Floats2d) -> Doubles2d:
    """float64[dim, dim], the products of the embeddings' columns; those of batches add up to those of the whole."""
    gram = np.zeros((embeddings.shape[1], embeddings.shape[1]))
    for start in range(0, len(embeddings), _ROWS_AT_ONCE):
        # products in float32, sums of them in float64: four times as fast, and the sum stays exact to 1e-6
        rows = np.asarray(embeddings[start : start + _ROWS_AT_ONCE], dtype=np.float32)
        gram += rows.T @ rows
    return gram


def principal_components(gram: Doubles2d, n_components: int) -> Floats2d:
    """First right singular vectors of an (uncentred) matrix of embeddings, float32[k, dim], k <= n_components.

    Signs are fixed (largest entry positive), so that the same corpus gives the same bytes.

    Args:
        gram: float64[dim, dim], the matrix's ``gram_matrix``.
        n_components: How many are wanted; there are fewer where the embeddings span less.
    """
    if n_components < 1:
        return np.empty((0, len(gram)), np.float32)
    values, vectors = np.linalg.eigh(gram)
    strongest = [i for i in np.argsort(values)[::-1][:n_components] if values[i] > 1e-12 * max(values[-1], 1e-300)]
    components = vectors[:, strongest].T
    signs = np.sign(components[np.arange(len(components)), np.abs(components).argmax(axis=1)])
    return np.asarray(components * signs[:, None], dtype=np.float32)


def remove_components(embeddings: Floats2d, components: Floats2d) -> Floats2d:
    """Embeddings less their projection on orthonormal components (Arora et al. 2017, algorithm 1, line 6)."""
    if not len(components):
        return embeddings
    # einsum, not BLAS: a row comes out the same whatever batch it is in
    projections = np.einsum("ij,kj->ik", embeddings, components)
    rest = np.asarray(embeddings - np.einsum("ik,kj->ij", projections, components), dtype=np.float32)
    # what lay wholly in the components is rounding now, not a direction
    rest[np.linalg.norm(rest, axis=1) <= 1e-5 * np.linalg.norm(embeddings, axis=1)] = 0.0
    return rest


@dataclass(frozen=True, eq=False)
class BagEmbedding:
    """One way from bags of counts to document embeddings: weigh, reduce, map, remove common components.

    Attributes:
        weighting: Turns counts into weights.
        reduction: ``sum`` or ``mean`` of the weighted rows; cosine is the same for both.
        n_components: How many principal components of the corpus to remove (0: none).
        normalize: Use rows of length 1.
        components: float32[k, dim] once fitted.
        projection: float32[dim, dim], a linear map of the embeddings, the same as that of every row of the table
            (see ``training.judged_encoder``); None for none.
    """

    weighting: Weighting = field(default_factory=Uniform)
    reduction: Reduction = "mean"
    n_components: int = 0
    normalize: bool = False
    components: Floats2d | None = field(default=None, repr=False)
    projection: Floats2d | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.reduction not in get_args(Reduction):
            raise InputError(f"Unknown reduction {self.reduction!r}: expected one of {', '.join(get_args(Reduction))}.")

    @property
    def learns(self) -> bool:
        """Whether a corpus changes it."""
        return self.n_components > 0 or bool({"idf", "probabilities"} & set(self.weighting.state()))

    @property
    def is_fitted(self) -> bool:
        """Whether it can embed documents."""
        state = self.weighting.state()
        has_weights = all(state[key] is not None for key in {"idf", "probabilities"} & set(state))
        return has_weights and (self.n_components == 0 or self.components is not None)

    def fit(self, bags: Bags, table: Floats2d) -> "BagEmbedding":
        """A copy whose weighting and components are fitted on a corpus of bags of counts."""
        return self.fit_batches(lambda: [bags], table, CorpusCounts.of(bags, table.shape[0]))

    def fit_batches(
        self, batches: Callable[[], Iterable[Bags]], table: Floats2d, counts: CorpusCounts, threads: int = 1
    ) -> "BagEmbedding":
        """The same on a corpus that is never held at once.

        Args:
            batches: Gives the corpus's bags of counts, batch by batch; called when there are components to find.
            table: float32[rows, dim].
            counts: The corpus's counts over the table's rows.
            threads: How many work on batches; the result is the same for any number.
        """
        weighted = self.weighted_by(counts)
        if self.n_components == 0:
            return weighted
        gram = np.zeros((table.shape[1], table.shape[1]))
        # a batch is too small for BLAS to share out, and its threads would take the cores of ours
        with one_blas_thread:
            for of_batch in map_ahead(lambda bags: gram_matrix(weighted.reduce(bags, table)), batches(), threads):
                gram += of_batch
        found = weighted.with_components(gram)
        return found if any(found.transform(bags, table).any() for bags in batches()) else found.without_components()

    def weighted_by(self, counts: CorpusCounts) -> "BagEmbedding":
        """A copy whose weighting is fitted: all of a fit where there are no components to find."""
        return replace(self, weighting=self.weighting.fit_counts(counts), components=None)

    def with_components(self, gram: Doubles2d) -> "BagEmbedding":
        """A copy that removes the principal components of a corpus, given the ``gram_matrix`` of what ``reduce`` gives.

        Where that leaves nothing of any document, the components are all there is, and must stay: see
        ``without_components``.
        """
        return replace(self, components=principal_components(gram, self.n_components))

    def without_components(self) -> "BagEmbedding":
        """A copy that is fitted and removes nothing."""
        assert self.components is not None
        return replace(self, components=self.components[:0])

    def widened(self, n_rows: int) -> "BagEmbedding":
        """A copy for a table that has grown since the fit: its new rows count as never seen."""
        return replace(self, weighting=self.weighting.widened(n_rows))

    def weigh(self, bags: Bags, table: Floats2d) -> Bags:
        """The weights with which each row enters the embedding, before components are removed."""
        weighted = self.weighting.transform(bags)
        if self.reduction == "mean":
            weighted = weighted.normalized()
        return unit_bags(weighted, table) if self.normalize else weighted

    def reduce(self, bags: Bags, table: Floats2d) -> Floats2d:
        """float32[n, dim], weighed, reduced and mapped, components still in."""
        return self.map(sum_embeddings(self.weigh(bags, table), table))

    def map(self, embeddings: Floats2d) -> Floats2d:
        """The linear map of embeddings, or of rows of the table, float32[n, dim].

        Raises:
            InputError: They have another dimension than the map.
        """
        if self.projection is None:
            return embeddings
        if self.projection.shape[1] != embeddings.shape[1]:
            raise InputError(
                f"A map of {self.projection.shape[1]} dimensions does not fit a table of {embeddings.shape[1]}."
            )
        # in double precision, so that a row comes out the same whatever batch it is in
        mapped = embeddings.astype(np.float64) @ self.projection.T.astype(np.float64)
        return np.asarray(mapped, dtype=np.float32)

    def transform(self, bags: Bags, table: Floats2d) -> Floats2d:
        """Embeddings of bags of counts.

        Args:
            bags: ``n`` bags over the rows of ``table``.
            table: float32[rows, dim].

        Returns:
            float32[n, dim]; zero rows for empty bags.

        Raises:
            InputError: It needs a fit and has none, or the table has another dimension than the components.
        """
        embeddings = self.reduce(bags, table)
        if self.n_components == 0:
            return embeddings
        if self.components is None:
            raise InputError("Common components have not been fitted: fit the embedding on a corpus first.")
        if self.components.shape[1] != table.shape[1]:
            raise InputError(
                f"Components of {self.components.shape[1]} dimensions do not fit a table of {table.shape[1]}."
            )
        return remove_components(embeddings, self.components)

    def state(self) -> State:
        """Settings and fitted arrays, enough for ``embedding_from_state``."""
        return {
            "weighting": self.weighting.state(),
            "reduction": self.reduction,
            "n_components": self.n_components,
            "normalize": self.normalize,
            "components": self.components,
            "projection": self.projection,
        }


def embedding_from_state(state: State) -> BagEmbedding:
    """Rebuild an embedding from what its ``state()`` gave."""
    return BagEmbedding(**{**state, "weighting": weighting_from_state(state["weighting"])})


EMBEDDINGS: dict[str, BagEmbedding] = {
    "sum": BagEmbedding(Uniform(), "sum"),
    "mean": BagEmbedding(Uniform(), "mean"),
    "tfidf": BagEmbedding(TfIdf(), "mean"),
    "sif": BagEmbedding(Sif(), "mean", n_components=1),
}
"""The embeddings by name, unfitted."""


def named_embedding(name: str) -> BagEmbedding:
    """An unfitted embedding by its name.

    Raises:
        InputError: No embedding has this name.
    """
    if name not in EMBEDDINGS:
        raise InputError(f"Unknown embedding {name!r}: expected one of {', '.join(EMBEDDINGS)}.")
    return EMBEDDINGS[name]
