"""Fitted state as bytes: JSON for plain values and NumPy arrays beside it, in one npz archive, never pickled."""

import io
import json
import zipfile
from typing import Any

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.types import State

_PLAIN = "plain"


def state_to_bytes(state: State) -> bytes:
    """Pack nested dicts of plain values and arrays; equal states give equal bytes."""
    arrays: dict[str, Any] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {key: plain(item, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"$array": name}
        return value

    text = json.dumps(plain(state, ""), ensure_ascii=False, sort_keys=True)
    arrays[_PLAIN] = np.frombuffer(text.encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def state_from_bytes(data: bytes, *, where: str = "state") -> State:
    """Unpack ``state_to_bytes``.

    Args:
        data: The bytes.
        where: What to call their source in an error.

    Raises:
        InputError: They are damaged or something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        tree = json.loads(arrays.pop(_PLAIN).tobytes().decode())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{where} is damaged or not a saved state ({error}): save or fit it again.") from error

    def restore(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"$array"}:
                return arrays[value["$array"]]
            return {key: restore(item) for key, item in value.items()}
        return value

    state: State = restore(tree)
    return state
