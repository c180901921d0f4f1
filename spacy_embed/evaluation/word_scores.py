"""Tables against test sets: one score a set and table, coverage beside it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spacy_embed.evaluation.dictionaries import read_dictionary
from spacy_embed.evaluation.lexicon import lexicon_induction
from spacy_embed.evaluation.word_analogies import analogy_accuracy, read_analogies
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.word_pairs import read_word_pairs
from spacy_embed.evaluation.word_sets import Kind, WordSet
from spacy_embed.evaluation.words import word_similarity
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.text_lines import Fault, Report, refuse
from spacy_embed.vectors.word_table import WordTable

MEASURES: dict[Kind, tuple[str, ...]] = {
    "similarity": ("spearman", "spearman_all"),
    "analogies": ("3cosadd", "3cosmul"),
    "dictionary": ("p@1", "p@5", "p@1 csls", "p@5 csls"),
}
"""What is measured of each kind of set."""


class NamedTable(NamedTuple):
    """A table that is compared with others."""

    name: str
    table: WordTable


@dataclass(frozen=True)
class WordScore:
    """How a table did on a test set."""

    kind: Kind
    lang: str
    """A language, or a dictionary's two, ``en-es``."""
    set: str
    table: str
    total: int
    """Pairs, questions, or source words."""
    covered: int
    """Those that the table has all needed words of."""
    composed: int
    """Distinct words whose vectors were composed from n-grams; similarity only."""
    measures: dict[str, float]
    """See ``MEASURES``; each over what is covered, but for ``spearman_all``. NaN where nothing is."""
    sections: list[dict[str, Any]] = field(default_factory=list)
    """Analogies: the same for each section."""

    @property
    def coverage(self) -> float:
        """Share of the set that is covered, 0 to 1."""
        return self.covered / self.total if self.total else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values; a measure that is not there is None."""
        facts = {name: getattr(self, name) for name in ("kind", "lang", "set", "table", "total", "covered", "composed")}
        sections = {"sections": [_without_nan(section) for section in self.sections]} if self.sections else {}
        return {**facts, "coverage": round(self.coverage, 4), **_without_nan(self.measures), **sections}


Tables = Mapping[str, Sequence[NamedTable]]
"""The tables of each language."""

Lookups = Callable[[str], WordLookup]
"""From a language to how its test words are found."""


def score_word_sets(
    sets: Sequence[WordSet],
    tables: Tables,
    lookups: Lookups,
    *,
    vocabulary: int = 200_000,
    report: Report = refuse,
) -> list[WordScore]:
    """Score every table on every set of its language; sets without tables are passed over.

    A dictionary is scored with the first tables of its two languages, the second ones, and so on; where a language
    has one table, that goes with all of the other's.

    Args:
        sets: The sets.
        tables: The tables of each language.
        lookups: How words of a language are found.
        vocabulary: Answers and translations are among the first so many words of a table.
        report: What becomes of a malformed line, or of tables of different dimensions.
    """
    scores: list[WordScore] = []
    for of_set in progress_bar(sets, total=len(sets), label="evaluating", unit="set"):
        groups = [tables.get(lang, ()) for lang in of_set.langs]
        if not all(groups):
            continue
        if of_set.kind == "dictionary":
            scores += _dictionary_scores(of_set, groups[0], groups[1], lookups, vocabulary, report)
        elif of_set.kind == "similarity":
            scores += _similarity_scores(of_set, groups[0], lookups, report)
        else:
            scores += _analogy_scores(of_set, groups[0], lookups, vocabulary, report)
    return scores


def _similarity_scores(
    of_set: WordSet, tables: Sequence[NamedTable], lookups: Lookups, report: Report
) -> list[WordScore]:
    pairs = read_word_pairs(of_set.path, report)
    lang = of_set.langs[0]
    scores = []
    for name, table in tables:
        found = word_similarity(table, pairs, lookups(lang))
        measures = dict(zip(MEASURES["similarity"], (found.spearman, found.spearman_all), strict=True))
        scores.append(
            WordScore("similarity", lang, of_set.name, name, found.pairs, found.covered, found.composed, measures)
        )
    return scores


def _analogy_scores(
    of_set: WordSet, tables: Sequence[NamedTable], lookups: Lookups, vocabulary: int, report: Report
) -> list[WordScore]:
    sections = read_analogies(of_set.path, report)
    lang = of_set.langs[0]
    scores = []
    for name, table in tables:
        found = analogy_accuracy(table, sections, lookups(lang), vocabulary=vocabulary)
        total = found.total
        measures = dict(zip(MEASURES["analogies"], (total.add, total.mul), strict=True))
        by_section = [
            {
                "name": part.name,
                "total": part.questions,
                "covered": part.covered,
                "3cosadd": part.add,
                "3cosmul": part.mul,
            }
            for part in found.sections
        ]
        scores.append(
            WordScore("analogies", lang, of_set.name, name, total.questions, total.covered, 0, measures, by_section)
        )
    return scores


def _dictionary_scores(
    of_set: WordSet,
    sources: Sequence[NamedTable],
    targets: Sequence[NamedTable],
    lookups: Lookups,
    vocabulary: int,
    report: Report,
) -> list[WordScore]:
    dictionary = read_dictionary(of_set.path, report)
    source_lookup, target_lookup = map(lookups, of_set.langs)
    scores = []
    for source, target in paired(sources, targets):
        if source.table.dim != target.table.dim:
            dims = f"{source.table.dim} and {target.table.dim}"
            reason = f"{source.name} and {target.name} have {dims} dimensions, no space in common: align one first."
            report(Fault(str(of_set.path), 0, reason))
            continue
        found = lexicon_induction(
            source.table,
            target.table,
            dictionary,
            source_lookup=source_lookup,
            target_lookup=target_lookup,
            vocabulary=vocabulary,
        )
        measures = dict(zip(MEASURES["dictionary"], found[:4], strict=True))
        name = source.name if source.name == target.name else f"{source.name} > {target.name}"
        scores.append(
            WordScore("dictionary", "-".join(of_set.langs), of_set.name, name, found.words, found.covered, 0, measures)
        )
    return scores


def paired(sources: Sequence[NamedTable], targets: Sequence[NamedTable]) -> list[tuple[NamedTable, NamedTable]]:
    """First with first, second with second; the only one of a language with each of the other's."""
    if len(sources) == 1:
        return [(sources[0], target) for target in targets]
    if len(targets) == 1:
        return [(source, targets[0]) for source in sources]
    return list(zip(sources, targets, strict=False))


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: (None if math.isnan(value) else round(value, 4)) if isinstance(value, float) else value
        for key, value in values.items()
    }
