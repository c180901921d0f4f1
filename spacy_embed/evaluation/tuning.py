"""Tuning a hybrid method to a corpus on judged queries: settings of its parts, their weights, and whether to rerank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, require
from spacy_embed.evaluation.hybrid_settings import (
    RERANK,
    grid_of,
    key_of,
    method_of,
    setting_of,
    settings_of,
    weights_of,
)
from spacy_embed.evaluation.judgements import Qrels
from spacy_embed.evaluation.measures import parse_measures
from spacy_embed.evaluation.parameter_search import Search, Setting, choose, cross_validate, standard_error
from spacy_embed.evaluation.part_scores import PartScores, fused
from spacy_embed.evaluation.significance import paired_p
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.method_names import BM25, HYBRID
from spacy_embed.training.judged_queries import folds, groups_of_queries
from spacy_embed.types import Doubles1d, Doubles2d, Floats2d, Ints1d

_ALL_HITS = 1000


class Row(NamedTuple):
    """How one method did on the queries that were held out."""

    name: str
    mean: float
    error: float
    """Standard error of the mean over folds."""
    differences: dict[str, float]
    """From the default and from BM25."""
    ps: dict[str, float]
    """Of the two-sided paired t test over queries, against either."""


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        method: The chosen method.
        settings: The chosen weighting.
        is_default: The default was kept.
        gain: What tuning gained over the default on held-out queries, and its standard error.
        rows: The tuned method as chosen without each fold, the default, and BM25, on the same held-out queries.
        folds: Queries held out and the method and settings chosen without them, fold by fold.
        queries: How many.
        tried: How many settings were tried.
    """

    method: str
    settings: FitSettings
    is_default: bool
    gain: tuple[float, float]
    rows: list[Row]
    folds: list[dict[str, Any]]
    queries: int
    tried: int


class Trials:
    """Measures of every query by any setting, each computed once.

    Args:
        scores: Of the parts.
        ids: Of the queries.
        qrels: Judgements.
        measure: A name of ``parse_measures``.
        base: Settings of what is not tuned.
        reranker: What may rank again; "" for nothing.
    """

    def __init__(
        self, scores: PartScores, ids: Sequence[str], qrels: Qrels, measure: str, base: FitSettings, reranker: str = ""
    ) -> None:
        library = require("ir_measures", extra="search", purpose="tune")
        self.scores, self.ids, self.base, self.reranker = scores, ids, base, reranker
        self.names = np.array([*scores.index.id_keys.all(), ""], dtype=object)
        (found,) = parse_measures([measure]).values()
        self.depth = int(found.params.get("cutoff") or _ALL_HITS)
        self.evaluator = library.evaluator([found], {query: qrels[query] for query in ids})
        self.kept: dict[tuple[Any, ...], Doubles1d] = {}
        self.bar = progress_bar(label="tuning", unit="setting")

    def __call__(self, setting: Setting) -> Doubles1d:
        """float64[queries]; 0 for a query without hits."""
        key = key_of(setting)
        if key not in self.kept:
            self.kept[key] = self._measured(setting)
            self.bar.update(1)
        return self.kept[key]

    def _measured(self, setting: Setting) -> Doubles1d:
        weights = weights_of(setting)
        if not weights:
            return np.zeros(len(self.ids))
        settings = settings_of(setting, self.base)
        scores = fused([self.scores.of_part(part, settings) for part in weights], list(weights.values()))
        if setting.get(RERANK):
            scores = _reranked(scores, self.scores.again(self.reranker), int(setting[RERANK]))
        # candidates stand by rising id: so do equal scores
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.depth]
        best = np.take_along_axis(scores, order, axis=1)
        names = self.names[np.take_along_axis(self.scores.candidates, order, axis=1)]
        run = {
            query: {name: -float(rank) for rank, name in enumerate(of_query[is_hit])}
            for query, of_query, is_hit in zip(self.ids, names, np.isfinite(best), strict=True)
        }
        found = {
            one.query_id: one.value for one in self.evaluator.iter_calc({q: hits for q, hits in run.items() if hits})
        }
        return np.array([found.get(query, 0.0) for query in self.ids], np.float64)


def tune(trials: Trials, default: Setting, parts: Sequence[str], judged: Bags, n_folds: int, seed: int) -> Tuned:
    """Choose settings by nested cross-validation, and keep the default unless held-out queries speak for a change.

    The score that is reported for tuning is of settings chosen without the query's own fold; queries that share a
    relevant document are in one fold. The final setting is chosen on all queries, and taken if the gain over the
    default on the held-out queries is more than one standard error.

    Args:
        trials: Measures settings.
        default: What to beat.
        parts: What a method may be made of.
        judged: A bag a query: numbers of judged documents, grades as weights.
        n_folds: How many folds.
        seed: Of the split.

    Raises:
        InputError: There are fewer queries than folds, or fewer than two groups of them.
    """
    groups = groups_of_queries(judged, int(judged.rows.max()) + 1)
    if len(judged) < n_folds:
        raise InputError(
            f"{n_folds} folds need at least {n_folds} judged queries, got {len(judged)}: give more, or fewer --folds."
        )
    if groups.max() < 1:
        raise InputError(
            f"All {len(judged)} queries share relevant documents, one with another: none can be held out fairly. Give "
            "queries about other documents too."
        )
    known = {name: setting_of(name, parts, default) for name in (BM25, HYBRID)}
    starts = {name: setting for name, setting in known.items() if setting is not None}
    grid = grid_of(parts, trials.reranker)
    search = Search(trials, grid, [default, *starts.values()], default)
    found = cross_validate(search, folds(groups, n_folds, seed))
    of_default = trials(default)
    gain, error = float((found.values - of_default).mean()), standard_error(found.values - of_default)
    chosen = choose(search, np.arange(len(judged))) if gain > error else default
    # without BM25 among the parts there is nothing to compare with but the default
    against = {"default": of_default, **({BM25: trials(starts[BM25])} if BM25 in starts else {})}
    rows = [_row(name, values, found.folds, against) for name, values in {"tuned": found.values, **against}.items()]
    of_folds = [
        {
            "queries": len(held),
            "method": method_of(setting, trials.reranker),
            **settings_of(setting, trials.base).changed,
        }
        for held, setting in zip(found.folds, found.settings, strict=True)
    ]
    return Tuned(
        method_of(chosen, trials.reranker),
        settings_of(chosen, trials.base),
        key_of(chosen) == key_of(default),
        (gain, error),
        rows,
        of_folds,
        len(judged),
        len(trials.kept),
    )


def judged_bags(ids: Sequence[str], qrels: Qrels) -> Bags:
    """A bag a query: a number for each judged document, grades as weights."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(document, len(numbers)) for query in ids for document in qrels[query]]
    grades = [grade for query in ids for grade in qrels[query].values()]
    return Bags.build(np.array(rows), np.array(grades), np.cumsum([0, *(len(qrels[query]) for query in ids)]))


def _reranked(scores: Doubles2d, again: Floats2d, depth: int) -> Doubles2d:
    """The best ``depth`` of each query by other scores; the rest are no hits."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    out = np.full(scores.shape, -np.inf)
    kept = np.take_along_axis(again, order, axis=1).astype(np.float64)
    kept[np.isnan(kept) | ~np.isfinite(np.take_along_axis(scores, order, axis=1))] = -np.inf
    np.put_along_axis(out, order, kept, axis=1)
    return out


def _row(name: str, values: Doubles1d, held_out: Sequence[Ints1d], against: Mapping[str, Doubles1d]) -> Row:
    means = np.array([values[held].mean() for held in held_out if len(held)])
    differences = {other: values - of_other for other, of_other in against.items() if other != name}
    return Row(
        name,
        float(values.mean()),
        standard_error(means),
        {other: float(difference.mean()) for other, difference in differences.items()},
        {other: paired_p(difference) for other, difference in differences.items()},
    )
