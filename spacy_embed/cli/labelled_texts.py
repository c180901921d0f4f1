"""What the commands over files of texts share: ``LANG=PATH`` arguments, pipelines, corpora to fit on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_embed.cli.console import by_language, language_and_path, note_reading, pipelines_by_language
from spacy_embed.errors import InputError

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_embed.vectors.word_table import WordTable


@dataclass
class Languages:
    """Tables and pipelines by language, each opened once, when it is needed.

    Attributes:
        lang: Of files that do not say; "" for none.
        vectors: Tables by language, "" for any.
        pipelines: The user's own.
        keep_stop_words: In pipelines that are not the user's own.
    """

    lang: str
    vectors: Mapping[str, Path]
    pipelines: Mapping[str, Path]
    keep_stop_words: bool = False
    _tables: dict[Path, "WordTable"] = field(default_factory=dict)
    _loaded: dict[str, "Language"] = field(default_factory=dict)

    @classmethod
    def of_options(
        cls, lang: str, vectors: Sequence[str], pipelines: Sequence[str], *, keep_stop_words: bool = False
    ) -> "Languages":
        """From the values of --lang, --vectors and --pipeline. Raises InputError when two are of one language."""
        return cls(lang, by_language(list(vectors)), pipelines_by_language(list(pipelines)), keep_stop_words)

    def language_and_file(self, value: str) -> tuple[str, Path]:
        """Language and path of ``[LANG=]FILE``. Raises InputError when nothing says the language."""
        from spacy_embed.pipeline.language_pipelines import check_language

        named, path = language_and_path(value)
        known = [code for code in self.vectors if code]
        language = named or self.lang or (known[0] if len(known) == 1 else "")
        if not language:
            raise InputError(f"{path}: its language is not known. Give --lang, or LANG={path}.")
        return check_language(language, self.pipelines), path

    def table(self, language: str) -> "WordTable":
        """The table of a language. Raises InputError when there is none."""
        from spacy_embed.vectors import load_vectors

        path = self.vectors.get(language) or self.vectors.get("")
        if path is None:
            raise InputError(f"There are no vectors for {language}: give --vectors {language}=TABLE.")
        if path not in self._tables:
            self._tables[path] = load_vectors(path)
            note_reading(path, self._tables[path])
        return self._tables[path]

    def pipeline(self, language: str) -> "Language":
        """The pipeline of a language."""
        from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline

        if language not in self._loaded:
            own = self.pipelines.get(language)
            nlp = load_pipeline(own) if own else default_pipeline(language)
            if self.keep_stop_words and not own:
                nlp.remove_pipe("lookup_forms")
                nlp.add_pipe("lookup_forms", config={"stop_words": "keep"})
            self._loaded[language] = nlp
        return self._loaded[language]


def files_of_language(values: Sequence[str], language: str) -> list[Path]:
    """The paths among ``[LANG=]PATH`` options that are for a language or for any."""
    return [path for named, path in map(language_and_path, values) if named in ("", language)]


def set_names(files: Sequence[Path]) -> list[str]:
    """What to call files: the shortest ends of their paths that tell them apart, suffixes left out."""
    stems = [file.name.removesuffix(".gz").rpartition(".")[0] or file.name for file in files]
    parts = [[*file.resolve().parent.parts[1:], stem] for file, stem in zip(files, stems, strict=True)]
    for length in range(2, max(map(len, parts)) + 1):
        names = ["-".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise InputError("A file is named twice.")
