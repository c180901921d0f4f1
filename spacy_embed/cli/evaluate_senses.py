"""``spacy-embed evaluate senses``: senses of words in context against those that people gave them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, pipelines_by_language, print_json, require_search
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.evaluation.sense_induction import Labels, SenseScore
    from spacy_embed.evaluation.sense_sets import SenseSet
    from spacy_embed.evaluation.word_in_context import PairScore
    from spacy_embed.senses.contexts import FormsInText
    from spacy_embed.vectors.sense_table import SenseTable
    from spacy_embed.vectors.word_table import WordTable

METHODS = ("induce", "disambiguate", "given")


def senses_command(
    file: Annotated[Path, typer.Argument(help="RUSSE or TWSI CSV, SemEval-2010 contexts, MCL-WiC TSV, or a folder.")],
    model: Annotated[Path | None, typer.Option(help="A table with senses, or any table for induce.")] = None,
    method: Annotated[
        str, typer.Option(help="disambiguate by the model, induce from --vectors, or given: score predict_sense_id.")
    ] = "induce",
    vectors: Annotated[
        list[Path] | None, typer.Option(help="A vector table; several times for more. Default: --model.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="SemEval's key; default: beside the file.")] = None,
    lang: Annotated[str, typer.Option(help="Language; auto: detected.")] = "auto",
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    train: Annotated[Path | None, typer.Option(help="Of MCL-WiC: the pairs that the threshold is chosen on.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of MCL-WiC: fixed. Default: the median, half the pairs are the same.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Words to each side; 0: the text. Default: the model's, or 0.", min=0)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs where there is chance; their mean is shown.", min=1)] = 5,
    out: Annotated[Path | None, typer.Option(help="A file for predictions: RUSSE's columns, or SemEval's key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score senses as the field does: ARI, V-measure, paired F, accuracy, beside one sense a word and k-means."""
    require_search("evaluate senses")
    from spacy_embed.evaluation.word_in_context import is_pair_file

    if method not in METHODS:
        raise InputError(f"Unknown method {method!r}: expected one of {', '.join(METHODS)}.")
    asked = Asked(file, model, vectors or [], method, lang, pipelines_by_language(pipeline or []), window, seeds)
    # what is wrong with a table is said before anything is read
    asked.open()
    if is_pair_file(file):
        if method == "given":
            raise InputError(f"{file} has no predictions: --method given scores RUSSE's predict_sense_id.")
        pair_score, written = _pairs(asked, train, threshold)
        shown: dict[str, Any] = {"set": file.name, **pair_score._asdict()}
        table = _pair_table(file, pair_score)
    else:
        if train is not None or threshold is not None:
            raise InputError(f"--train and --threshold are for MCL-WiC's pairs, and {file} has single contexts.")
        from spacy_embed.evaluation.sense_sets import read_sense_set

        sense_set = read_sense_set(file, key=key)
        if sense_set.outside:
            note(f"note: {sense_set.outside} positions in {file} are empty or outside their text: passed over.")
        scores, labels = _scores(asked, sense_set)
        written = _predictions(sense_set, labels)
        shown = {"set": sense_set.name, "scores": [score.as_json() for score in scores]}
        shown["words"] = [word._asdict() for word in scores[0].words]
        table = _score_table(sense_set, scores)
    if out is not None:
        from spacy_embed.atomic_files import write_atomically

        write_atomically(out, written())
    if as_json:
        print_json(shown)
    else:
        output().print(table)


@dataclass(frozen=True)
class Asked:
    """What to evaluate on what, opened when it is needed."""

    file: Path
    model: Path | None
    vectors: Sequence[Path]
    method: str
    lang: str
    pipelines: dict[str, Path]
    window: int | None
    seeds: int

    def open(self) -> None:
        """Open what the method needs. Raises InputError where it is missing."""
        if self.method == "disambiguate":
            _ = self.sense_table
        if self.method == "induce":
            _ = self.tables

    @cached_property
    def sense_table(self) -> "SenseTable":
        """The model with senses. Raises InputError where none is named, or it has none."""
        from spacy_embed.vectors import load_vectors
        from spacy_embed.vectors.sense_table import SenseTable

        if self.model is None:
            raise InputError("--method disambiguate needs --model, a table that 'spacy-embed train adagram' made.")
        return SenseTable.of(load_vectors(self.model))

    @cached_property
    def tables(self) -> list["WordTable"]:
        """The tables that contexts are compared by."""
        from spacy_embed.vectors import load_vectors

        own = [self.model] if self.model is not None and self.method == "induce" else []
        paths = self.vectors or own
        if not paths and self.method == "induce":
            raise InputError("--method induce needs word vectors: name a table with --vectors.")
        return [load_vectors(path) for path in paths]

    def language(self, texts: Sequence[str]) -> str:
        """The language of texts: what was asked, or what the first of them are in."""
        from spacy_embed.pipeline.form_options import LANGUAGES
        from spacy_embed.pipeline.language_pipelines import check_language
        from spacy_embed.retrieval.language_detection import detect_language

        if self.lang != "auto":
            return check_language(self.lang, self.pipelines)
        return detect_language("\n".join(texts[:50]), LANGUAGES)

    def forms(self, texts: Sequence[str]) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """What makes lookup forms of texts and of words."""
        from spacy_embed.pipeline.forms_in_text import forms_in_texts
        from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline
        from spacy_embed.pipeline.word_forms import word_forms

        language = self.language(texts)
        path = self.pipelines.get(language)
        nlp = load_pipeline(path) if path else default_pipeline(language)

        def of_texts(those: Sequence[str]) -> "list[FormsInText]":
            return list(forms_in_texts(nlp, those))

        return of_texts, word_forms(nlp)


def _scores(asked: Asked, sense_set: "SenseSet") -> tuple[list["SenseScore"], "Labels"]:
    """The method and the baselines, and what the method says in its first run."""
    from spacy_embed.evaluation import sense_induction as induction
    from spacy_embed.senses.context_vectors import ContextWeights

    if asked.method == "given":
        labels = induction.given_labels(sense_set)
        return [
            induction.score_labels("given", sense_set, [labels]),
            *induction.baseline_scores(sense_set, {}, ()),
        ], labels
    model = asked.sense_table if asked.method == "disambiguate" else None
    tables = asked.tables
    of_texts, of_words = asked.forms([context.text for context in sense_set.contexts])
    contexts = induction.set_contexts(sense_set, of_texts, of_words)
    weights = ContextWeights(window=asked.window or 0)
    # without vectors there is no k-means either
    vectors = induction.vectors_by_word(sense_set, contexts, tables, weights) if tables else {}
    seeds = range(asked.seeds)
    if model is not None:
        runs = [induction.disambiguated_labels(sense_set, contexts, model, of_words, asked.window)]
    else:
        runs = [induction.induced_labels(vectors)]
    own = induction.score_labels(asked.method, sense_set, runs)
    return [own, *induction.baseline_scores(sense_set, vectors, seeds)], runs[0]


def _pairs(asked: Asked, train: Path | None, threshold: float | None) -> tuple["PairScore", Callable[[], bytes]]:
    import numpy as np

    from spacy_embed.evaluation import word_in_context as wic
    from spacy_embed.evaluation.predictions import pair_table
    from spacy_embed.senses.context_vectors import ContextWeights

    def similarities(pairs: Sequence[wic.ContextPair]) -> Any:
        of_texts, of_words = asked.forms([text for pair in pairs for text in pair.texts])
        contexts = wic.pair_contexts(pairs, of_texts, of_words)
        if asked.method == "disambiguate":
            return wic.sense_similarities(pairs, contexts, asked.sense_table, of_words)
        return wic.context_similarities(contexts, asked.tables, ContextWeights("idf", window=asked.window or 0))

    if train is not None and threshold is not None:
        raise InputError("Give --train or --threshold, not both.")
    pairs = wic.read_context_pairs(asked.file)
    found = similarities(pairs)
    if train is not None:
        of_train = wic.read_context_pairs(train)
        threshold = wic.best_threshold(similarities(of_train), np.array([pair.is_same for pair in of_train]))
    chosen = float(np.median(found)) if threshold is None else threshold
    return wic.score_pairs(asked.method, pairs, found, chosen), lambda: pair_table(pairs, found, chosen)


def _predictions(sense_set: "SenseSet", labels: "Labels") -> Callable[[], bytes]:
    from spacy_embed.evaluation.predictions import russe_table, semeval_key

    is_key = sense_set.contexts[0].id.startswith(f"{sense_set.contexts[0].word}.")
    return lambda: (semeval_key if is_key else russe_table)(sense_set, labels)


def _score_table(sense_set: "SenseSet", scores: Sequence["SenseScore"]) -> Table:
    of_set = scores[0].agreement
    title = f"{sense_set.name}: {of_set.words} words, {of_set.contexts} contexts, {of_set.senses:.1f} senses a word"
    table = Table(title=Text(title), title_justify="left", caption=_CAPTION, caption_justify="left")
    table.add_column("method")
    for column in ("ARI", "±", "ARI, plain mean", "V", "paired F", "accuracy", "clusters a word"):
        table.add_column(column, justify="right")
    for score in scores:
        weighted, mean = score.agreement.weighted, score.agreement.mean
        spread = f"{score.spread:.3f}" if score.runs > 1 else ""
        values = [weighted["ari"], mean["ari"], weighted["v_measure"], weighted["paired_f"], weighted["accuracy"]]
        cells = [f"{value:.3f}" for value in values]
        table.add_row(score.method, cells[0], spread, *cells[1:], f"{score.agreement.clusters:.1f}")
    return table


_CAPTION = "Means over words, a word counting as many times as it has contexts, but for the plain mean. ±: over seeds."


def _pair_table(file: Path, score: "PairScore") -> Table:
    table = Table(title=Text(f"{file.name}: {score.pairs} pairs"), title_justify="left")
    for column in ("method", "accuracy", "threshold", "said to be the same"):
        table.add_column(column, justify="left" if column == "method" else "right")
    table.add_row(score.method, f"{score.accuracy:.3f}", f"{score.threshold:.4f}", f"{score.said_same:.1%}")
    return table
