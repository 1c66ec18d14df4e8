"""A machine whose kernel never runs: its disk is blank, so that no BIOS finds anything to boot."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path

import pytest

from nodriza.errors import LabError
from nodriza.inventory import load_cluster
from nodriza.lab import network, silence
from nodriza.lab.programs import run
from nodriza.lab.virtual import kvm
from nodriza.lab.virtual import lab as virtual
from nodriza.lab.virtual.vagrant import Vagrant

BOX = "nodriza/blank"
INVENTORY = """\
cluster: silent
domain: silent.test
networks: {private: 192.168.57.0/24}
app: {name: shop, source: .., wsgi: shop.wsgi, settings: shop.settings}
share: {engine: nfs}
nodes:
  server-1: {kind: central, private: 192.168.57.11, memory_mb: 256}
lab: {driver: vagrant, box: nodriza/blank}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory whose machines have a blank disk."""
    monkeypatch.setenv(kvm.VARIABLE, "emulated")
    monkeypatch.setitem(silence.SECONDS, "emulated", 20)
    run(["qemu-img", "create", "-f", "qcow2", tmp_path / "box.img", "64M"])
    about = {"provider": "libvirt", "format": "qcow2", "virtual_size": 1}
    (tmp_path / "metadata.json").write_text(json.dumps(about))
    with tarfile.open(tmp_path / "blank.box", "w") as box:
        for name in ("metadata.json", "box.img"):
            box.add(tmp_path / name, arcname=name)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "fabfile.py").write_text("from nodriza.fabfile import ns  # noqa: F401\n")
    (tmp_path / "inventories").mkdir()
    inventory = tmp_path / "inventories" / "silent.yml"
    inventory.write_text(INVENTORY)
    Vagrant(tmp_path, inventory, tmp_path / ".vagrant").box_add(BOX, tmp_path / "blank.box")
    return inventory


def test_machine_that_never_speaks__is_reported_and_goes_with_the_lab(path: Path) -> None:
    cluster, began = load_cluster(path), time.monotonic()
    try:
        with pytest.raises(
            LabError, match="server-1: started, and has not sent one packet"
        ) as error:
            virtual.up(cluster, print)
        assert time.monotonic() - began < 120
        assert error.value.kept == "machines that are there stay as they are"
        assert "fab lab.down" in error.value.do
    finally:
        network.leave("nodriza-silent")
        virtual.down(cluster, print)
        network.leave("nodriza-silent")
    assert virtual.Lab(cluster).vagrant.ids() == {}
