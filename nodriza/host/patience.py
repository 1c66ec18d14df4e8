"""Questions that may never be answered: who asks a file system that hangs does so as well."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict


def patiently(questions: Dict[str, Callable[[], Any]], seconds: float) -> Dict[str, Any]:
    """The answers; ``{"error": words}`` for one that does not come in time, or is a refusal.

    Each gets a thread of its own, which is left behind.
    """
    answers: Dict[str, Any] = {}

    def ask(name: str, question: Callable[[], Any]) -> None:
        try:
            answers[name] = question()
        except OSError as error:
            answers[name] = {"error": error.strerror}

    threads = [threading.Thread(target=ask, args=each, daemon=True) for each in questions.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    silent = {"error": f"no answer within {seconds} s"}
    return {name: answers.get(name, silent) for name in questions}
