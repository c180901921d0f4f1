from spacy_embed.cli.highlight import MarkedHit
from spacy_embed.cli.reasons import Reasons
from spacy_embed.retrieval.hits import Hit


def marked(title, text, *words):
    full = f"{title}\n{text}" if title else text
    spans = sorted((start, start + len(word)) for word in words for start in [full.find(word)] if start >= 0)
    return MarkedHit(Hit(1, "a", 1.0, "en", title, text, {}), full, [], spans, Reasons({}, []), [])


def test_a_short_text_is_shown_whole():
    hit = marked("Title", "a short text", "short")
    assert hit.text[slice(*hit.window(100))] == "a short text"


def test_the_stretch_with_the_most_marks_is_shown_in_whole_words():
    hit = marked("", "one " * 50 + "river and bridge " + "two " * 50, "river", "bridge")
    shown = hit.text[slice(*hit.window(40))]
    assert "river and bridge" in shown
    assert set(shown.split()) <= {"one", "two", "river", "and", "bridge"}


def test_texts_without_spaces_are_cut_by_characters():
    hit = marked("", "水" * 300 + "桥梁" + "水" * 300, "桥梁")
    start, stop = hit.window(50)
    assert stop - start == 50
    assert "桥梁" in hit.text[start:stop]
