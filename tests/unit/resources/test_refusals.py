"""An error of a program is never an empty answer."""

from __future__ import annotations

import pytest

from nodriza.host.errors import CommandFailed, HostError, Result
from nodriza.host.host import Host
from nodriza.resources import Database, DatabaseUser, Package


class Answering(Host):
    """Every program of this host ends with ``exit`` and says ``err``."""

    def __init__(self, exit: int, err: str) -> None:
        super().__init__("/nonexistent")
        self.exit, self.err = exit, err

    def run(self, argv, **options):
        return Result(argv, self.exit, "", self.err)


@pytest.mark.parametrize("noun", [Database("app"), DatabaseUser("app", "%", "long-enough")])
def test_database_that_refuses_us__is_not_taken_for_an_empty_one(noun):
    host = Answering(1, "ERROR 1045 (28000): Access denied for user 'root'@'localhost'")
    with pytest.raises(CommandFailed, match="Access denied"):
        type(noun).look(host, [noun])


def test_mirror_that_does_not_answer__is_told_though_apt_only_warns():
    """The old lists stay, and name versions that the mirror has dropped."""
    host = Answering(0, "W: Failed to fetch http://mirror.test/InRelease  Connection failed")
    with pytest.raises(HostError, match="apt-get update: W: Failed to fetch"):
        Package.fix_together(host, [Package("nginx")])
