"""Text that others wrote (a host, a listener, a web page), made harmless where it enters.

Whatever reads from outside passes its text through one of these functions first. So
nothing further in needs to know where a text came from: none moves the cursor, changes
colours, sets the terminal's title, hides or reorders letters, or goes on for ever.
"""

from __future__ import annotations

import re

LINE = 1_000
"""Characters of a text that stands on one line."""
TEXT = 100_000
"""Characters of a text of many lines."""
MARK = "    | "
"""What stands before each further line of a quotation: no line of ours begins so."""

# ECMA-48: control sequences (CSI), then strings up to their end (OSC, DCS, SOS, PM, APC),
# then the short ones. A string without an end takes the rest of its line with it.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 but tab and line feed, C1, and what is invisible or turns the direction of writing
# (Unicode: Cf, line and paragraph separators, variation selectors, tags, lone surrogates).
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def text(said: str, most: int = TEXT) -> str:
    """Of many lines; only its middle is missing where it is longer than ``most``."""
    said = said.replace("\r\n", "\n").replace("\t", "    ")
    if not (said.isascii() and said.isprintable()):
        said = _CONTROL.sub("", _ESCAPES.sub("", said))
    return shortened(said, most)


def line(said: str, most: int = LINE) -> str:
    """On one line: a line break in it could forge a line of a report."""
    return shortened(text(said, 2 * most + 1000).replace("\n", " "), most)


def quoted(said: str, most: int = TEXT) -> str:
    """Within a message of ours: each further line is marked as somebody else's."""
    return f"\n{MARK}".join(text(said, most).strip().split("\n"))


def reason(error: BaseException) -> str:
    """An exception's words on one line; libraries put into them what the other end said."""
    return line(str(error).strip()) or type(error).__name__


def shortened(said: str, most: int) -> str:
    """The beginning and the end of a text, and between them how much is missing."""
    if len(said) <= most:
        return said
    half = most // 2
    missing = f"[… {len(said) - 2 * half} characters left out …]"
    gap = f"\n{missing}\n" if "\n" in said else f" {missing} "
    return said[:half] + gap + said[-half:]
