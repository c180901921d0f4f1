import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval.learned_encoders import check_name
from spacy_embed.retrieval.method_names import COMPOSED, NAMES, Fused, Named, Reranked, parse_method

BM25, TFIDF, WMD = Named("bm25"), Named("tfidf"), Named("wmd-tfidf")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_itself(name):
    assert parse_method(name) == Named(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bm25+0.3*tfidf", Fused("scores", (BM25, TFIDF), (1.0, 0.3))),
        (" 2 * bm25 + .5*tfidf ", Fused("scores", (BM25, TFIDF), (2.0, 0.5))),
        ("rrf:bm25+tfidf", Fused("rrf", (BM25, TFIDF), (1.0, 1.0))),
        ("rrf:2*bm25+tfidf", Fused("rrf", (BM25, TFIDF), (2.0, 1.0))),
        ("wmd-tfidf@bm25", Reranked(WMD, BM25, 100)),
        ("wmd-tfidf@bm25:7", Reranked(WMD, BM25, 7)),
        ("bm25+3*wmd-tfidf@tfidf:9", Fused("scores", (BM25, Reranked(WMD, TFIDF, 9)), (1.0, 3.0))),
        ("wmd-tfidf@(bm25+tfidf):5", Reranked(WMD, Fused("scores", (BM25, TFIDF), (1.0, 1.0)), 5)),
        ("wmd-tfidf@(rrf:bm25+tfidf)", Reranked(WMD, Fused("rrf", (BM25, TFIDF), (1.0, 1.0)))),
        ("((bm25))", BM25),
        ("bm25+2*mine", Fused("scores", (BM25, Named("mine")), (1.0, 2.0))),
        ("2nd+bm25", Fused("scores", (Named("2nd"), BM25), (1.0, 1.0))),
    ],
)
def test_compositions(text, expected):
    assert parse_method(text, ["mine", "2nd"]) == expected


@pytest.mark.parametrize("name", COMPOSED)
def test_what_is_composed_for_everybody_can_be_read(name):
    assert isinstance(parse_method(COMPOSED[name]), Fused)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Unknown method ''"),
        ("bm52", "Unknown method 'bm52'"),
        ("bm25+bm52", "Unknown method 'bm52'"),
        ("bm25+", "a name is missing"),
        ("+bm25", "a name is expected where '\\+'"),
        ("bm25 tfidf", "'tfidf' is one too many"),
        ("0*bm25+tfidf", "greater than 0"),
        ("0.3*bm25", "a weight needs a second method"),
        ("bm25+-1*tfidf", "nothing can begin with '-'"),
        ("x*bm25+tfidf", "'x' is not a weight"),
        ("(bm25+tfidf", "'\\)' is missing"),
        ("bm25+tfidf)", "'\\)' is one too many"),
        ("hybrid@bm25", "single method"),
        ("(bm25+tfidf)@bm25", "single method"),
        ("wmd@bm25:0", "at least 1"),
        ("wmd@", "a name is missing"),
        ("bm25;tfidf", "nothing can begin with ';'"),
        ("tfidf:5", "':5' is one too many"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_method(text)
    assert "\n" not in str(caught.value)


def test_an_encoder_cannot_take_a_method_s_name():
    with pytest.raises(InputError, match="is the name of a method"):
        check_name("hybrid")
