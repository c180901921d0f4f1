"""``spacy-embed evaluate classify``: labelled texts, by their neighbours and by logistic regression."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.labelled_texts import Languages, set_names
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.evaluation.classification import Predictions, Quality, Split
    from spacy_embed.evaluation.labelled_texts import LabelledTexts
    from spacy_embed.evaluation.text_methods import TextMethod
    from spacy_embed.pipeline.text_bags import EncodedGroups


class Row(NamedTuple):
    """A method with a classifier."""

    method: str
    classifier: str
    quality: "Quality"
    predictions: "Predictions"
    seconds: float


def classify_command(
    train: Annotated[Path, typer.Argument(help="TSV of label and text, or with --labels a corpus.")],
    test: Annotated[
        Path | None, typer.Argument(help="The same; default: the lines that TRAIN marks as test, or cross-validation.")
    ] = None,
    vectors: Annotated[list[str] | None, typer.Option(help="[LANG=]TABLE of any format.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the texts.")] = "",
    labels: Annotated[Path | None, typer.Option(help="Labels of a corpus: lines of id and label.")] = None,
    label_column: Annotated[int, typer.Option(help="Where --labels has the label, from 1.", min=2)] = 2,
    methods: Annotated[
        str,
        typer.Option(
            help="Commas between: mean, sum, tfidf, sif, each with -N to remove N components; wmd, wmd-tfidf."
        ),
    ] = "mean,tfidf,sif,wmd",
    most_wmd: Annotated[int, typer.Option(help="Leave WMD out where there are more texts.", min=0)] = 5000,
    normalize: Annotated[bool, typer.Option(help="Scale each word's vector to length 1.")] = True,
    seed: Annotated[int, typer.Option(help="Of folds.", min=0)] = 1,
    threads: Annotated[int, typer.Option(help="How many search by WMD.", min=1)] = 1,
    keep_stop_words: Annotated[
        bool, typer.Option("--keep-stop-words", help="Count them too, in pipelines that are not your own.")
    ] = False,
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for classify.json and predictions.tsv.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Classify labelled texts by k nearest neighbours and logistic regression: accuracy and macro-F1."""
    require_search("evaluate classification")
    from spacy_embed.evaluation.classification import quality, splits_of
    from spacy_embed.evaluation.text_bags import covered
    from spacy_embed.evaluation.text_methods import text_methods
    from spacy_embed.pipeline.text_bags import encode_groups

    if not vectors:
        raise InputError("There are no vectors: give --vectors TABLE.")
    wanted = text_methods(methods, normalize=normalize)
    languages = Languages.of_options(lang, vectors, pipeline or [], keep_stop_words=keep_stop_words)
    language, _ = languages.language_and_file(str(train))
    texts = _read(train, test, labels, label_column)
    names, codes = np.unique(np.array(texts.labels, dtype=object), return_inverse=True)
    codes = codes.astype(np.int64)
    if len(names) < 2:
        raise InputError(f"{train} holds one label, {names[0]!r}: there is nothing to tell apart.")
    splits = splits_of(codes, np.array(texts.is_test), seed)
    encoded = encode_groups(languages.pipeline(language), [texts.texts], languages.table(language))
    rows: list[Row] = []
    for method in wanted:
        if method.comparison == "wmd" and len(codes) > most_wmd:
            note(f"note: {method.name} is left out: {len(codes)} texts are more than --most-wmd {most_wmd}.")
            continue
        rows += _rows(method, encoded, codes, splits, seed, threads)
    right = codes[np.concatenate([split.test for split in splits])]
    common = [int(np.bincount(codes[split.train]).argmax()) for split in splits]
    always = np.concatenate([np.full(len(split.test), label) for split, label in zip(splits, common, strict=True)])
    known, tokens = covered(encoded.forms[0], encoded.vocabulary)
    facts: dict[str, Any] = {
        "set": set_names([train])[0],
        "lang": language,
        "texts": len(codes),
        "predicted": len(right),
        "folds": len(splits) if not any(texts.is_test) else None,
        "classes": len(names),
        "tokens": tokens,
        "covered": known,
        "without_vector": int(np.count_nonzero(encoded.counts(0).sizes == 0)),
        "most_frequent": quality(right, always)._asdict(),
        "methods": [
            {
                "method": row.method,
                "classifier": row.classifier,
                **row.quality._asdict(),
                "chosen": row.predictions.chosen,
                "seconds": round(row.seconds, 2),
            }
            for row in rows
        ],
    }
    if out is not None:
        _write(out, facts, rows, names.tolist(), right, [texts.where[i] for s in splits for i in s.test.tolist()])
    if as_json:
        print_json(facts)
    else:
        output().print(_table(facts))


def _read(train: Path, test: Path | None, labels: Path | None, column: int) -> "LabelledTexts":
    from spacy_embed.evaluation.labelled_texts import LabelledTexts, read_labelled_corpus, read_labelled_texts

    if labels is not None:
        if test is not None:
            raise InputError("A corpus with --labels is cross-validated: leave out TEST.")
        return read_labelled_corpus(train, labels, column)
    texts = read_labelled_texts(train)
    if test is None:
        known = set(texts.part(test=False).labels)
        places = [i for i, is_test in enumerate(texts.is_test) if is_test]
    else:
        others = read_labelled_texts(test)
        known, n = set(texts.labels), len(texts.labels)
        texts = LabelledTexts(
            texts.labels + others.labels,
            texts.texts + others.texts,
            [False] * n + [True] * len(others.labels),
            texts.where + others.where,
        )
        places = list(range(n, len(texts.labels)))
    unknown = next((i for i in places if texts.labels[i] not in known), None)
    if unknown is not None:
        raise InputError(
            f"{texts.where[unknown]}: no training text has the label {texts.labels[unknown]!r}; "
            f"expected one of {', '.join(sorted(known)[:10])}."
        )
    return texts


def _rows(
    method: "TextMethod", encoded: "EncodedGroups", codes: Any, splits: "list[Split]", seed: int, threads: int
) -> list[Row]:
    from spacy_embed.evaluation import classification

    if method.comparison == "soft-cosine":
        raise InputError(f"Method {method.name!r} does not classify: expected embeddings or wmd.")
    counts, vectors = encoded.counts(0), encoded.vocabulary.rows
    # weightings learn from texts, never from labels; with a test part from the training texts alone
    corpus = counts if len(splits) > 1 else counts.take(splits[0].train)
    fitted = method.fitted(corpus, encoded.vocabulary)
    right = codes[np.concatenate([split.test for split in splits])]
    started = time.perf_counter()

    def row(classifier: str, predictions: "Predictions") -> Row:
        found = classification.quality(right, predictions.labels)
        return Row(method.name, classifier, found, predictions, time.perf_counter() - started)

    if method.comparison == "wmd":
        bags = fitted.weighting.transform(counts)
        neighbours = classification.nearest_by_wmd(bags, vectors, normalize=fitted.normalize, threads=threads)
        return [row("k-NN", classification.predict_by_neighbours(neighbours, codes, splits, seed))]
    embeddings = fitted.transform(counts, vectors)
    neighbours = classification.nearest_by_cosine(embeddings)
    by_neighbours = row("k-NN", classification.predict_by_neighbours(neighbours, codes, splits, seed))
    started = time.perf_counter()
    return [by_neighbours, row("regression", classification.predict_by_regression(embeddings, codes, splits, seed))]


def _write(
    out: Path, facts: dict[str, Any], rows: Sequence[Row], names: list[str], right: Any, where: Sequence[str]
) -> None:
    from spacy_embed.atomic_files import write_atomically

    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "classify.json", json.dumps(facts, ensure_ascii=False, indent=1).encode())
    lines = ["\t".join(["where", "label", *(f"{row.method} {row.classifier}" for row in rows)])]
    columns = [right.tolist(), *(row.predictions.labels.tolist() for row in rows)]
    lines += [
        "\t".join([place, *(names[label] for label in labels)])
        for place, labels in zip(where, zip(*columns, strict=True), strict=True)
    ]
    write_atomically(out / "predictions.tsv", "".join(f"{line}\n" for line in lines).encode())


def _table(facts: dict[str, Any]) -> Table:
    how = f"{facts['folds']} folds" if facts["folds"] else f"{facts['predicted']} of them the test part"
    coverage = f"{100 * facts['covered'] // max(facts['tokens'], 1)} % of words have a vector"
    title = f"{facts['set']} ({facts['lang']}): {facts['texts']} texts, {how}, {facts['classes']} classes, {coverage}"
    table = Table(title=Text(title), title_justify="left")
    for column in ("method", "classifier", "accuracy", "macro-F1", "chosen", "seconds"):
        table.add_column(column, justify="left" if column in ("method", "classifier", "chosen") else "right")
    common = facts["most_frequent"]
    table.add_row("most frequent label", "", f"{common['accuracy']:.3f}", f"{common['macro_f1']:.3f}", "", "")
    for row in facts["methods"]:
        values = [f"{row[name]:.3f}" for name in ("accuracy", "macro_f1")]
        table.add_row(row["method"], row["classifier"], *values, row["chosen"], f"{row['seconds']:.1f}")
    return table
