"""``spacy-embed induce``: the senses of a word, found in a corpus by any word vectors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spacy_embed.cli.console import note, output, pipelines_by_language, print_json, require_search
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spacy_embed.pipeline.occurrences import Occurrences
    from spacy_embed.retrieval.corpus_formats import Document
    from spacy_embed.senses.induction import InducedSenses


def induce_command(
    corpus: Annotated[Path, typer.Argument(help="A corpus as 'index' reads it, RUSSE's CSV, or - for standard input.")],
    word: Annotated[str, typer.Option(help="The word, in any of its forms.")],
    vectors: Annotated[list[Path], typer.Option(help="A vector table of any format; several times for more.")],
    lang: Annotated[str, typer.Option(help="Language of the corpus: en, es, pt, ru, zh.")] = "auto",
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    most: Annotated[int, typer.Option("-n", "--most", help="Occurrences that are clustered, at most.", min=1)] = 1000,
    window: Annotated[int, typer.Option(help="Words to each side that belong to an occurrence.", min=1)] = 30,
    threshold: Annotated[
        float, typer.Option(help="Lower: more senses. Clusters this many times the mean distance apart are two.")
    ] = 1.0,
    lines: Annotated[bool, typer.Option(help="In a folder of .txt, take each line as a document.")] = False,
    examples: Annotated[int, typer.Option(help="Examples a sense.", min=0)] = 3,
    out: Annotated[Path | None, typer.Option(help="A JSONL file: each occurrence with its sense.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find the senses of a word in a corpus: how many there are is found, not given."""
    require_search("read a corpus")
    from spacy_embed.cli.sense_cards import print_cards
    from spacy_embed.senses.clustering import Clustering
    from spacy_embed.senses.induction import induce_senses
    from spacy_embed.vectors import load_vectors

    clustering = Clustering(threshold=threshold)
    tables = [load_vectors(path) for path in vectors]
    found = _occurrences(corpus, word, lang, pipelines_by_language(pipeline or []), most, window, lines)
    if not any((table.find(list(found.contexts.forms)) >= 0).any() or table.composes for table in tables):
        raise InputError(f"No word around {word!r} has a vector in {vectors[0]}: is it of another language?")
    if len(found.found) < found.total:
        note(f"note: {len(found.found)} of {found.total} occurrences are clustered, chosen by chance.")
    senses = induce_senses(
        found.contexts,
        tables,
        found.background,
        clustering=clustering,
        n_examples=examples,
        sources=[o.document for o in found.found],
    )
    if out is not None:
        from spacy_embed.atomic_files import write_atomically

        write_atomically(out, _lines(found, senses).encode())
    if as_json:
        print_json(_as_json(word, found, senses))
        return
    n = len(senses.senses)
    print(f"{found.form}: {n} {'sense' if n == 1 else 'senses'} in {len(found.found)} occurrences")
    print_cards(_cards(found, senses), output())


def _occurrences(
    corpus: Path, word: str, lang: str, pipelines: dict[str, Path], most: int, window: int, lines: bool
) -> "Occurrences":
    from spacy_embed.evaluation.sense_sets import is_sense_table
    from spacy_embed.pipeline.form_options import LANGUAGES
    from spacy_embed.pipeline.language_pipelines import check_language, default_pipeline, load_pipeline
    from spacy_embed.pipeline.occurrences import find_occurrences
    from spacy_embed.progress import progress_bar
    from spacy_embed.retrieval.corpus import Corpus
    from spacy_embed.retrieval.language_detection import detect_language

    stream = _contexts(corpus, word) if is_sense_table(corpus) else iter(Corpus(corpus, lines=lines))
    if lang == "auto":
        if len(pipelines) == 1:
            lang = next(iter(pipelines))
        else:
            from itertools import chain, islice

            first = list(islice(stream, 50))
            given = {document.lang for document in first}
            lang = given.pop() if len(given) == 1 else ""
            lang = lang or detect_language("\n".join(document.text[:2000] for document in first), LANGUAGES)
            stream = chain(first, stream)
    path = pipelines.get(check_language(lang, pipelines))
    nlp = load_pipeline(path) if path else default_pipeline(lang)
    of_language = (document for document in stream if document.lang in ("", lang))
    with progress_bar(of_language, label="reading", unit="doc") as bar:
        return find_occurrences(bar, nlp, word, most=most, window=window)


def _contexts(path: Path, word: str) -> "Iterator[Document]":
    """The contexts of a table, each a document: those of other words say how frequent words are in general."""
    from spacy_embed.evaluation.sense_sets import read_sense_set
    from spacy_embed.retrieval.corpus_formats import Document

    sense_set = read_sense_set(path, unlabelled=True)
    if word not in sense_set.by_word:
        raise InputError(
            f"{path} has no contexts of {word!r}: its words are {', '.join(list(sense_set.by_word)[:20])}."
        )
    for context in sense_set.contexts:
        yield Document(context.id, "", "", context.text, {}, str(path))


def _cards(found: "Occurrences", senses: "InducedSenses") -> list[Any]:
    from spacy_embed.cli.sense_cards import Example, SenseCard

    return [
        SenseCard(
            f"{found.form}#{sense.number}",
            sense.share,
            sense.occurrences,
            sense.words,
            [Example(found.found[i].text, found.found[i].span, found.found[i].document) for i in sense.examples],
        )
        for sense in senses.senses
    ]


def _as_json(word: str, found: "Occurrences", senses: "InducedSenses") -> dict[str, Any]:
    return {
        "word": word,
        "form": found.form,
        "documents": found.documents,
        "occurrences": found.total,
        "clustered": len(found.found),
        "senses": [
            {
                "number": sense.number,
                "share": round(sense.share, 6),
                "occurrences": sense.occurrences,
                "words": sense.words,
                "examples": [found.found[i]._asdict() for i in sense.examples],
            }
            for sense in senses.senses
        ],
    }


def _lines(found: "Occurrences", senses: "InducedSenses") -> str:
    rows = (
        {**occurrence._asdict(), "sense": label + 1}
        for occurrence, label in zip(found.found, senses.labels.tolist(), strict=True)
    )
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
