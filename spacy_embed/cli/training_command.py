"""What the commands of ``spacy-embed train`` share: options, configs, and the run itself."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_type_hints

import typer

from spacy_embed.cli.console import note, pipelines_by_language, print_json, require_search
from spacy_embed.cli.encoding import faults_reported
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy_embed.pipeline.training_job import Reader
    from spacy_embed.vectors.word_table import WordTable

Dim = Annotated[str, typer.Option(help="Dimensions; auto: the fourth root of the vocabulary, a rule of thumb.")]
MinCount = Annotated[int, typer.Option(help="Rarer words get no vector.", min=1)]
Window = Annotated[int, typer.Option(help="Words to each side that count as near.", min=1)]
Seed = Annotated[int, typer.Option(help="With one worker, the same seed gives the same bytes.", min=0)]


@dataclass(frozen=True)
class TrainingOptions:
    """The options that every trainer takes; each field is one."""

    corpus: Annotated[list[Path], typer.Argument(help="Corpora, as 'index' reads them, or - for standard input.")]
    out: Annotated[Path, typer.Argument(help="The table to make, a folder.")]
    config: Annotated[Path | None, typer.Option(help="Defaults of the options, from an INI file.")] = None
    also: Annotated[list[Path] | None, typer.Option(help="A further corpus; several times for more.")] = None
    lang: Annotated[str, typer.Option(help="Language; auto: each document's own.")] = "auto"
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None
    lines: Annotated[bool, typer.Option(help="In a folder of .txt, take each line as a document.")] = False
    pretokenized: Annotated[
        bool, typer.Option(help="Lines of tokens between spaces or tabs, or JSONL with a list 'tokens'.")
    ] = False
    phrases: Annotated[int, typer.Option(help="Join phrases to one token: passes, 1 for pairs.", min=0, max=9)] = 0
    phrase_scoring: Annotated[str, typer.Option(help="npmi, or gensim's default.")] = "npmi"
    phrase_threshold: Annotated[float | None, typer.Option(help="Default: 0.5 for npmi, 10 for default.")] = None
    wordsim: Annotated[list[Path] | None, typer.Option(help="Word pairs and scores to measure the table on.")] = None
    checkpoint_every: Annotated[int, typer.Option(help="Epochs between checkpoints; 0: none.", min=0)] = 1
    workers: Annotated[int, typer.Option(help="Reading processes and training threads.", min=1)] = 1
    scheduler: Annotated[
        str | None, typer.Option(help="Of a Dask cluster that reads and counts, tcp://...; training runs here.")
    ] = None
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Put what is malformed into a rejects file.")] = False
    rejects: Annotated[Path | None, typer.Option(help="The rejects file; default: OUT.rejects.jsonl.")] = None
    overwrite: Annotated[bool, typer.Option(help="Replace a table that is there.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False


_NOT_IN_CONFIGS = {"corpus", "out", "config", "as_json", "options", "return"}


def training_command(command: Callable[..., None]) -> Callable[..., None]:
    """Put ``TrainingOptions`` in the place of a command's first parameter: each field becomes an argument or option.

    The command's own options stand before those that all trainers share.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in list(inspect.signature(command).parameters.items())[1:]
    ]
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(TrainingOptions)
    ]
    names = [parameter.name for parameter in shared]
    of_config = _config_option({**get_type_hints(TrainingOptions), **get_type_hints(command)})
    shared[names.index("config")] = shared[names.index("config")].replace(annotation=of_config)

    @wraps(command)
    def run(**values: Any) -> None:
        options = TrainingOptions(**{name: values.pop(name) for name in names})
        command(options, **values)

    del run.__wrapped__
    run.__signature__ = inspect.Signature([*shared[:2], *own, *shared[2:]])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*shared, *own]}
    return run


def _config_option(types: dict[str, Any]) -> Any:
    types = {name: annotation for name, annotation in types.items() if name not in _NOT_IN_CONFIGS}

    def read_config(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            from spacy_embed.cli.command_config import option_values

            context.default_map = option_values(path, context.info_name or "", types)
        return path

    help_text = "Defaults of the options, from an INI file."
    return Annotated[Path | None, typer.Option(help=help_text, callback=read_config, is_eager=True)]


def run_training(
    options: TrainingOptions,
    trainer: Callable[..., "WordTable"],
    *,
    method: str,
    dim: str,
    min_count: int,
    counts_pairs: bool = False,
    **settings: Any,
) -> None:
    """Train as the options say and report.

    Args:
        options: What all trainers share.
        trainer: Called with sequences and, by name, ``dim``, ``min_count``, ``checkpoints``, ``workers`` and the
            settings.
        method: What the run is called.
        dim: A number, or ``auto``.
        min_count: Rarer words get no vector.
        counts_pairs: The trainer takes ``spill``, what counts pairs of words.
        settings: Further arguments of the trainer, plain JSON values.
    """
    require_search("read a corpus")
    from spacy_embed.atomic_files import check_free
    from spacy_embed.vectors.directory_format import MARKER

    check_free(options.out, overwrite=options.overwrite, marker=MARKER)
    n_dimensions = _dimensions(dim)
    from spacy_embed.pipeline.training_corpus import TrainingCorpus
    from spacy_embed.pipeline.training_job import TrainingJob, train_table

    corpus = TrainingCorpus(
        [*options.corpus, *(options.also or [])],
        options.lang,
        pipelines_by_language(options.pipeline or []),
        options.lines,
        options.pretokenized,
        keep_going=options.skip_bad or options.rejects is not None,
    )
    of_trainer = {"min_count": min_count, **settings}
    with (
        _cluster(options.scheduler, counts_pairs=counts_pairs) as cluster,
        faults_reported(options.skip_bad, options.rejects, options.out) as report,
    ):
        of_machine = {"workers": options.workers, **cluster.of_trainer}
        job = TrainingJob(
            method=method,
            corpus=corpus,
            trainer=lambda sequences, **given: trainer(sequences, **of_machine, **of_trainer, **given),
            settings=of_trainer,
            dim=n_dimensions,
            min_count=min_count,
            phrases=options.phrases,
            phrase_scoring=options.phrase_scoring,  # type: ignore[arg-type]
            phrase_threshold=options.phrase_threshold,
            checkpoint_every=options.checkpoint_every,
            wordsim=options.wordsim or [],
            workers=options.workers,
            reader=cluster.reader,
        )
        table = train_table(
            job, options.out, overwrite=options.overwrite, report=report, tell=lambda line: note(f"note: {line}.")
        )
    _print_result(options, table)


class _Cluster(NamedTuple):
    reader: "Reader | None"
    of_trainer: dict[str, Any]


@contextmanager
def _cluster(address: str | None, *, counts_pairs: bool) -> Iterator[_Cluster]:
    """What reads and counts on a cluster, if one is named."""
    if address is None:
        yield _Cluster(None, {})
        return
    from spacy_embed.cluster.connection import connected

    with connected(address) as client:
        from spacy_embed.cluster.pair_counting import ClusterPairs
        from spacy_embed.cluster.training_text import read_text

        note("note: the cluster reads and counts; training runs on this machine.")
        yield _Cluster(partial(read_text, client), {"spill": ClusterPairs(client)} if counts_pairs else {})


def _dimensions(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--dim takes a number of at least 1, or auto, got {text!r}.")
    return int(text)


def _print_result(options: TrainingOptions, table: "WordTable") -> None:
    from spacy_embed.training.model_card import FILE

    card, source = table.metadata["card"], table.metadata["source"]
    if options.as_json:
        sizes = {"table": str(options.out), "words": len(table), "dim": table.dim}
        print_json({**sizes, "source": source, "card": card})
        return
    tokens, covered = card["corpus"]["tokens"], card["vocabulary"]["coverage"]
    print(f"{options.out}: {len(table)} words, {table.dim} dimensions, {covered:.1%} of {tokens} tokens")
    if source.get("loss"):
        of = "pair" if "pairs" in source else "token"
        print(f"loss, a {of}'s mean: {source['loss'][0]:.4f} in the first epoch, {source['loss'][-1]:.4f} in the last")
    print(f"model card: {options.out / FILE}")
