"""What ``doc_embedder`` saves: its fitted state, and the table, whole in a folder that travels, by path in bytes."""

import shutil
from pathlib import Path
from typing import NamedTuple

from spacy_embed.atomic_files import write_atomically
from spacy_embed.embedding import BagEmbedding, embedding_from_state
from spacy_embed.errors import InputError
from spacy_embed.pipeline.keyword_weights import KeywordWeights
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.types import State
from spacy_embed.vectors.directory_format import is_table, open_table
from spacy_embed.vectors.sense_bags import SenseChoice
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.table_state import table_from_state, table_state
from spacy_embed.vectors.word_table import WordTable

TABLE_FOLDER = "vectors"
_STATE_FILE = "embedding.npz"


class EmbedderState(NamedTuple):
    """How a component embeds."""

    embedding: BagEmbedding
    keywords: KeywordWeights
    table: VectorTable | None
    """None, or a vocabulary's, where the pipeline saves the vectors itself; loaded, None where none was saved."""
    fingerprint: str | None = None
    """Of the table that it was saved with."""
    senses: SenseChoice | None = None

    def to_bytes(self, *, with_table: bool) -> bytes:
        """The table by its path when it is a folder, else all of it."""
        has_table = isinstance(self.table, WordTable) and with_table
        return state_to_bytes(self._plain(table_state(self.table) if has_table else None))  # type: ignore[arg-type]

    def to_disk(self, folder: Path, *, with_table: bool) -> None:
        """Write it to a folder, and a copy of the table beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / TABLE_FOLDER
        if isinstance(self.table, WordTable):
            if with_table and self.table.path != place.resolve():
                self.table.save(place, overwrite=True)
        elif is_table(place):
            # what an earlier save left here would be taken for ours
            shutil.rmtree(place, ignore_errors=True)
        kept = {"fingerprint": self.table.fingerprint} if isinstance(self.table, WordTable) else None
        write_atomically(folder / _STATE_FILE, state_to_bytes(self._plain(kept)))

    def _plain(self, table: State | None) -> State:
        settings = {"embedding": self.embedding.state(), "keywords": self.keywords.state()}
        return {**settings, "senses": self.senses, "table": table}


def state_of_bytes(data: bytes, where: str) -> EmbedderState:
    """Restore ``EmbedderState.to_bytes``. Raises InputError when the table is gone or another."""
    state = state_from_bytes(data, where=where)
    return _restored(state, None if state["table"] is None else table_from_state(state["table"]))


def state_of_folder(folder: Path) -> EmbedderState:
    """Restore ``EmbedderState.to_disk``. Raises InputError when something is missing or damaged."""
    file = folder / _STATE_FILE
    if not file.is_file():
        raise InputError(f"{file} is missing: the saved pipeline is incomplete, save it again.")
    state = state_from_bytes(file.read_bytes(), where=str(file))
    fingerprint = state["table"] and state["table"]["fingerprint"]
    place = folder / TABLE_FOLDER
    table = open_table(place, fingerprint) if fingerprint is not None and is_table(place) else None
    return _restored(state, table)


def _restored(state: State, table: WordTable | None) -> EmbedderState:
    fingerprint = None if state["table"] is None else state["table"].get("fingerprint")
    embedding = embedding_from_state(state["embedding"])
    return EmbedderState(embedding, KeywordWeights(**state["keywords"]), table, fingerprint, state.get("senses"))
