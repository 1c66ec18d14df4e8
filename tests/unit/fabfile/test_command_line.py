"""A command as sshd hands it to a user's shell, whichever that is."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import pytest

from nodriza.ssh.login_shell import DECODE, WORD, in_sh

SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "ksh", "fish", "tcsh", "csh", "bsd-csh")
          if shutil.which(shell)]  # fmt: skip
ODD = """printf '%s\\n' "it's" '$HOME `id` !! \\\\ \\n "' *nothing ñ
cat
exit 7
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_script__is_sh_s_own_in_every_shell_that_is_here(shell: str) -> None:
    done = subprocess.run(
        [shell, "-c", in_sh(ODD)], input="in\n", capture_output=True, text=True, check=False
    )
    expected = "it's\n$HOME `id` !! \\\\ \\n \"\n*nothing\nñ\nin\n"
    assert (done.stdout, done.returncode, done.stderr) == (expected, 7, "")


def test_words__are_short_and_mean_the_same_to_every_shell() -> None:
    line = in_sh(ODD * 500, "sudo -n")
    before, words = line.split(DECODE)
    assert before == "sudo -n "
    assert not re.search(r"[\n!\\]", DECODE)
    assert all(re.fullmatch("[A-Za-z0-9+/]+={0,2}", word) for word in words.split())
    assert max(map(len, words.split())) <= WORD
    assert base64.b64decode("".join(words.split())).decode() == ODD * 500
