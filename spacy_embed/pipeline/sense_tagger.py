"""The ``sense_tagger`` component: which sense each token has in its context, by a model of AdaGram."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from spacy_embed.atomic_files import write_atomically
from spacy_embed.errors import InputError
from spacy_embed.pipeline.extensions import register_extensions
from spacy_embed.pipeline.sense_attributes import remember_tagger, set_senses
from spacy_embed.pipeline.sense_models import senses_for, token_posteriors
from spacy_embed.pipeline.token_rows import KnownRows, look_up
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.directory_format import is_table, open_table
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.table_state import table_from_state, table_state
from spacy_embed.vectors.word_table import WordTable

MODEL_FOLDER = "model"
_STATE_FILE = "tagger.npz"


class SenseTagger:
    """Sets arrays on each Doc, from which ``token._.sense``, ``sense_probs`` and ``sense_vector`` are read.

    The arrays, ``doc._.sense_rows``, ``sense_probabilities`` and ``sense_offsets``, are those of ``Posteriors``. The
    context of a word is the known words around it in the Doc (Bartunov et al. 2016, section 3.3).

    Args:
        language: Of the pipeline; a model that was trained on text of other languages is refused.
        model: Path of a table with senses or of an AdaGram.jl model, opened when it is first needed.
        window: Known words to each side; None for as many as in training.
        name: The component's name.

    Raises:
        InputError: ``window`` is below 1.
    """

    def __init__(
        self, language: str, model: str | None = None, window: int | None = None, name: str = "sense_tagger"
    ) -> None:
        if window is not None and window < 1:
            raise InputError(f"'window' of '{name}' must be at least 1 word, got {window}.")
        self.language = language
        self.window = window
        self.name = name
        self._model = model
        self._senses: SenseTable | None = None
        self._rows = KnownRows()
        remember_tagger(self)

    @property
    def senses(self) -> SenseTable:
        """The model in use.

        Raises:
            InputError: There is none, it has no senses, is missing or damaged, or of another language.
        """
        if self._senses is None and self._model is not None:
            self.table = load_vectors(self._model)
        if self._senses is None:
            raise InputError(
                f"'{self.name}' has no model: set 'model' in its config to a table with senses "
                "(spacy-embed train adagram) or to an AdaGram.jl model."
            )
        return self._senses

    @property
    def table(self) -> WordTable:
        """The vectors of the senses. Raises InputError as ``senses``."""
        return self.senses.table

    @table.setter
    def table(self, table: WordTable) -> None:
        self._senses = senses_for(self.language, table)
        self._rows = KnownRows()

    def knows(self, fingerprint: str | None) -> bool:
        """Whether Docs of this fingerprint were tagged with its model."""
        try:
            return fingerprint is not None and self.table.fingerprint == fingerprint
        except InputError:
            # its own model is missing or damaged, which is not the asking Doc's concern
            return False

    def __call__(self, doc: Doc) -> Doc:
        """Tag one Doc."""
        return self._tag([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Tag many Docs, a batch at once."""
        for batch in minibatch(stream, size=batch_size):
            yield from self._tag(list(batch))

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None) -> None:
        """Open the model: a missing one is better found now than at the first Doc. Raises InputError as ``senses``."""
        _ = self.senses

    def _tag(self, docs: list[Doc]) -> list[Doc]:
        senses = self.senses
        tokens = look_up(docs, senses.table, self._rows)
        posteriors = token_posteriors(tokens, senses, self.window)
        for doc, bounds in zip(docs, pairwise(tokens.offsets.tolist()), strict=True):
            set_senses(doc, posteriors.slice(*bounds), senses.table.fingerprint)
        return docs

    def __getstate__(self) -> dict[str, Any]:
        # the table goes by its path where it has one; what is worked out from it is worked out again
        table = None if self._senses is None else self._senses.table
        return {**self.__dict__, "_senses": None, "_rows": KnownRows(), "_table": table}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a worker process may see no factory call before this
        register_extensions()
        table = state.pop("_table")
        self.__dict__.update(state)
        if table is not None:
            self.table = table
        remember_tagger(self)

    # what is set in the config is saved with it

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The model: its path when it is a folder, else all of it; nothing with ``exclude=["model"]``."""
        return state_to_bytes({"table": None if MODEL_FOLDER in exclude else table_state(self.table)})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SenseTagger":
        """Restore ``to_bytes``. Raises InputError when the model is gone or another."""
        state = state_from_bytes(data, where=f"'{self.name}' bytes")["table"]
        if state is not None:
            self.table = table_from_state(state)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """A copy of the model, so that the folder can travel; with ``exclude=["model"]`` its fingerprint alone."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / MODEL_FOLDER
        if MODEL_FOLDER not in exclude and self.table.path != place.resolve():
            self.table.save(place, overwrite=True)
        write_atomically(folder / _STATE_FILE, state_to_bytes({"fingerprint": self.table.fingerprint}))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SenseTagger":
        """Restore ``to_disk``. Raises InputError when something is missing, damaged or another model."""
        file, place = Path(path) / _STATE_FILE, Path(path) / MODEL_FOLDER
        if not file.is_file():
            raise InputError(f"{file} is missing: the saved pipeline is incomplete, save it again.")
        expected = state_from_bytes(file.read_bytes(), where=str(file))["fingerprint"]
        if is_table(place):
            self.table = open_table(place, expected)
        elif self.table.fingerprint != expected:
            raise InputError(f"'{self.name}' was saved with another model than {expected}: give it that one.")
        return self
