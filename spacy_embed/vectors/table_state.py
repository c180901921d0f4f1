"""A table as a state of plain values and arrays: its path where it is a folder, else all of it."""

from pathlib import Path

from spacy_embed.errors import InputError
from spacy_embed.types import State
from spacy_embed.vectors.directory_format import open_table, origin_of
from spacy_embed.vectors.sense_arrays import NAME as SENSES
from spacy_embed.vectors.sense_arrays import has_senses
from spacy_embed.vectors.subwords import NAME as SUBWORDS
from spacy_embed.vectors.subwords import Subwords, with_subwords
from spacy_embed.vectors.word_table import WordTable


def table_state(table: WordTable) -> State:
    """What ``table_from_state`` needs to have the same table again."""
    if table.path is not None:
        return {"path": str(table.path), "fingerprint": table.fingerprint}
    state: State = {"words": list(table.words), "rows": table.rows, "word_rows": table.keys.word_rows}
    if table.composes:
        state[SUBWORDS] = {"parameters": table.metadata[SUBWORDS], "rows": table.extras[SUBWORDS]}
    if has_senses(table):
        arrays = {name: array for name, array in table.extras.items() if name.startswith(f"{SENSES}.")}
        # the whole of it: the card names the language
        state[SENSES] = {"metadata": origin_of(table), "arrays": arrays}
    return state


def table_from_state(state: State) -> WordTable:
    """The table of a state. Raises InputError when it is gone, another one now, or damaged."""
    if "path" in state:
        return open_table(Path(state["path"]), state["fingerprint"])
    senses = state.get(SENSES, {"metadata": {}, "arrays": {}})
    table = WordTable.build(
        state["words"],
        state["rows"],
        word_rows=state["word_rows"],
        metadata=senses["metadata"],
        extras=senses["arrays"],
    )
    if SUBWORDS not in state:
        return table
    try:
        parameters = Subwords(**state[SUBWORDS]["parameters"])
    except TypeError as error:
        raise InputError(f"A saved table's parameters of subwords are damaged ({error}): save it again.") from error
    return with_subwords(table, state[SUBWORDS]["rows"], parameters)
