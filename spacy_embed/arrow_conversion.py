"""pyarrow imports pandas, where it is installed, with the first value that it converts: a command can do without."""

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def convert_without_pandas() -> None:
    """Let pyarrow not look for pandas before it is asked for pandas objects: a quarter of a second of every process.

    Until then it takes a Series that it is given for any other sequence, and refuses to read times of nanoseconds, for
    which it has no other type: this is for processes in which there are neither.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        # an import that has failed is not tried again by conversions
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
