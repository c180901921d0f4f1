from contextlib import suppress

import pytest

from spacy_embed.cli.places import made_at
from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_replica import replica_folder


def test_two_commands_do_not_make_an_index_at_one_url_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path))
    out = replica_folder("s3://bucket/index")
    message = r"^Another process makes an index at s3://bucket/index: wait for it"
    # both end before anything is uploaded
    with suppress(ZeroDivisionError), made_at(out, overwrite=False) as (place, _):
        assert place.is_relative_to(tmp_path)
        with pytest.raises(InputError, match=message), made_at(out, overwrite=True):
            pass
        raise ZeroDivisionError
    with suppress(ZeroDivisionError), made_at(out, overwrite=False):
        raise ZeroDivisionError
