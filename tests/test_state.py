"""Fitted state as bytes: exact round trips, no pickles, clear refusals."""

import io
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.errors import InputError
from spacy_embed.state import state_from_bytes, state_to_bytes
from tests.strategies import QUICK, states

STATE = {"name": "tfidf", "idf": np.arange(4, dtype=np.float32), "inner": {"n": 3, "axes": np.eye(2)}, "none": None}


def same(left, right):
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return type(left) is type(right) and left == right


@QUICK
@given(states())
def test_states_come_back_with_their_types_shapes_and_dtypes(state):
    assert same(state_from_bytes(state_to_bytes(state)), state)


@QUICK
@given(states())
def test_the_same_state_gives_the_same_bytes(state):
    assert state_to_bytes(state) == state_to_bytes(deepcopy(state))


@pytest.mark.parametrize(
    "again", [lambda state: dict(sorted(state.items())), lambda s: state_from_bytes(state_to_bytes(s))]
)
def test_equal_states_in_another_order_give_the_same_bytes(again):
    state = {"b": np.zeros(3), "a": np.ones(2)}
    assert state_to_bytes(again(state)) == state_to_bytes(state)


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_bytes_are_refused_by_the_name_given(share):
    data = state_to_bytes(STATE)
    with pytest.raises(InputError, match="model/state is damaged"):
        state_from_bytes(data[: int(share * len(data))], where="model/state")


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(InputError, match="damaged or not a saved state"):
        state_from_bytes(data)


def test_a_flipped_bit_is_refused_or_harmless():
    data = state_to_bytes(STATE)
    escaped = set()
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            try:
                state_from_bytes(bytes(damaged))
            except InputError:
                pass
            except Exception as error:
                escaped.add(type(error).__name__)
    assert escaped == set()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_an_archive_of_something_else_is_refused():
    with pytest.raises(InputError, match="not a saved state"):
        state_from_bytes(npz(a=np.ones(3)))


def test_a_bare_array_is_refused():
    with pytest.raises(InputError):
        state_from_bytes(npy(np.ones(3)))


def test_a_reference_to_a_missing_array_is_refused():
    text = b'{"idf": {"$array": "a7"}}'
    with pytest.raises(InputError):
        state_from_bytes(npz(plain=np.frombuffer(text, np.uint8)))


def test_a_pickled_object_in_the_archive_is_refused_unread():
    with pytest.raises(InputError):
        state_from_bytes(npz(plain=np.array([{"a": 1}], object)))
    with pytest.raises(InputError):
        state_from_bytes(npy(np.array([{"a": 1}], object)))


def test_object_arrays_are_not_saved_as_pickles():
    with pytest.raises((ValueError, TypeError)):
        state_to_bytes({"words": np.array(["a", None], object)})
