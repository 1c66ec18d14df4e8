"""One entry of a list more or less; all else of the file stays, byte for byte."""

from __future__ import annotations

import pytest

from nodriza.errors import InventoryError, TargetError
from nodriza.inventory.edit_list import add_entry, remove_entry
from tests.unit.inventory.conftest import GOOD

WRITTEN = {
    "": "blocked: [203.0.113.9]\n",
    "blocked:\n": "blocked: [203.0.113.9]\n",
    "blocked: []  # nobody\n": "blocked: [203.0.113.9]  # nobody\n",
    "blocked: [198.51.100.7] # a\n": "blocked: [198.51.100.7, 203.0.113.9] # a\n",
    "blocked:\n- 198.51.100.7  # a\n": "blocked:\n- 198.51.100.7  # a\n- 203.0.113.9\n",
    "blocked:\n  # a\n  - 198.51.100.7": "blocked:\n  # a\n  - 198.51.100.7\n  - 203.0.113.9\n",
}


@pytest.mark.parametrize("before", WRITTEN)
def test_entry__is_written_as_the_list_is_and_taken_out_again(write, before):
    file = write(GOOD + before)
    assert add_entry(file, "blocked", "203.0.113.9").blocked[-1] == "203.0.113.9"
    assert file.read_text() == GOOD + WRITTEN[before]
    left = remove_entry(file, "blocked", "203.0.113.9")
    assert left.blocked == (("198.51.100.7",) if "198" in before else ())
    assert file.read_text().startswith(GOOD)


def test_list_before_others__is_found(write):
    file = write("blocked:\n  - 198.51.100.7\n\n" + GOOD)
    add_entry(file, "blocked", "203.0.113.9")
    assert file.read_text() == "blocked:\n  - 198.51.100.7\n  - 203.0.113.9\n\n" + GOOD


def test_last_line_of_a_list__takes_the_key_with_it(write):
    file = write(GOOD + "blocked:\n  - 203.0.113.9  # rude\n# the end\n")
    assert remove_entry(file, "blocked", "203.0.113.9").blocked == ()
    assert file.read_text() == GOOD + "# the end\n"


def test_list_over_several_lines_in_brackets__is_left_to_a_person(write):
    text = GOOD + "blocked: [\n  198.51.100.7, # a\n]\n"
    file = write(text)
    with pytest.raises(TargetError, match="in brackets over several lines"):
        add_entry(file, "blocked", "203.0.113.9")
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.0.2.12", "server-2 itself"),
        ("10.0.0.99", "the cluster's own private network"),
        ("192.0.0.0/16", "server-1 itself"),
        ("203.0.113.5", "one of proxies"),
        ("203.0.113.128/25", "one of operators"),
    ],
)
def test_address_that_the_cluster_needs__is_refused_and_nothing_is_written(write, address, why):
    text = GOOD + "proxies: [203.0.113.5]\noperators: [203.0.113.200]\n"
    file = write(text)
    with pytest.raises(InventoryError, match=why):
        add_entry(file, "blocked", address)
    assert file.read_text() == text
