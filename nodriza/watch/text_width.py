"""How wide a text is in a picture that any browser draws, in whatever font it has."""

from __future__ import annotations

# DejaVu Sans, the widest of the fonts that the picture asks for: a thousandth of its size.
_WIDTHS = {
    **dict.fromkeys("ijl", 278),
    **dict.fromkeys(" .,;:'|", 337),
    **dict.fromkeys("-()/ft", 392),
    **dict.fromkeys("r", 411),
    **dict.fromkeys("ckszvxy_", 592),
    **dict.fromkeys("w", 818),
    **dict.fromkeys("mMWQ@%…", 1000),
    **dict.fromkeys("ABCDEFGHIJKLNOPRSTUVXYZ", 775),
}
_OTHER = 640
_BOLD = 1.14  # times as wide


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels, on the safe side."""
    thousandths = sum(_WIDTHS.get(char, _OTHER) for char in text)
    return thousandths * size / 1000 * (_BOLD if bold else 1)


def cut(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or its beginning and its end: names of a kind often differ in the end only."""
    if width(text, size, bold=bold) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        end = kept // 3
        shorter = f"{text[: kept - end]}…{text[len(text) - end :]}"
        if width(shorter, size, bold=bold) <= room:
            return shorter
    return "…"
