"""The help of each command: its value words, and examples that can be typed."""

from __future__ import annotations

import shlex

import pytest
from invoke.parser import ParserContext

from docs.site.commands import shipped
from fabfile import ns
from fabfile.examples import EXAMPLES
from fabfile.grammar import Sentence
from fabfile.help import text

COMMANDS = dict(shipped())


@pytest.mark.parametrize("name", COMMANDS)
def test_help__has_the_usage_the_words_of_the_command_and_no_type_of_python(name):
    task = COMMANDS[name]
    said = text(name, task)
    assert said.startswith(f"Usage: fab {name}")
    assert (task.__doc__ or "").splitlines()[0] in said
    assert "STRING" not in said
    assert max(map(len, said.splitlines())) <= 100


def test_help__shows_what_stands_behind_a_flag():
    said = text("drain", COMMANDS["drain"])
    assert "Usage: fab drain:TARGET [OPTIONS]" in said
    assert "-w, --wait NUMBER" in said
    assert "seconds to wait for a host" in said
    assert "fab drain:server-2" in said
    assert "Usage: fab provision[:TARGET] [OPTIONS]" in text("provision", COMMANDS["provision"])


@pytest.mark.parametrize("line", [each for lines in EXAMPLES.values() for each in lines])
def test_example__is_read_as_a_command_of_that_name(line):
    typed = shlex.split(line.partition(" > ")[0].partition(" < ")[0])
    words = [word for word in typed[1:] if word != "production"]
    sentence = Sentence(ns, ParserContext())
    sentence.read(words, None)
    assert set(EXAMPLES) <= set(COMMANDS)
    assert sentence.segments[-1].name in COMMANDS
