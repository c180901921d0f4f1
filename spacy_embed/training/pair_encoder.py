"""A document encoder fitted on scored pairs of texts: a factor for each word's weight, and a linear map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from spacy_embed.bags import Bags
from spacy_embed.embedding import gram_matrix, principal_components, sum_embeddings, unit_rows
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.training.encoder_steps import EncoderSteps, Parameters, Rates
from spacy_embed.training.judged_queries import folds
from spacy_embed.training.pair_loss import pair_loss
from spacy_embed.types import Doubles1d, Doubles2d, Floats1d, Floats2d, Ints1d

COMPONENTS = (0, 5, 20)
"""What cross-validation tries where the number of components is not given."""

_FOLDS = 3
_FEWEST_HELD_OUT = 30
_EPOCHS_UNTRIED = 3
_PAIRS_A_STEP = 256
_RATES = Rates(factors=2e-2, projection=1e-3, factors_back=1e-4, projection_back=1e-3)


class ScoredBags(NamedTuple):
    """Pairs to learn from."""

    bags: Bags
    """``2 n``, weighted by the start (counts by idf): the first texts, then the second ones."""
    table: Floats2d
    """float32[rows, dim]."""
    gold: Doubles1d
    """float64[n], higher for more alike."""
    groups: Ints1d
    """int64[n], the same number for pairs that share a text, directly or by way of others: held out together."""

    def take(self, pairs: Ints1d) -> "ScoredBags":
        """Only some of the pairs."""
        both = np.concatenate([pairs, pairs + len(self.gold)])
        return ScoredBags(self.bags.take(both), self.table, self.gold[pairs], self.groups[pairs])


def groups_of_pairs(left: Sequence[str], right: Sequence[str]) -> Ints1d:
    """int64[n], the same number for pairs of texts that share one, directly or by way of others."""
    from scipy.sparse.csgraph import connected_components

    _, ids = np.unique(np.array([*left, *right], dtype=object), return_inverse=True)
    n, n_texts = len(left), int(ids.max(initial=-1)) + 1
    links = sparse.coo_array((np.ones(n), (ids[:n], ids[n:])), shape=(n_texts, n_texts))
    _, labels = connected_components(links, directed=False)
    return np.unique(labels[ids[:n]], return_inverse=True)[1].astype(np.int64)


class LearnedOfPairs(NamedTuple):
    """How a fit went."""

    pairs: int
    """Pairs with a known word on both sides."""
    components: int
    """Common components that the map takes out before it learns."""
    epochs: int
    """Passes over the pairs; 0 where no pass helped the pairs that were held out: the encoder is the start."""
    start: float | None
    """Spearman of TF-IDF as it is, mean over folds of held-out pairs; None where there were too few to hold any out."""
    fitted: float | None
    """The same of encoders that had not seen the pairs, nor any with one of their texts."""
    losses: tuple[float, ...]
    """Mean of 1 - Pearson's correlation over the batches of each epoch."""


@dataclass(frozen=True, eq=False)
class PairEncoder:
    """``unit(W sum(count(w) idf(w) factor(w) row(w)))``, cosines of which follow people's scores of pairs.

    W starts at the projection off the common components of the texts, the factors at 1; both are pulled back there,
    and a word that no training text holds keeps its idf. The loss is ``pair_loss``. What is fitted is of the same form
    as ``JudgedEncoder``'s, and goes where that goes.

    Attributes:
        components: How many common components W starts without; None: chosen by cross-validation.
        epochs: Passes over the pairs at most; how many is chosen by cross-validation too.
        seed: Of folds and the order of pairs: with one thread, the same seed gives the same bytes.
        factors: float32[rows] once fitted.
        projection: float32[dim, dim] once fitted: W.
        learned: How the fit went.
    """

    components: int | None = None
    epochs: int = 8
    seed: int = 1
    factors: Floats1d | None = field(default=None, repr=False)
    projection: Floats2d | None = field(default=None, repr=False)
    learned: LearnedOfPairs | None = None

    def __post_init__(self) -> None:
        if self.components is not None and self.components < 0:
            raise InputError(f"Common components are at least 0, got {self.components}.")
        if self.epochs < 1:
            raise InputError(f"Fitting needs at least one epoch, got {self.epochs}.")

    def fit(self, scored: ScoredBags) -> "PairEncoder":
        """A copy fitted on pairs; components and epochs are chosen on held-out pairs among them.

        Args:
            scored: Pairs with a text without a known word are left out.

        Raises:
            InputError: No two pairs with different scores are left.
        """
        n = len(scored.gold)
        has_words = scored.bags.sizes > 0
        scored = scored.take(np.flatnonzero(has_words[:n] & has_words[n:]))
        if len(np.unique(scored.gold)) < 2:
            raise InputError(
                f"{len(scored.gold)} pairs have known words on both sides, and no two of them different scores: "
                "there is nothing to learn from. Check the scores, and the languages of pairs and vectors."
            )
        components, epochs, start, fitted = self._choose(scored)
        losses: list[float] = []
        with progress_bar(total=epochs, label="fitting", unit="epoch") as bar:

            def after(_: int, loss: float, __: Parameters) -> None:
                losses.append(loss)
                bar.update(1)

            parameters = _descend(scored, _start(scored, components), epochs, self.seed, after)
        learned = LearnedOfPairs(len(scored.gold), components, epochs, start, fitted, tuple(losses))
        factors, projection = parameters.as_floats()
        return replace(self, factors=factors, projection=projection, learned=learned)

    def _choose(self, scored: ScoredBags) -> tuple[int, int, float | None, float | None]:
        """Components and epochs that are best for held-out pairs, and Spearman there of TF-IDF and of the best."""
        wanted = COMPONENTS if self.components is None else (self.components,)
        choices = [k for k in wanted if k < scored.table.shape[1]] or [0]
        splits = list(folds(scored.groups, _FOLDS, self.seed))
        if len(splits) < _FOLDS or min(len(held_out) for _, held_out in splits) < _FEWEST_HELD_OUT:
            return choices[0], min(self.epochs, _EPOCHS_UNTRIED), None, None
        found = np.zeros((len(choices), self.epochs + 1))
        plain = 0.0
        with progress_bar(total=len(choices) * len(splits) * self.epochs, label="choosing", unit="epoch") as bar:
            for kept, held_out in splits:
                known, asked = scored.take(kept), scored.take(held_out)
                plain += _quality(asked, _start(known, 0))
                for i, k in enumerate(choices):
                    start = _start(known, k)
                    found[i, 0] += _quality(asked, start)

                    def after(
                        epoch: int, _: float, parameters: Parameters, i: int = i, asked: ScoredBags = asked
                    ) -> None:
                        found[i, epoch] += _quality(asked, parameters)
                        bar.update(1)

                    _descend(known, start, self.epochs, self.seed, after)
        means = found / len(splits)
        # the first of equal ones: the nearest to the start
        best, epochs = np.unravel_index(int(means.argmax()), means.shape)
        return choices[int(best)], int(epochs), plain / len(splits), float(means[best, epochs])


def _start(scored: ScoredBags, n_components: int) -> Parameters:
    projection: Doubles2d = np.eye(scored.table.shape[1])
    if n_components:
        common = principal_components(gram_matrix(sum_embeddings(scored.bags, scored.table)), n_components)
        projection -= common.T.astype(np.float64) @ common
    return Parameters(np.zeros(len(scored.table)), projection)


def _quality(scored: ScoredBags, parameters: Parameters) -> float:
    """Spearman's correlation of cosines and scores; 0.0 where either is constant."""
    from scipy.stats import spearmanr

    factors, projection = parameters.as_floats()
    sums = sum_embeddings(scored.bags.with_weights(scored.bags.weights * factors[scored.bags.rows]), scored.table)
    units = unit_rows(sums @ projection.T)
    n = len(scored.gold)
    cosines = np.einsum("ij,ij->i", units[:n], units[n:])
    if len(np.unique(cosines)) < 2 or len(np.unique(scored.gold)) < 2:
        return 0.0
    return float(spearmanr(cosines, scored.gold).statistic)


def _descend(
    scored: ScoredBags,
    start: Parameters,
    epochs: int,
    seed: int,
    after: Callable[[int, float, Parameters], None],
) -> Parameters:
    """Mini-batches of pairs; ``after`` is called with the number of epochs done, the mean loss, and the parameters."""
    steps, random, n = EncoderSteps(start, _RATES), np.random.default_rng(seed), len(scored.gold)
    for epoch in range(1, epochs + 1):
        order, total = random.permutation(n), 0.0
        for first in range(0, n, _PAIRS_A_STEP):
            chosen = order[first : first + _PAIRS_A_STEP]
            of_batch = scored.bags.take(np.concatenate([chosen, chosen + n]))
            found = pair_loss(steps.parameters, of_batch, scored.table, scored.gold[chosen])
            total += found.loss * len(chosen)
            steps.step(found)
        after(epoch, total / n, steps.parameters)
    return steps.parameters
