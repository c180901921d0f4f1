"""Names of the folders of parts: they say all that decides what is in them, so that a next run finds what is there."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from spacy_embed.cluster.splits import Split


def part_name(number: int, split: Split, *decides: Any) -> str:
    """The name of a part's folder.

    Args:
        number: Of the part.
        split: What it is made of; its files' sizes and times of change are looked at.
        decides: What else decides what is in it; all that has the same ``repr`` is the same.
    """
    everything = repr((split, _states(split), *decides))
    return f"{number:06d}-{blake2b(everything.encode(), digest_size=8).hexdigest()}"


def _states(split: Split) -> Mapping[str, tuple[int, int]]:
    """Sizes and times of change of the files that are read."""
    states = {file: Path(file).stat() for file, _, _ in split.pieces}
    return {file: (state.st_size, state.st_mtime_ns) for file, state in states.items()}
