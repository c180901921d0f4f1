"""A document encoder fitted on relevance judgements: a factor for each word's weight, and a linear map."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import BagEmbedding, sum_embeddings
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.training.encoder_steps import EncoderSteps, Parameters, Rates
from spacy_embed.training.hard_negatives import best_documents, ndcg, with_hard_negatives
from spacy_embed.training.judged_queries import JudgedQueries, folds, groups_of_queries
from spacy_embed.training.triplet_loss import triplet_loss, triplets_of
from spacy_embed.types import Doubles1d, Floats1d, Floats2d, Ints1d, State
from spacy_embed.weighting import TfIdf, padded

MARGINS = (0.1, 0.2)
"""What cross-validation tries where no margin is given."""

_DEPTH = 10
_HARD = 20
_FOLDS = 3
_EPOCHS_UNTRIED = 3
_QUERIES_A_STEP = 64
_RATES = Rates(factors=2e-3, projection=1e-3, factors_back=1e-3, projection_back=1e-3)


class Learned(NamedTuple):
    """How a fit went."""

    queries: int
    """Queries with a relevant document."""
    margin: float
    epochs: int
    """Passes over the queries; 0 where no pass helped the queries that were held out: the encoder is the start."""
    start: float | None
    """nDCG@10 of the start, over training queries held out in turn; None where there were too few to hold any out."""
    fitted: float | None
    """nDCG@10 of encoders that had not seen the query nor any with the same relevant documents."""
    losses: tuple[float, ...]
    """Mean loss of each epoch."""


@dataclass(frozen=True, eq=False)
class JudgedEncoder:
    """``unit(W sum(count(w) idf(w) factor(w) row(w)))``: a document is a weighted bag of rows still.

    The map may as well be applied to every row of the table. W starts at the identity and the factors at 1, which is
    TF-IDF exactly; both are pulled back there, and a word that no training text holds keeps its idf.

    Attributes:
        margin: By how much the cosine of a better document shall be higher; None: chosen by cross-validation.
        epochs: Passes over the queries at most; how many is chosen by cross-validation too.
        seed: Of folds and the order of queries: with one thread, the same seed gives the same bytes.
        factors: float32[rows] once fitted.
        projection: float32[dim, dim] once fitted: W.
        learned: How the fit went.
    """

    margin: float | None = None
    epochs: int = 10
    seed: int = 1
    factors: Floats1d | None = field(default=None, repr=False)
    projection: Floats2d | None = field(default=None, repr=False)
    learned: Learned | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < 2:
            raise InputError(f"The margin is between cosines: above 0 and below 2, got {self.margin}.")
        if self.epochs < 1:
            raise InputError(f"Fitting needs at least one epoch, got {self.epochs}.")

    def fit(self, judged: JudgedQueries, n_factors: int) -> "JudgedEncoder":
        """A copy fitted on queries with judgements; margin and epochs are chosen on held-out queries among them.

        Args:
            judged: Queries without a relevant document, or without a known word, are left out.
            n_factors: How many factors there are: rows of the table that the encoder is for.

        Raises:
            InputError: No query is left.
        """
        has_words = (judged.queries.sizes > 0) & (judged.relevant.sizes > 0)
        judged = judged.take(np.flatnonzero(has_words))
        if not len(judged.queries):
            raise InputError(
                "No query has both a known word and a relevant document: there is nothing to learn from. Check the "
                "ids in the judgements, and the languages of queries and vectors."
            )
        margin, epochs, start, fitted = self._choose(judged, n_factors)
        losses: list[float] = []
        with progress_bar(total=epochs, label="fitting", unit="epoch") as bar:

            def after(_: int, loss: float, __: Parameters) -> None:
                losses.append(loss)
                bar.set_postfix(loss=f"{loss:.4f}")
                bar.update(1)

            parameters = _descend(judged, n_factors, margin, epochs, self.seed, after)
        learned = Learned(len(judged.queries), margin, epochs, start, fitted, tuple(losses))
        factors, projection = parameters.as_floats()
        return replace(self, factors=factors, projection=projection, learned=learned)

    def _choose(self, judged: JudgedQueries, n_factors: int) -> tuple[float, int, float | None, float | None]:
        """Margin and epochs that are best for queries that were held out, and nDCG@10 there before and after."""
        margins = MARGINS if self.margin is None else (self.margin,)
        groups = groups_of_queries(judged.judgements, len(judged.documents))
        if int(groups.max()) + 1 < 2 * _FOLDS:
            return margins[0], min(self.epochs, _EPOCHS_UNTRIED), None, None
        totals = np.zeros((len(margins), self.epochs + 1))
        splits = list(folds(groups, _FOLDS, self.seed))
        with progress_bar(total=len(margins) * len(splits) * self.epochs, label="choosing", unit="epoch") as bar:
            for i, margin in enumerate(margins):
                for kept, held_out in splits:
                    asked = judged.take(held_out)
                    totals[i, 0] += _quality(asked, _start(judged, n_factors)).sum()

                    def after(
                        epoch: int, _: float, parameters: Parameters, i: int = i, asked: JudgedQueries = asked
                    ) -> None:
                        totals[i, epoch] += _quality(asked, parameters).sum()
                        bar.update(1)

                    _descend(judged.take(kept), n_factors, margin, self.epochs, self.seed, after)
        means = totals / len(judged.queries)
        # the first of equal ones: the nearest to the start
        best, epochs = np.unravel_index(int(means.argmax()), means.shape)
        return margins[int(best)], int(epochs), float(means[0, 0]), float(means[best, epochs])

    def embedding(self, start: BagEmbedding) -> BagEmbedding:
        """The encoder as an embedding.

        Args:
            start: TF-IDF fitted on documents; its idf is kept.

        Raises:
            InputError: The encoder has not been fitted, or the start weighs in another way.
        """
        if self.factors is None or self.projection is None:
            raise InputError("The encoder has not been fitted: fit it on judged queries first.")
        if not isinstance(start.weighting, TfIdf):
            raise InputError(f"An encoder is fitted over 'tfidf', not over {start.weighting.name!r}.")
        weighting = replace(start.weighting, factors=self.factors)
        # components were fitted on what was not yet mapped
        return replace(start, weighting=weighting, projection=self.projection, n_components=0, components=None)

    def widened(self, n_rows: int) -> "JudgedEncoder":
        """A copy for a table that has grown since the fit: new rows have a factor of 1."""
        return self if self.factors is None else replace(self, factors=padded(self.factors, n_rows, 1.0))

    def state(self) -> State:
        """Settings and fitted arrays, enough for ``encoder_from_state``."""
        return {
            "margin": self.margin,
            "epochs": self.epochs,
            "seed": self.seed,
            "factors": self.factors,
            "projection": self.projection,
            "learned": None if self.learned is None else self.learned._asdict(),
        }


def encoder_from_state(state: State) -> JudgedEncoder:
    """Rebuild an encoder from what its ``state()`` gave."""
    learned = state["learned"]
    if learned is not None:
        learned = Learned(**{**learned, "losses": tuple(learned["losses"])})
    return JudgedEncoder(**{**state, "learned": learned})


def _start(judged: JudgedQueries, n_factors: int) -> Parameters:
    return Parameters(np.zeros(n_factors), np.eye(judged.table.shape[1]))


def _embed(bags: Bags, judged: JudgedQueries, parameters: Parameters) -> Floats2d:
    factors, projection = parameters.as_floats()
    of_rows = factors[judged.factor_of]
    return sum_embeddings(bags.with_weights(bags.weights * of_rows[bags.rows]), judged.table) @ projection.T


def _best(judged: JudgedQueries, parameters: Parameters, k: int) -> Ints1d:
    return best_documents(_embed(judged.queries, judged, parameters), _embed(judged.documents, judged, parameters), k)


def _quality(judged: JudgedQueries, parameters: Parameters) -> Doubles1d:
    """float64[queries], nDCG@10."""
    return ndcg(_best(judged, parameters, _DEPTH), judged.judgements, len(judged.documents))


def _descend(
    judged: JudgedQueries,
    n_factors: int,
    margin: float,
    epochs: int,
    seed: int,
    after: Callable[[int, float, Parameters], None],
) -> Parameters:
    """Mini-batches of queries; the hardest negatives are looked for again before each epoch.

    ``after`` is called with the number of epochs done, the mean loss, and the parameters.
    """
    steps, random = EncoderSteps(_start(judged, n_factors), _RATES), np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        hard = with_hard_negatives(
            judged.judgements, _best(judged, steps.parameters, _HARD), judged.candidates, len(judged.documents)
        )
        order, total = random.permutation(len(judged.queries)), 0.0
        for start in range(0, len(order), _QUERIES_A_STEP):
            chosen = order[start : start + _QUERIES_A_STEP]
            of_batch = hard.take(chosen)
            documents, positions = np.unique(of_batch.rows, return_inverse=True)
            triplets = triplets_of(Bags.build(positions, of_batch.weights, of_batch.offsets))
            found = triplet_loss(
                steps.parameters,
                judged.queries.take(chosen),
                judged.documents.take(documents),
                judged.table,
                judged.factor_of,
                triplets,
                margin,
            )
            total += found.loss * len(chosen)
            steps.step(found)
        after(epoch, total / len(order), steps.parameters)
    return steps.parameters
