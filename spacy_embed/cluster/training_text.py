"""What a table is trained on, made by a cluster: the same sequences over the same words as on one machine."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from spacy_embed.cluster.part_files import remove, write_array
from spacy_embed.cluster.repeated_documents import find_repeated
from spacy_embed.cluster.shared_paths import check_shared
from spacy_embed.cluster.tasks import reduce_tree, result_of, run_all, submit
from spacy_embed.cluster.token_parts import PartFacts, TokenChunk, TokenPart
from spacy_embed.cluster.training_parts import CorpusParts, placed, plan_parts
from spacy_embed.cluster.word_counts import WordCounts
from spacy_embed.errors import InputError
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.text_lines import Report, refuse
from spacy_embed.training.sequences import SequenceBlock, TokenSequences
from spacy_embed.types import Ints1d

if TYPE_CHECKING:
    from distributed import Client

_NUMBERED_AT_ONCE = 32
"""Chunks: the vocabulary of the whole text is looked through once for so many."""


@dataclass(frozen=True, eq=False)
class ChunkedSequences(TokenSequences):
    """Sequences whose chunks every machine of a cluster can read.

    Attributes:
        chunks: In the order of the text.
        tokens: int64[chunks], how many each holds.
        numbers: The file in which each chunk has the numbers of its words.
    """

    chunks: Sequence[TokenChunk] = ()
    tokens: Ints1d = field(default_factory=lambda: np.zeros(0, np.int64))
    numbers: str = ""


class ClusterText:
    """A text in parts on shared storage, as ``TokenSpool`` has one on a disk."""

    def __init__(self, languages: Counter[str], sequences: ChunkedSequences) -> None:
        self.languages = languages
        self._sequences = sequences

    @property
    def documents(self) -> int:
        """How many could be encoded."""
        return self.languages.total()

    def sequences(self) -> ChunkedSequences:
        """The documents that hold any token, in order."""
        return self._sequences


def read_text(
    client: "Client",
    corpus: TrainingCorpus,
    folder: Path,
    report: Report = refuse,
    *,
    split_bytes: int | None = None,
) -> ClusterText:
    """Read corpora into a folder by a cluster; what an interrupted run left there is not encoded again.

    Words are numbered in order of first appearance, as one process that reads from the start numbers them.

    Args:
        client: Of the cluster.
        corpus: What to read, on storage that all machines share.
        folder: Where the tokens go; it is on such storage too.
        report: What becomes of what is malformed, in the order of the text, if the corpus says to keep going.
        split_bytes: Bytes a part, see ``plan_parts``.

    Raises:
        InputError: A corpus is missing, empty, malformed, or a pipe; or a worker does not see a path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    corpora = plan_parts(corpus, folder, split_bytes=split_bytes)
    configs = [path.resolve() for path in corpus.pipelines.values()]
    check_shared(client, folder, [*(path.resolve() for path in corpus.paths), *configs])
    reading = _Reading(client, folder)
    planned = _all_parts(corpora)
    reading.make(planned)
    if not corpus.pretokenized:
        corpora = [reading.without_repeated(each) for each in corpora]
    parts = _all_parts(corpora)
    _remove_others(folder, [*planned, *parts])
    for path, of_corpus in corpora:
        if not any(reading.facts[part.folder].documents for part in of_corpus):
            raise InputError(f"{path} holds no {'sequences' if corpus.pretokenized else 'documents'}.")
    facts = [reading.facts[part.folder] for part in parts]
    for fault in (fault for of_part in facts for fault in of_part.faults):
        report(fault)
    chunks = [
        TokenChunk(part.folder, number)
        for part, of_part in zip(parts, facts, strict=True)
        for number in range(len(of_part.tokens))
    ]
    tokens = np.array([n for of_part in facts for n in of_part.tokens], np.int64)
    languages = sum((Counter(of_part.languages) for of_part in facts), Counter[str]())
    n_sequences = sum(of_part.n_sequences for of_part in facts)
    return ClusterText(languages, _numbered(client, folder, chunks, tokens, n_sequences))


def _all_parts(corpora: Sequence[CorpusParts]) -> list[TokenPart]:
    return [part for each in corpora for part in each.parts]


class _Reading:
    """Parts that workers make, and what is known of those that are there."""

    def __init__(self, client: "Client", folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.facts: dict[Path, PartFacts] = {}

    def make(self, parts: Sequence[TokenPart]) -> None:
        """Have workers make the parts that are not there."""
        # a network file system remembers for a while that a name it was asked for is not there: the folder is listed
        there = set(os.listdir(self.folder))
        for part in parts:
            found = PartFacts.read(part.folder) if part.folder.name in there else None
            if found is not None:
                self.facts[part.folder] = found
        missing = [part for part in parts if part.folder not in self.facts]
        total = sum(part.split.bytes for part in parts)
        with progress_bar(total=total, label="reading", unit="B") as bar:
            bar.update(total - sum(part.split.bytes for part in missing))
            for place, facts in run_all(self.client, TokenPart.make, [(part,) for part in missing]):
                self.facts[missing[place].folder] = facts
                bar.update(missing[place].split.bytes)
        lost = {part.folder.name for part in missing} - set(os.listdir(self.folder))
        if lost:
            raise InputError(
                f"Workers have written {len(lost)} parts to {self.folder} that are not there: put the output on "
                "storage that all machines of the cluster share."
            )

    def without_repeated(self, corpus: CorpusParts) -> CorpusParts:
        """The corpus without documents whose id an earlier one has: the parts that hold any are made again."""
        folders = [part.folder for part in corpus.parts]
        n_ids = sum(self.facts[folder].documents for folder in folders)
        repeated = find_repeated(self.client, [part.split for part in corpus.parts], folders, n_ids)
        parts = list(corpus.parts)
        for number, of_part in sorted(repeated.items()):
            serial = int(folders[number].name.partition("-")[0])
            parts[number] = placed(parts[number]._replace(repeated=of_part), self.folder, serial)
            if not parts[number].keep_going:
                # the first one says what is wrong
                break
        self.make(parts)
        return corpus._replace(parts=parts)


def _remove_others(folder: Path, parts: Sequence[TokenPart]) -> None:
    """What other jobs have left."""
    ours = {part.folder for part in parts}
    for place in folder.iterdir():
        if place not in ours:
            remove(place)


def _numbered(
    client: "Client", folder: Path, chunks: Sequence[TokenChunk], tokens: Ints1d, n_sequences: int
) -> ChunkedSequences:
    """Give words their numbers in the whole text."""
    if not chunks:
        return ChunkedSequences([], np.zeros(0, np.int64), 0, lambda: ())
    counted = [submit(client, TokenChunk.word_counts, chunk) for chunk in chunks]
    words: WordCounts = result_of(reduce_tree(client, WordCounts.joined, counted))
    names = blake2b("".join(f"{chunk}" for chunk in chunks).encode(), digest_size=8).hexdigest()
    file, numbers = folder / f"words-{names}.arrow", f"numbers-{names}.npy"
    words.write(file)
    groups = [tuple(chunks[at : at + _NUMBERED_AT_ONCE]) for at in range(0, len(chunks), _NUMBERED_AT_ONCE)]
    with progress_bar(total=len(chunks), label="numbering words", unit="chunk") as bar:
        for place, _ in run_all(client, number_words, [(group, file, numbers) for group in groups]):
            bar.update(len(groups[place]))
    return ChunkedSequences(
        words.words.to_pylist(), words.counts, n_sequences, lambda: blocks_of(chunks, numbers), chunks, tokens, numbers
    )


def number_words(chunks: Sequence[TokenChunk], file: Path, numbers: str) -> None:
    """Leave the numbers that the words of chunks have in a vocabulary beside the chunks.

    Args:
        chunks: Whose words are numbered.
        file: Of the vocabulary.
        numbers: What the files are called.
    """
    words = WordCounts.read(file)
    of_chunks = [chunk.word_counts().words for chunk in chunks]
    ends = np.cumsum([len(each) for each in of_chunks])
    numbered = np.split(words.places_of(pa.concat_arrays(of_chunks)), ends[:-1])
    for chunk, of_chunk in zip(chunks, numbered, strict=True):
        write_array(chunk.file(numbers), of_chunk)


def blocks_of(chunks: Sequence[TokenChunk], numbers: str) -> Iterator[SequenceBlock]:
    """The sequences of chunks over the words of the whole text."""
    return (chunk.block(numbers) for chunk in chunks)
