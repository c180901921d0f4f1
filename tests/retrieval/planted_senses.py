"""A model of one word with two senses in each language, made by hand, and documents that only the sense tells apart."""

import numpy as np

from spacy_embed.pipeline.language_pipelines import default_pipeline, lookup_forms_of
from spacy_embed.vectors.sense_arrays import build_sense_table
from spacy_embed.vectors.ways import Ways

PLANTED = {
    "en": ("bank", "loan money deposit interest", "river water boat fish"),
    "es": ("banco", "dinero crédito ahorro interés", "parque madera plaza jardín"),
    "pt": ("banco", "dinheiro crédito poupança juros", "parque madeira praça jardim"),
    "ru": ("ключ", "дверь сейф ящик железо", "река вода лес ручей"),
    "zh": ("苹果", "电脑 手机 屏幕 软件", "水果 果汁 香蕉 农民"),
}
"""A word, and the words around it in its more frequent sense and in the other."""


def forms_of(lang, text):
    nlp = default_pipeline(lang)
    return [form for form in lookup_forms_of(nlp).forms(nlp(text)) if form]


def planted_table(lang, window=5):
    """The word's first sense is one dimension, its second another; each word around it has one of its own.

    One node decides: its words on one side are the first sense's, on the other the second's.
    """
    word, first, second = (forms_of(lang, text) for text in PLANTED[lang])
    words = [*word, *first, *second]
    n = len(words)
    assert len(set(words)) == n == 9, words
    rows = np.zeros((n + 1, 2 + n), np.float32)
    rows[0, 0] = rows[1, 1] = 1.0
    rows[np.arange(2, n + 1), np.arange(3, n + 2)] = 0.3
    counts = np.zeros((n, 2), np.float32)
    counts[0], counts[1:, 0] = [60, 40], 50
    outputs = np.zeros((2, 2 + n), np.float32)
    outputs[0, :2] = [1.2, -1.2]
    return build_sense_table(
        words,
        rows,
        row_words=np.array([0, *range(n)], np.int32),
        slots=np.array([0, 1, *[0] * (n - 1)], np.int32),
        counts=counts,
        frequencies=counts.sum(axis=1).astype(np.int64),
        outputs=outputs,
        ways=Ways(
            np.array([1, *[0] * (n - 1)], np.int32),
            np.array([0, *[0] * len(first), *[1] * len(second)], np.int8),
            np.arange(n + 1),
        ),
        alpha=0.1,
        parameters={"window": window},
        source={"method": "planted"},
    )


def planted_documents(lang):
    """Two documents that hold the word and nothing else in common; the query means the second."""
    word, first, second = PLANTED[lang][0], PLANTED[lang][1].split(), PLANTED[lang][2].split()
    joint = "，" if lang == "zh" else " "
    texts = {"first": [word, first[0], word, first[1]], "second": [word, second[0], second[1]], "other": first[2:]}
    query = joint.join([second[2], word])
    return [{"id": f"{lang}-{id_}", "lang": lang, "text": joint.join(text)} for id_, text in texts.items()], query
