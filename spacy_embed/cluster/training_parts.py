"""How the text that a table is trained on is cut into parts, and in what folders these are."""

from pathlib import Path
from typing import NamedTuple

from spacy_embed.cluster.part_names import part_name
from spacy_embed.cluster.splits import Split, fitting_bytes, plan_splits, split_files
from spacy_embed.cluster.token_parts import TokenPart
from spacy_embed.errors import InputError
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.retrieval.corpus import Corpus, CorpusFiles
from spacy_embed.retrieval.pretokenized import PretokenizedCorpus


class CorpusParts(NamedTuple):
    """One of the corpora of a text."""

    path: Path
    parts: list[TokenPart]
    """In the order of the text."""


def plan_parts(corpus: TrainingCorpus, folder: Path, *, split_bytes: int | None = None) -> list[CorpusParts]:
    """Cut corpora into parts; the name of a part's folder says all that decides what its tokens are.

    Args:
        corpus: What is read.
        folder: Where the parts go.
        split_bytes: Bytes of a part. None: a sixty-fourth of the text, between 1 and 16 MB, so that a small cluster
            has its share of a small text.

    Raises:
        InputError: A corpus is missing or a pipe, or its language or pipeline is not known.
    """
    for path in corpus.paths:
        if Corpus(path).is_pipe:
            raise InputError(
                f"{path} is a pipe, which cannot be cut into parts for a cluster: write it to a file first, or leave "
                "out --scheduler."
            )
        if not path.exists():
            raise InputError(f"There is no corpus at {path}: check the path.")
    if split_bytes is None:
        sizes = [facts["bytes"] or 0 for facts in corpus.described()]
        split_bytes = fitting_bytes(sum(sizes))
    kernel = corpus.kernel()
    planned, number = [], 0
    for path in corpus.paths:
        parts = []
        for split in _splits(corpus, path.resolve(), split_bytes):
            part = TokenPart(split, kernel, folder, (), corpus.keep_going)
            parts.append(placed(part, folder, number))
            number += 1
        planned.append(CorpusParts(path, parts))
    return planned


def _splits(corpus: TrainingCorpus, path: Path, split_bytes: int) -> list[Split]:
    if not corpus.pretokenized:
        return plan_splits(path, lines=corpus.lines, split_bytes=split_bytes)
    return split_files(CorpusFiles("lines", PretokenizedCorpus(path).files(), path.parent), split_bytes)


def placed(part: TokenPart, folder: Path, number: int) -> TokenPart:
    """A part in a folder of its own, named for what its tokens depend on: what an earlier run made is found by it."""
    name = part_name(number, part.split, part.kernel.identity(), part.repeated, part.keep_going)
    return part._replace(folder=folder / name)
