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

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(value[key]) for key in sorted(value)}
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise InputError("State holds plain values and arrays of numbers only, got an array of objects.")
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"$array": name}
        return value

    text = json.dumps(plain(state), ensure_ascii=False, sort_keys=True)
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
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist()
            }
        state: State = _restore(json.loads(arrays.pop(_PLAIN).tobytes().decode()), arrays)
    except Exception as error:  # zipfile and NumPy let errors of many kinds through
        raise InputError(f"{where} is damaged or not a saved state ({error}): save or fit it again.") from error
    return state


def _restore(value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$array"}:
            return arrays[value["$array"]]
        return {key: _restore(item, arrays) for key, item in value.items()}
    return value
