"""What an evaluation of retrieval found: methods side by side on the same queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.evaluation.judgements import Query
from spacy_embed.evaluation.ranking import QueryScores
from spacy_embed.evaluation.significance import Comparison, PairedTest, compare


class MethodResult(NamedTuple):
    """How one method did."""

    method: str
    scores: QueryScores
    ms_per_query: float | None = None
    """Milliseconds to rank a query: index open, method built, query encoded; None for a run of others."""
    coverage: float | None = None
    """Share of the queries' tokens that the method knows, 0 to 1; None for a run of others."""


@dataclass(frozen=True)
class Evaluation:
    """Methods side by side on one set of queries.

    Attributes:
        dataset: What the set is called.
        queries: The queries that were asked and judged.
        documents: How many were searched; None where only runs were scored.
        depth: Hits kept a query; None where only runs were scored.
        results: The methods, the queries of each in the same order.
        baseline: The method that the others are compared with.
        test: The paired test.
        comparisons: By method and measure; the baseline is not among them.
        encoding_ms: Milliseconds to encode a query; None where only runs were scored.
    """

    dataset: str
    queries: list[Query]
    documents: int | None
    depth: int | None
    results: list[MethodResult]
    baseline: str
    test: PairedTest
    comparisons: dict[str, dict[str, Comparison]]
    encoding_ms: float | None = None

    @property
    def measures(self) -> list[str]:
        """Names of the measures, the main one first."""
        return list(self.results[0].scores.values)

    def result(self, method: str) -> MethodResult:
        """The result of a method."""
        return next(result for result in self.results if result.method == method)

    def as_json(self, *, per_query: bool = False) -> dict[str, Any]:
        """Everything, as JSON has it; a p that is not defined is None.

        Args:
            per_query: With the measures of each query.
        """
        found: dict[str, Any] = {
            "dataset": self.dataset,
            "queries": len(self.queries),
            "documents": self.documents,
            "depth": self.depth,
            "methods": {result.method: result.scores.means for result in self.results},
            "ms_per_query": {result.method: _rounded(result.ms_per_query, 3) for result in self.results},
            "encoding_ms_per_query": _rounded(self.encoding_ms, 3),
            "coverage": {result.method: _rounded(result.coverage, 4) for result in self.results},
            "baseline": self.baseline,
            "test": self.test,
            "comparisons": {
                method: {measure: _comparison(of_measure) for measure, of_measure in of_method.items()}
                for method, of_method in self.comparisons.items()
            },
            "precision_at_recall": {result.method: result.scores.precision.tolist() for result in self.results},
        }
        if per_query:
            found["per_query"] = {
                "queries": self.results[0].scores.queries,
                "values": {
                    result.method: {name: values.tolist() for name, values in result.scores.values.items()}
                    for result in self.results
                },
            }
        return found


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _comparison(found: Comparison) -> dict[str, Any]:
    # NaN is no JSON
    ps = {name: None if np.isnan(value) else value for name, value in (("p", found.p), ("p_holm", found.p_holm))}
    return {**found._asdict(), **ps}


def compare_results(
    results: Sequence[MethodResult], baseline: str, test: PairedTest = "t", seed: int = 0
) -> dict[str, dict[str, Comparison]]:
    """Every method beside the baseline, by every measure; Holm's correction is over the methods.

    Args:
        results: The methods, the queries of each in the same order.
        baseline: One of them.
        test: See ``compare``.
        seed: Of permutations.
    """
    of_baseline = next(result for result in results if result.method == baseline).scores.values
    others = [result for result in results if result.method != baseline]
    by_measure = {
        measure: compare(values, {result.method: result.scores.values[measure] for result in others}, test, seed)
        for measure, values in of_baseline.items()
    }
    return {
        result.method: {measure: by_measure[measure][result.method] for measure in of_baseline} for result in others
    }
