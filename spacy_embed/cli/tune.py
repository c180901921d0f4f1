"""``spacy-embed tune``: the best hybrid for a corpus, chosen on judged queries, as a config for ``index``."""

import io
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from spacy_embed.cli.console import note, output, print_json, require_search
from spacy_embed.cli.evaluation_inputs import listed, note_what_is_missing
from spacy_embed.cli.evaluation_tables import shown_p
from spacy_embed.cli.places import INDEX_OR_CORPUS, INPUT
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.evaluation.tuning import Tuned


def tune_command(
    corpus: Annotated[Path, typer.Argument(help="An index, or a corpus as 'index' reads it.", **INDEX_OR_CORPUS)],
    queries: Annotated[
        Path, typer.Option(help="Training queries: queries.jsonl[.gz], or a TSV of id and text.", **INPUT)
    ],
    qrels: Annotated[Path, typer.Option(help="Their judgements: BEIR's TSV or TREC's four columns.", **INPUT)],
    out: Annotated[Path, typer.Option(help="The config to write, for 'index --config'.")] = Path("tuned.cfg"),
    folds: Annotated[int, typer.Option(help="Of cross-validation.", min=2)] = 5,
    seed: Annotated[int, typer.Option(help="Of the split.", min=0)] = 1,
    measure: Annotated[str, typer.Option(help="What to raise, a name of ir-measures.")] = "nDCG@10",
    parts: Annotated[
        str, typer.Option(help="What a method may be made of; sentence and mean can be named too.")
    ] = "bm25,tfidf,sif,soft-bm25",
    rerank: Annotated[str, typer.Option(help="Also try to rank the best hits again by this, such as wmd-tfidf.")] = "",
    default: Annotated[str | None, typer.Option(help="What to beat; default: the index's own default method.")] = None,
    lang: Annotated[str, typer.Option(help="Of a corpus and of the queries; auto: each its own.")] = "auto",
    vectors: Annotated[list[str] | None, typer.Option(help="Of a corpus, as in 'index'.")] = None,
    pipeline: Annotated[list[str] | None, typer.Option(help="Of a corpus, as in 'index'.")] = None,
    normalize: Annotated[bool, typer.Option(help="Of a corpus, as in 'index'.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a config that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tune weights, weighting and components on training queries, measured on queries that were held out."""
    started = time.perf_counter()
    require_search("tune")
    from spacy_embed.cli.queries import encode_queries
    from spacy_embed.evaluation.hybrid_settings import default_setting
    from spacy_embed.evaluation.judgements import read_qrels, read_queries
    from spacy_embed.evaluation.measures import parse_measures
    from spacy_embed.evaluation.part_scores import PartScores
    from spacy_embed.evaluation.retrieval import judged_queries
    from spacy_embed.evaluation.tuning import Trials, judged_bags, tune
    from spacy_embed.retrieval.fit_settings import FitSettings
    from spacy_embed.retrieval.snapshot import Snapshot

    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: choose another --out, or replace it with --overwrite.")
    parse_measures([measure])
    names = _parts(parts)
    judgements, asked = read_qrels(qrels), read_queries(queries)
    if "test" in qrels.stem:
        note(f"note: {qrels} is called a test: what was tuned on it must not be reported on it.")
    options = {"lang": lang, "vectors": vectors, "pipeline": pipeline, "normalize": normalize}
    with _index(corpus, options) as path:
        opened = Snapshot(path)
        base = FitSettings.recorded(opened.manifest.weighting)
        start = default_setting(default or opened.manifest.default_method, names, base)
        if rerank:
            opened.ranker(rerank)
        judged = judged_queries(asked, judgements, opened)
        note_what_is_missing(judgements, judged, opened.ids, qrels)
        ids = [query.id for query in judged]
        trials = Trials(
            PartScores(opened, encode_queries(opened, judged, lang), names), ids, judgements, measure, base, rerank
        )
        with trials.bar:
            found = tune(trials, start, names, judged_bags(ids, judgements), folds, seed)
        embedding = _stored(found.method, opened.manifest.embedding)
        if path == corpus:
            # the language was that of the queries
            options = {"normalize": opened.manifest.normalize}
    given = {name: value for name, value in options.items() if value and value != "auto"}
    _write(out, found, {**given, "embedding": embedding}, f"{queries} and {qrels}", measure)
    seconds = round(time.perf_counter() - started, 2)
    _report(found, out, measure, seconds, as_json)


def _parts(parts: str) -> list[str]:
    from spacy_embed.evaluation.hybrid_settings import PARTS

    names = listed(parts, "part")
    unknown = [name for name in names if name not in PARTS]
    if unknown or "bm25" not in names:
        what = f"got {unknown[0]!r}" if unknown else "bm25, which others are measured against, is missing"
        raise InputError(f"--parts takes names of {', '.join(PARTS)}: {what}.")
    return names


@contextmanager
def _index(corpus: Path, options: dict[str, Any]) -> Iterator[Path]:
    """An index as it is, or one of a corpus for the time being."""
    from spacy_embed.cli.index import index_command
    from spacy_embed.retrieval.manifest import MARKER

    if (corpus / MARKER).is_file():
        of_corpus = [name for name in ("vectors", "pipeline", "normalize") if options[name]]
        if of_corpus:
            raise InputError(f"--{of_corpus[0]} is for a corpus; {corpus} is an index, and has its own.")
        yield corpus
        return
    with tempfile.TemporaryDirectory(prefix="spacy-embed-") as folder:
        with redirect_stdout(io.StringIO()):
            index_command(corpus, Path(folder) / "index", **options)
        yield Path(folder) / "index"


def _stored(method: str, embedding: str) -> str:
    """The embedding that is best kept: one that the method uses."""
    from spacy_embed.embedding import EMBEDDINGS

    words = method.replace("*", "+").replace("(", "+").replace(")", "+").split("+")
    return next((name for name in EMBEDDINGS if name in words), embedding)


def _write(out: Path, found: "Tuned", given: dict[str, Any], files: str, measure: str) -> None:
    from spacy_embed.atomic_files import write_atomically

    gain, error = found.gain
    chosen = "the default was kept" if found.is_default else "chosen"
    values = {**given, "method": found.method, **vars(found.settings)}
    lines = [
        f"# Tuned on {found.queries} queries of {files}: {chosen}.",
        f"# On queries held out, tuning gained {gain:+.4f} {measure} over the default (standard error {error:.4f}).",
        "#",
        f"#   spacy-embed index CORPUS OUT --config {out.name}",
        "#",
        "# Options on the command line stand above these.",
        "",
        "[index]",
        *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()),
    ]
    write_atomically(out, ("\n".join(lines) + "\n").encode())


def _report(found: "Tuned", out: Path, measure: str, seconds: float, as_json: bool) -> None:
    if as_json:
        facts = {
            "config": str(out),
            "method": found.method,
            "weighting": found.settings.changed,
            "default_kept": found.is_default,
            "measure": measure,
            "gain": found.gain[0],
            "gain_error": found.gain[1],
            "held_out": {row.name: {k: v for k, v in row._asdict().items() if k != "name"} for row in found.rows},
            "folds": found.folds,
            "queries": found.queries,
            "tried": found.tried,
            "seconds": seconds,
        }
        print_json(_without_nan(facts))
        return
    table = Table(title=Text(f"{measure} of {found.queries} queries, each held out once"), title_justify="left")
    for column in ("method", measure, "± (folds)", "Δ default", "p", "Δ bm25", "p"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in found.rows:
        cells = [row.name, f"{row.mean:.3f}", f"{row.error:.3f}"]
        for other in ("default", "bm25"):
            has = other in row.differences
            cells += [f"{row.differences[other]:+.3f}", shown_p(row.ps[other])] if has else ["", ""]
        table.add_row(*cells)
    output().print(table)
    weighting = ", ".join(f"{name} {value}" for name, value in found.settings.changed.items())
    print(f"{out}: {found.method}" + (f"; {weighting}" if weighting else ""))
    if found.is_default:
        note(
            f"note: the default was kept: tuning gains {found.gain[0]:+.4f} on queries held out, with a standard error "
            f"of {found.gain[1]:.4f}."
        )


def _without_nan(value: Any) -> Any:
    """NaN and infinity are no JSON."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
