"""What tests of indexes in object storage share: where the index is, and what the store and its copies hold."""

from spacy_embed.retrieval.remote_store import RemoteStore
from spacy_embed.retrieval.remote_version import list_versions, read_version
from tests.stores import assert_same_scores, contents, queries_of, scores

URL = "s3://bucket/some/index"


def store():
    return RemoteStore(URL)


def newest():
    return read_version(store(), list_versions(store())[-1])


def same_answers(langs, methods, one, *others):
    held = contents(one.snapshot)
    for other in others:
        assert contents(other.snapshot) == held
    for lang in langs:
        for method in methods:
            expected = scores(one, method, queries_of(lang)[:2], lang)
            assert any(expected)
            for other in others:
                assert_same_scores(scores(other, method, queries_of(lang)[:2], lang), expected)
