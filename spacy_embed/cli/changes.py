"""``spacy-embed add``, ``update``, ``delete``, ``compact``, ``refit``: an index changed while it is searched."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_embed.cli.console import note, pipelines_by_language, print_json, require_search
from spacy_embed.cli.encoding import faults_reported, with_progress
from spacy_embed.cli.places import CORPUS, INDEX
from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_url import as_named

_MANY_COMMITS = 500

IndexArgument = Annotated[Path, typer.Argument(help="An index: a folder, or s3://bucket/path.", **INDEX)]
CorpusArgument = Annotated[
    Path,
    typer.Argument(help="BEIR folder, JSONL, CSV, Parquet, a folder of .txt, or - for standard input.", **CORPUS),
]
LangOption = Annotated[str, typer.Option(help="en, es, pt, ru, zh, or auto: each document's own.")]
PipelineOption = Annotated[
    list[str] | None, typer.Option(help="LANG=PATH of a pipeline, for languages that are new to the index.")
]
LinesOption = Annotated[bool, typer.Option(help="In a folder of .txt, take each line as a document.")]
WorkersOption = Annotated[int, typer.Option(help="Processes that encode.", min=1)]
CommitOption = Annotated[int, typer.Option(help="Documents a commit, at most about.", min=1)]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Put what is malformed into a rejects file and go on.")]
RejectsOption = Annotated[
    Path | None, typer.Option(help="The rejects file, JSONL; default: INDEX.rejects.jsonl. Implies --skip-bad.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: a line a commit, then the totals.")]


def add_command(
    index: IndexArgument,
    corpus: CorpusArgument,
    lang: LangOption = "auto",
    pipeline: PipelineOption = None,
    lines: LinesOption = False,
    workers: WorkersOption = 1,
    commit_every: CommitOption = 10_000,
    skip_bad: SkipOption = False,
    rejects: RejectsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add documents to an index. Those that it holds word for word are passed over, so an interrupted run goes on."""
    _add(index, corpus, lang, pipeline, lines, workers, commit_every, skip_bad, rejects, as_json, replacing=False)


def update_command(
    index: IndexArgument,
    corpus: CorpusArgument,
    lang: LangOption = "auto",
    pipeline: PipelineOption = None,
    lines: LinesOption = False,
    workers: WorkersOption = 1,
    commit_every: CommitOption = 10_000,
    skip_bad: SkipOption = False,
    rejects: RejectsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace documents by id; those whose id is new are added."""
    _add(index, corpus, lang, pipeline, lines, workers, commit_every, skip_bad, rejects, as_json, replacing=True)


def _add(
    index: Path,
    path: Path,
    lang: str,
    pipeline: list[str] | None,
    lines: bool,
    workers: int,
    commit_every: int,
    skip_bad: bool,
    rejects: Path | None,
    as_json: bool,
    *,
    replacing: bool,
) -> None:
    started = time.perf_counter()
    require_search("change an index")
    from spacy_embed.pipeline.workers import WorkerPool
    from spacy_embed.retrieval.snapshot import Snapshot

    # kept to the end: its pipelines are loaded when a language is first met
    snapshot = Snapshot(index)
    with WorkerPool(workers) as pool, faults_reported(skip_bad, rejects, index) as report:
        from spacy_embed.pipeline.text_kernel import TextKernel
        from spacy_embed.retrieval.changes import IndexWriter
        from spacy_embed.retrieval.corpus import Corpus
        from spacy_embed.retrieval.encoded import text_batches

        pipelines = {**pipelines_by_language(pipeline or []), **snapshot.pipelines}
        kernel = TextKernel(lang, pipelines, keep_going=skip_bad or rejects is not None, senses=snapshot.senses)
        given = kernel.pipeline_tables() if snapshot.manifest.source == "spacy" else None
        writer = IndexWriter(
            index, kernel.save_pipelines, replacing=replacing, report=report, given=given, on_wait=_say_waiting
        )
        documents = Corpus(path, lines=lines, report=report)
        rest = writer.rest(documents, "" if lang == "auto" else lang)
        encoded = pool.encode(kernel, text_batches(rest, size=min(2048, commit_every)))
        totals = {"added": 0, "replaced": 0}
        for commit in writer.add(with_progress(encoded, documents), commit_every):
            totals["added"] += commit.added
            totals["replaced"] += commit.replaced
            if as_json:
                print_json({"committed": commit.consumed, "revision": commit.revision})
    totals["unchanged"] = writer.unchanged
    if snapshot.reader.folder.is_dir() and Snapshot(index).manifest.dataset_version > _MANY_COMMITS:
        note(f"note: {index} has grown in many commits: 'spacy-embed compact' makes it smaller and faster.")
    seconds = time.perf_counter() - started
    _say(index, {**totals, "seconds": round(seconds, 2)}, as_json)


def delete_command(
    index: IndexArgument,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of documents.")] = None,
    ids_from: Annotated[Path | None, typer.Option("--ids", help="A file of ids, one a line, or -.")] = None,
    where: Annotated[str | None, typer.Option(help="A condition in SQL, as in search.")] = None,
    missing_ok: Annotated[bool, typer.Option(help="Pass over ids that the index does not hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete documents, in one commit. They are found no more at once; 'compact' takes them off the disk."""
    require_search("change an index")
    from spacy_embed.retrieval.deletion import delete
    from spacy_embed.retrieval.snapshot import Snapshot
    from spacy_embed.retrieval.text_lines import read_lines

    wanted = list(ids or [])
    if ids_from is not None:
        wanted += [line for _, line in read_lines(ids_from)]
    if where is not None:
        wanted += Snapshot(index).matching(where)
    elif not wanted:
        raise InputError("Say what to delete: ids, --ids FILE, or --where CONDITION.")
    result = delete(index, wanted, missing_ok=missing_ok or where is not None, on_wait=_say_waiting)
    if result.missing:
        note(f"note: {len(result.missing)} ids are not in {index} ({result.missing[0]!r}, …).")
    _say(index, {"deleted": result.deleted}, as_json)


def compact_command(
    index: IndexArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write an index's documents anew, in one piece and without the deleted ones; also mends damaged arrays."""
    _compact(index, as_json, refit=False)


def refit_command(
    index: IndexArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn idf, frequencies and common components again from the documents as they are now, and compact."""
    _compact(index, as_json, refit=True)


def _compact(index: Path, as_json: bool, *, refit: bool) -> None:
    require_search("change an index")
    from spacy_embed.retrieval.compaction import compact

    started = time.perf_counter()
    manifest = compact(index, refit=refit, on_wait=_say_waiting)
    seconds = round(time.perf_counter() - started, 2)
    _say(index, {"documents": manifest.documents, "fitted_on": manifest.fitted_on, "seconds": seconds}, as_json)


def _say_waiting() -> None:
    note("waiting for another process that writes to the index")


def _say(index: Path, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"index": as_named(index), **facts})
    else:
        print(f"{as_named(index)}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
