"""Numbers of words against a dict that meets every dictionary in turn."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_embed.retrieval import word_numbers as module
from spacy_embed.retrieval.word_numbers import Dictionaries, WordNumbers
from tests.strategies import ON_DISK

FEW = st.sampled_from(["", "a", "b", "en:río", "ru:мост", "zh:橋", "\U0001f309", "a\0"])
WORDS = st.lists(FEW | st.text(max_size=2), unique=True)


def dictionaries(*batches):
    return [Dictionaries(*(pa.array(words, pa.string()) for words in batch)) for batch in batches]


@pytest.mark.parametrize("bytes_at_once", [1, 40, 10_000])
@ON_DISK
@given(batches=st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_every_word_has_one_number_in_order_of_first_appearance(bytes_at_once, batches):
    with TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BYTES_AT_ONCE", bytes_at_once)
        numbers = WordNumbers.make(Path(scratch) / "numbered", iter(dictionaries(*batches)))
        found = list(WordNumbers(numbers.folder).of_batches())
        words = numbers.words
    for which, name in enumerate(Dictionaries._fields):
        expected: dict[str, int] = {}
        for batch, of_batch in zip(batches, found, strict=True):
            numbers_of_words = [expected.setdefault(word, len(expected)) for word in batch[which]]
            assert getattr(of_batch, name).tolist() == numbers_of_words
            assert getattr(of_batch, name).dtype == "int32"
        assert getattr(words, name).to_pylist() == list(expected)
        assert getattr(words, name).type == pa.large_string()


def test_words_of_a_slice_of_an_array_are_its_own(tmp_path):
    batch = Dictionaries(pa.array(["x", "a", "b"])[1:], pa.array(["t", "u"])[:1])
    numbers = WordNumbers.make(tmp_path / "numbered", [batch])
    assert [words.to_pylist() for words in numbers.words] == [["a", "b"], ["t"]]


def test_what_a_killed_run_left_is_replaced(tmp_path):
    for left in (tmp_path / "numbered", tmp_path / "numbered.tmp"):
        left.mkdir()
        (left / "keys.arrow").write_bytes(b"half")
    numbers = WordNumbers.make(tmp_path / "numbered", dictionaries((["a"], [])))
    assert numbers.words.keys.to_pylist() == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["numbered"]


def test_words_are_numbered_whole_or_not_at_all(tmp_path):
    def breaking_off():
        yield from dictionaries((["a"], ["b"]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WordNumbers.make(tmp_path / "numbered", breaking_off())
    assert not (tmp_path / "numbered").exists()
