"""``spacy-embed evaluate similarity``: sentence pairs with scores or labels, by several methods."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.labelled_texts import Languages, files_of_language, set_names

if TYPE_CHECKING:
    from spacy_embed.evaluation.scored_pairs import ScoredPairs
    from spacy_embed.evaluation.sentence_pairs import PairScores

DEFAULT_METHODS = "mean,tfidf,sif,sif-5,soft-cosine,wmd,wmd-tfidf"


class Result(NamedTuple):
    """One file."""

    name: str
    lang: str
    fitted_on: str
    pairs: "ScoredPairs"
    scores: "PairScores"
    encoding: float
    """ms a pair from text to bags, what is fitted on included."""


def similarity_command(
    files: Annotated[
        list[str], typer.Argument(metavar="[LANG=]FILE...", help="TSV of score (or 0/1, or class), text, text.")
    ],
    vectors: Annotated[list[str], typer.Option(help="[LANG=]TABLE of any format; several for several languages.")],
    lang: Annotated[str, typer.Option(help="Language of the files that do not say theirs.")] = "",
    methods: Annotated[
        str,
        typer.Option(
            help="Commas between: mean, sum, tfidf, sif, each with -N to remove N common components; soft-cosine, wmd, "
            "each with -tfidf or -sif; fitted (with --encoder); sentence (the built-in sentence encoder)."
        ),
    ] = DEFAULT_METHODS,
    fit_on: Annotated[
        list[str] | None,
        typer.Option(help="[LANG=]FILE of pairs whose texts weightings are fitted on, never their scores."),
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help="[LANG=]CORPUS to fit on. Default without both: each file's own texts.")
    ] = None,
    encoder: Annotated[
        list[str] | None, typer.Option(help="[LANG=]FILE that 'fit-pairs' or 'fit --out' wrote: method fitted.")
    ] = None,
    normalize: Annotated[bool, typer.Option(help="Scale each word's vector to length 1.")] = True,
    a: Annotated[float | None, typer.Option("--sif-a", help="SIF's a; default 0.001.")] = None,
    keep_stop_words: Annotated[
        bool, typer.Option("--keep-stop-words", help="Count them too, in pipelines that are not your own.")
    ] = False,
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for SET.tsv, scores a pair, and similarity.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare similarities of sentence pairs with what people say: Spearman, Pearson, AUC of labels."""
    require_search("evaluate similarity")
    from spacy_embed.evaluation.text_methods import FITTED, text_methods

    names = methods.split(",") + [FITTED] * (bool(encoder) and FITTED not in methods.split(","))
    wanted = text_methods(",".join(names), normalize=normalize, a=a)
    languages = Languages.of_options(lang, vectors, pipeline or [], keep_stop_words=keep_stop_words)
    asked = [languages.language_and_file(value) for value in files]
    results = [
        _score(name, language, file, languages, wanted, (fit_on or [], corpus or [], encoder or []))
        for name, (language, file) in zip(set_names([file for _, file in asked]), asked, strict=True)
    ]
    facts = {"sets": [_facts(result) for result in results]}
    if out is not None:
        _write(out, results, facts)
    for result in results:
        constant = [s.method for s in result.scores.scores if math.isnan(s.agreement.spearman)]
        if constant:
            note(f"note: {result.name}: the scores, or what {', '.join(constant)} says, are all equal: no correlation.")
    if as_json:
        print_json(facts)
        return
    for result in results:
        output().print(_table(result))
        output().print(
            Text(f"Fitted on {result.fitted_on}. Text to bags, in no row: {result.encoding:.2f} ms a pair.\n")
        )


def _score(
    name: str,
    language: str,
    file: Path,
    languages: Languages,
    methods: Sequence[Any],
    options: tuple[list[str], list[str], list[str]],
) -> Result:
    from spacy_embed.evaluation.scored_pairs import read_scored_pairs
    from spacy_embed.evaluation.sentence_pairs import PairTexts, score_pairs
    from spacy_embed.evaluation.text_methods import SENTENCE
    from spacy_embed.pipeline.text_bags import encode_groups
    from spacy_embed.retrieval.corpus import read_corpus
    from spacy_embed.training.encoder_file import load_encoder
    from spacy_embed.vectors.distilled import built_in_encoder

    fit_on, corpora, encoders = (files_of_language(values, language) for values in options)
    pairs = read_scored_pairs(file)
    others = [text for path in fit_on for text in read_scored_pairs(path).texts]
    others += [document.full_text for path in corpora for document in read_corpus(path)]
    learned = [load_encoder(path) for path in encoders]
    sentences = built_in_encoder() if any(method.comparison == SENTENCE for method in methods) else None
    nlp, table = languages.pipeline(language), languages.table(language)
    started = time.perf_counter()
    encoded = encode_groups(nlp, [pairs.texts, others], table)
    encoding = 1000 * (time.perf_counter() - started) / len(pairs)
    texts = PairTexts(pairs, encoded.forms[0], encoded.vocabulary)
    scores = score_pairs(
        texts,
        methods,
        encoded.counts(1) if others else texts.counts,
        encoder=learned[0] if learned else None,
        sentence_encoder=sentences,
    )
    fitted_on = ", ".join(map(str, [*fit_on, *corpora])) or "its own texts"
    return Result(name, language, fitted_on, pairs, scores, encoding)


def _facts(result: Result) -> dict[str, Any]:
    return {
        "set": result.name,
        "lang": result.lang,
        "fitted_on": result.fitted_on,
        "encoding_ms_per_pair": round(result.encoding, 4),
        **result.scores.as_json(),
    }


def _write(out: Path, results: Sequence[Result], facts: dict[str, Any]) -> None:
    from spacy_embed.atomic_files import write_atomically

    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "similarity.json", json.dumps(facts, ensure_ascii=False, indent=1).encode())
    for result in results:
        columns = [score.similarities.tolist() for score in result.scores.scores]
        lines = ["\t".join(["score", *(score.method for score in result.scores.scores), "s1", "s2"])]
        rows = zip(result.pairs.gold.tolist(), zip(*columns, strict=True), *result.pairs[1:], strict=True)
        lines += [
            "\t".join([f"{gold:g}", *(f"{value:.6f}" for value in values), left, right])
            for gold, values, left, right in rows
        ]
        write_atomically(out / f"{result.name}.tsv", "".join(f"{line}\n" for line in lines).encode())


def _table(result: Result) -> Table:
    scores = result.scores
    coverage = f"{100 * scores.covered // max(scores.tokens, 1)} % of words have a vector"
    title = f"{result.name} ({result.lang}): {scores.pairs} pairs, {coverage}"
    if scores.without_vector:
        title += f"; {scores.without_vector} pairs have a text without a known word and count as 0"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("method")
    has_labels = result.pairs.has_classes
    for column in ("Spearman", "Pearson", *(["AUC"] if has_labels else []), "ms/pair"):
        table.add_column(column, justify="right")
    for score in scores.scores:
        values = score.agreement if has_labels else score.agreement[:2]
        table.add_row(score.method, *(f"{value:.3f}" for value in values), f"{score.ms_per_pair:.3f}")
    return table
