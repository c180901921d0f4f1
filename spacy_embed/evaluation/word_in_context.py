"""Words in context: whether a word means the same in two sentences, scored as in MCL-WiC (Martelli et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spacy_embed.errors import InputError
from spacy_embed.evaluation.sense_induction import FormsOfTexts, FormsOfWords, model_key
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse
from spacy_embed.senses.context_vectors import Background, ContextWeights, context_vectors, form_vectors
from spacy_embed.senses.contexts import Contexts, Span, build_contexts, target_tokens
from spacy_embed.types import Doubles1d
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.word_table import WordTable

COLUMNS = ("tag", "lemma", "pos", "start1", "end1", "start2", "end2", "sentence1", "sentence2")


class ContextPair(NamedTuple):
    """A word in two sentences."""

    lemma: str
    is_same: bool
    """Whether people say that it means the same."""
    texts: tuple[str, str]
    spans: tuple[Span, Span]


class PairScore(NamedTuple):
    """Accuracy on pairs."""

    method: str
    accuracy: float
    """Share of the pairs that are answered as people do, 0 to 1."""
    threshold: float
    """Pairs of at least this similarity are the same."""
    pairs: int
    said_same: float
    """Share of the pairs that are said to be the same."""


def is_pair_file(path: Path) -> bool:
    """Whether a file's first line has MCL-WiC's columns."""
    first = next((line for _, line in read_lines(path)), "") if not path.is_dir() else ""
    return first.split("\t")[:2] == list(COLUMNS[:2])


def read_context_pairs(path: Path, report: Report = refuse) -> list[ContextPair]:
    """Read ``tag, lemma, pos, start1, end1, start2, end2, sentence1, sentence2`` lines with tabs between.

    Args:
        path: The file, plain or ``.gz``; the first line names the columns; T is the same sense, F another.
        report: What becomes of a malformed line.

    Raises:
        InputError: There is no file, columns are missing, there are no pairs, or a fault as ``report`` sees fit.
    """
    pairs: list[ContextPair] = []
    columns: list[str] = []
    for number, line in read_lines(path, report):
        cells = line.split("\t")
        if not columns:
            columns = cells
            if missing := [column for column in COLUMNS if column not in columns]:
                raise InputError(f"{path}, line {number}: columns are missing: {', '.join(missing)}.")
            continue
        try:
            pairs.append(_pair(dict(zip(columns, cells, strict=True))))
        except ValueError as error:
            report(Fault(str(path), number, f"{error}.", line))
    if not pairs:
        raise InputError(f"{path} holds no pairs: expected lines of {', '.join(COLUMNS)} with tabs between.")
    return pairs


def _pair(fields: dict[str, str]) -> ContextPair:
    if fields["tag"] not in ("T", "F"):
        raise ValueError(f"expected the tag T or F, got {fields['tag']!r}")
    texts = (fields["sentence1"], fields["sentence2"])
    spans = tuple((int(fields[f"start{i}"]), int(fields[f"end{i}"])) for i in (1, 2))
    for (start, stop), text in zip(spans, texts, strict=True):
        if not 0 <= start < stop <= len(text):
            raise ValueError(f"position {start} to {stop} lies outside the sentence's {len(text)} characters")
    return ContextPair(fields["lemma"], fields["tag"] == "T", texts, (spans[0], spans[1]))


def pair_contexts(
    pairs: Sequence[ContextPair], forms_of_texts: FormsOfTexts, forms_of_words: FormsOfWords | None = None
) -> Contexts:
    """The contexts of pairs: the first and second of the first pair, then those of the next."""
    lemmas = [pair.lemma for pair in pairs for _ in pair.texts]
    spans = [span for pair in pairs for span in pair.spans]
    forms = forms_of_words(lemmas) if forms_of_words else lemmas
    texts = forms_of_texts([text for pair in pairs for text in pair.texts])
    return build_contexts(
        (text, target_tokens(text, [span], {lemma, form} - {""}))
        for text, span, lemma, form in zip(texts, spans, lemmas, forms, strict=True)
    )


def context_similarities(
    contexts: Contexts, tables: Sequence[WordTable], weights: ContextWeights | None = None
) -> Doubles1d:
    """float64[pairs], cosine of the vectors of the two contexts of each pair, -1 to 1.

    Words are weighted by idf over all sentences: a word of a pair has too few contexts for anything of its own.
    """
    spaces = [form_vectors(table, list(contexts.forms)) for table in tables]
    vectors = context_vectors(contexts, spaces, Background.of(contexts), weights or ContextWeights("idf"))
    similarities: Doubles1d = np.einsum("ij,ij->i", vectors[0::2], vectors[1::2])
    return similarities


def sense_similarities(
    pairs: Sequence[ContextPair],
    contexts: Contexts,
    model: SenseTable,
    forms_of_words: FormsOfWords | None = None,
) -> Doubles1d:
    """float64[pairs], how probable it is that both contexts have the same sense; 1 for a word that has but one."""
    near = Contexts(contexts.forms, contexts.bags.keep(contexts.bags.weights <= model.window))
    similarities = np.ones(len(pairs))
    for i, pair in enumerate(pairs):
        if key := model_key(pair.lemma, model, forms_of_words):
            left, right = (model.disambiguate(key, near.words_of(2 * i + side)) for side in (0, 1))
            similarities[i] = float(left @ right)
    return similarities


def best_threshold(similarities: Doubles1d, is_same: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers, half-way between two similarities; the lowest of several."""
    order = np.argsort(similarities, kind="stable")
    values, same = similarities[order], is_same[order]
    # everything from place i on is said to be the same
    right = np.concatenate([[0], np.cumsum(~same)]) + np.concatenate([np.cumsum(same[::-1])[::-1], [0]])
    can_cut = np.concatenate([[True], values[1:] > values[:-1], [True]])
    cut = int(np.argmax(np.where(can_cut, right, -1)))
    if cut in (0, len(values)):
        return float(values[0] if cut == 0 else np.nextafter(values[-1], np.inf))
    return float((values[cut - 1] + values[cut]) / 2)


def score_pairs(method: str, pairs: Sequence[ContextPair], similarities: Doubles1d, threshold: float) -> PairScore:
    """Accuracy when pairs of at least a similarity are the same."""
    is_same = np.array([pair.is_same for pair in pairs])
    said = similarities >= threshold
    return PairScore(method, float((said == is_same).mean()), threshold, len(pairs), float(said.mean()))
