"""``spacy-embed fit``: an index learns from relevance judgements."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.places import INDEX, INPUT
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.retrieval.snapshot import Snapshot
    from spacy_embed.training.judged_encoder import JudgedEncoder

_WORDS_SHOWN = 8


def fit_command(
    index: Annotated[Path, typer.Argument(help="An index: a folder, or s3://bucket/path.", **INDEX)],
    queries: Annotated[Path, typer.Option(help="queries.jsonl[.gz], or a TSV of id and text.", **INPUT)],
    qrels: Annotated[Path, typer.Option(help="Judgements: BEIR's TSV or TREC's four columns.", **INPUT)],
    name: Annotated[str, typer.Option(help="What 'search --method' calls the encoder.")] = "fitted",
    lang: Annotated[str, typer.Option(help="Language of the queries; auto: their own field, or detected.")] = "auto",
    margin: Annotated[
        float | None, typer.Option(help="Of the triplet loss, in cosines; default: chosen on held-out queries.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes at most; how many is chosen on held-out queries.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Of folds and order.", min=0)] = 1,
    out: Annotated[Path | None, typer.Option(help="Also write the encoder to a file, for 'doc_embedder'.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an encoder, or a file, of that name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn word weights and a linear map from judged queries, and keep them in the index as one more method."""
    require_search("fit on an index")
    started = time.perf_counter()
    from spacy_embed.cli.queries import encode_queries
    from spacy_embed.evaluation.judgements import read_qrels, read_queries
    from spacy_embed.evaluation.ranking import unknown_documents
    from spacy_embed.evaluation.retrieval import judged_queries
    from spacy_embed.retrieval.judged_fit import fit_encoder
    from spacy_embed.retrieval.learned_encoders import check_name, save_encoder
    from spacy_embed.retrieval.snapshot import Snapshot
    from spacy_embed.training.judged_encoder import JudgedEncoder

    opened = Snapshot(index)
    if check_name(name) in opened.reader.learned and not overwrite:
        raise InputError(f"{index} has an encoder {name!r} already: choose another --name, or give --overwrite.")
    if out is not None and out.exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another place, or replace it with --overwrite.")
    if out is not None and len(opened.languages) > 1:
        raise InputError(f"--out is for an index of one language; {index} holds {', '.join(opened.languages)}.")
    settings = JudgedEncoder(margin, epochs, seed)
    judgements = read_qrels(qrels)
    asked = read_queries(queries)
    judged = judged_queries(asked, judgements, opened)
    unasked = sorted(set(judgements) - {query.id for query in asked})
    if unasked:
        note(
            f"note: {len(unasked)} judged queries are not in {queries} ({unasked[0]!r}, …): nothing is learned of them."
        )
    missing = unknown_documents({query.id: judgements[query.id] for query in judged}, opened.ids)
    if missing:
        note(f"note: {len(missing)} relevant documents are not in the index ({missing[0]!r}, …): they teach nothing.")
    encoded = encode_queries(opened, judged, lang)
    encoder = fit_encoder(opened, encoded, [judgements[query.id] for query in judged], settings)
    save_encoder(index, opened.manifest.index_id, name, encoder, lambda: note("waiting for another process"))
    if out is not None:
        _export(opened, encoder, out)
    _report(opened, name, encoder, round(time.perf_counter() - started, 2), as_json)


def _export(index: "Snapshot", encoder: "JudgedEncoder", out: Path) -> None:
    from spacy_embed.retrieval.encoded import form_of
    from spacy_embed.training.encoder_file import encoder_file

    forms = [form_of(key) for key in index.table.keys]
    encoder_file(encoder, index.languages[0], forms, index.table.keys.word_rows).save(out)


def _report(index: "Snapshot", name: str, encoder: "JudgedEncoder", seconds: float, as_json: bool) -> None:
    assert encoder.learned is not None
    raised, lowered = _changed_words(index, encoder)
    facts: dict[str, Any] = {
        "index": str(index.path),
        "method": name,
        **encoder.learned._asdict(),
        "raised": raised,
        "lowered": lowered,
        "seconds": seconds,
    }
    if encoder.learned.epochs == 0:
        note("note: no epoch helped the queries that were held out: the encoder is TF-IDF as it was.")
    if encoder.learned.start is None:
        note("note: too few queries to hold any out: nothing says yet whether the encoder is better. Evaluate it.")
    if as_json:
        print_json(facts)
        return
    table = Table(show_header=False, title=Text(f"{index.path}: {name}"), title_justify="left")
    quality = (encoder.learned.start, encoder.learned.fitted)
    shown = {
        "queries": encoder.learned.queries,
        "margin, epochs": f"{encoder.learned.margin}, {encoder.learned.epochs}",
        "nDCG@10, held out": "not known" if None in quality else "{:.3f} by tfidf, {:.3f} fitted".format(*quality),
        "loss": " ".join(f"{loss:.4f}" for loss in encoder.learned.losses),
        "raised": ", ".join(f"{word} x{factor:.3f}" for word, factor in raised.items()),
        "lowered": ", ".join(f"{word} x{factor:.3f}" for word, factor in lowered.items()),
        "seconds": seconds,
    }
    for key, value in shown.items():
        table.add_row(key, Text(str(value)))
    output().print(table)


def _changed_words(index: "Snapshot", encoder: "JudgedEncoder") -> tuple[dict[str, float], dict[str, float]]:
    """The words whose weights judgements changed most, and by what factor."""
    from spacy_embed.retrieval.encoded import form_of

    assert encoder.factors is not None
    rows = index.table.keys.word_rows
    factors = np.where(rows >= 0, encoder.factors[np.maximum(rows, 0)], np.float32(1.0))
    order = np.argsort(factors, kind="stable")
    lowered = [i for i in order[:_WORDS_SHOWN].tolist() if factors[i] < 1]
    raised = [i for i in order[::-1][:_WORDS_SHOWN].tolist() if factors[i] > 1]
    shown = form_of if len(index.languages) == 1 else str
    named = [{shown(index.table.keys.word(i)): round(float(factors[i]), 3) for i in some} for some in (raised, lowered)]
    return named[0], named[1]
