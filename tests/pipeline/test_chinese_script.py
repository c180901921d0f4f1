"""Many texts are simplified as each is by itself."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import QUICK

pytest.importorskip("opencc", reason="the extra 'zh' is not installed")
from spacy_embed.pipeline.chinese_script import Simplifier

SIMPLIFY = Simplifier()
PIECES = st.sampled_from(
    ["乾", "坤", "乾坤", "頭髮", "發展", "著", "瞭解", "漢語", "abc", " ", "\n", "\r\n", "\x00", "。", "𠮷"]
)


@QUICK
@given(texts=st.lists(st.lists(PIECES | st.text(max_size=2), max_size=6).map("".join), max_size=5))
def test_many_texts_at_once_are_as_one_by_one(texts):
    assert SIMPLIFY.all(texts) == list(map(SIMPLIFY, texts))


def test_a_word_is_converted_as_a_whole_and_not_over_the_end_of_a_text():
    assert SIMPLIFY("頭髮發展") == "头发发展"
    assert SIMPLIFY.all(["乾坤", "乾", "坤"]) == ["乾坤", "干", "坤"]


def test_it_pickles():
    assert pickle.loads(pickle.dumps(SIMPLIFY))("漢語") == "汉语"
