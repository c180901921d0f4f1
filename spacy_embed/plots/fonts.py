"""Fonts that have the characters of the labels: matplotlib's own lacks Chinese, and no font comes with this package."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_OWN = "DejaVu Sans"
_FAVOURITES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans GB",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Arial Unicode MS",
)


class FontChoice(NamedTuple):
    """What labels are written in."""

    families: list[str]
    """Font families; a character comes from the first that has it."""
    missing: str
    """Characters that no installed font has; they become boxes."""


def choose_fonts(texts: Iterable[str]) -> FontChoice:
    """matplotlib's own font, and installed ones for the characters that it lacks."""
    missing = {ord(character) for text in texts for character in text if not character.isspace()} - _characters(_OWN)
    families = [_OWN]
    for name in _installed() if missing else ():
        found = missing & _characters(name)
        if found:
            families.append(name)
            missing -= found
        if not missing:
            break
    return FontChoice(families, "".join(map(chr, sorted(missing))))


@lru_cache(maxsize=1)
def _installed() -> list[str]:
    """Names of upright, regular fonts, the favourites first."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {font.fname for font in manager.ttflist}
    for file in font_manager.findSystemFonts():
        # installed since matplotlib last looked
        if file not in known and Path(file).suffix.lower() in {".ttf", ".ttc", ".otf"}:
            try:
                manager.addfont(file)
            except (OSError, RuntimeError, ValueError):
                continue
    names = {
        font.name for font in manager.ttflist if font.style == "normal" and font.weight in (400, "normal", "regular")
    }
    rank = {name: i for i, name in enumerate(_FAVOURITES)}
    # a bitmap or serif font only where nothing else has the character
    return sorted(names - {_OWN}, key=lambda name: (rank.get(name, len(rank)), "Sans" not in name, name))


@lru_cache(maxsize=256)
def _characters(name: str) -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    try:
        file = font_manager.findfont(font_manager.FontProperties(family=name), fallback_to_default=False)
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
