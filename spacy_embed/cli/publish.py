"""``spacy-embed publish``: an index that was made on this machine, put into object storage."""

import time
from pathlib import Path
from typing import Annotated

import typer

from spacy_embed.cli.console import print_json, require_search
from spacy_embed.errors import InputError
from spacy_embed.retrieval.remote_url import is_url, normal_url


def publish_command(
    index: Annotated[Path, typer.Argument(help="An index, a folder.")],
    url: Annotated[str, typer.Argument(help="Where it goes, such as s3://bucket/path.")],
    overwrite: Annotated[bool, typer.Option(help="Replace an index that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put an index into object storage as it is; any machine can search and change it there."""
    started = time.perf_counter()
    require_search("publish an index")
    from spacy_embed.retrieval.locks import writer_lock
    from spacy_embed.retrieval.manifest import read_manifest
    from spacy_embed.retrieval.remote_publish import check_url_free, publish

    if not is_url(url):
        raise InputError(f"Expected a URL such as s3://bucket/path, got {url!r}.")
    url = normal_url(url)
    read_manifest(index)
    check_url_free(url, overwrite=overwrite)
    with writer_lock(index):
        manifest = publish(index, url, overwrite=overwrite)
    seconds = round(time.perf_counter() - started, 2)
    if as_json:
        print_json({"index": url, "documents": manifest.documents, "seconds": seconds})
    else:
        print(f"{url}: documents {manifest.documents}, seconds {seconds}")
