import json

import pytest

from spacy_embed.retrieval.language_detection import detect_language
from tests.conftest import CORPORA, LANGUAGES


def test_every_document_of_the_corpora_is_told(lang):
    lines = (CORPORA / lang / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    assert {detect_language(json.loads(line)["text"], LANGUAGES) for line in lines} == {lang}


@pytest.mark.parametrize(
    ("text", "candidates", "language"),
    [
        ("river", ("en",), "en"),
        ("река", ("en",), "en"),
        ("река", ("en", "ru"), "ru"),
        ("2020", ("es", "en"), "es"),
        ("", ("zh", "en"), "zh"),
        ("GPT 是一个模型", LANGUAGES, "zh"),
        ("Word Москва", ("en", "ru"), "ru"),
    ],
)
def test_candidates_and_scripts_decide(text, candidates, language):
    assert detect_language(text, candidates) == language
