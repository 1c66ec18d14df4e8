"""Which virtual machines get the processor, on computers whose KVM works, half works, or not."""

from __future__ import annotations

import json

import pytest

from nodriza.errors import LabError
from nodriza.inventory import load_cluster
from nodriza.lab import silence
from nodriza.lab.virtual import kvm
from nodriza.lab.virtual import lab as virtual
from tests.unit.conftest import ROOT

SPEAKS = "echo 'Linux version 6.1.0'"
IS_SILENT = "exec sleep 60"
# A QEMU of the test's: what it does when it only starts, and with a kernel by each accelerator.
QEMU = """\
#!/bin/sh
echo "$@" >>{log}
case "$*" in
*--version*) echo "QEMU emulator version {version}" ;;
*-monitor*) {start} ;;
*"-accel kvm"*) {with_kvm} ;;
*"-accel tcg"*) {emulated} ;;
esac
"""


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer with a /dev/kvm, a kernel to try, and a QEMU that does what is asked for."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.delenv(kvm.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(kvm, "BOOT_SECONDS", 1)
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(kvm.image, "CACHE", tmp_path / "images")
    kernel = tmp_path / "images/bookworm-0815/boot/vmlinuz-6.1.0"
    kernel.parent.mkdir(parents=True)
    kernel.write_text("")
    (tmp_path / "kvm").write_text("")
    (tmp_path / "bin").mkdir()
    log = tmp_path / "log"

    def make(start="exit 0", with_kvm=SPEAKS, emulated=SPEAKS, version="7.2"):
        program = tmp_path / "bin" / kvm.QEMU
        words = {"start": start, "with_kvm": with_kvm, "emulated": emulated, "version": version}
        program.write_text(QEMU.format(log=log, **words))
        program.chmod(0o755)
        log.write_text("")
        return lambda: [line for line in log.read_text().splitlines() if "-kernel" in line]

    return make


@pytest.fixture
def cluster():
    return load_cluster(ROOT / "inventories" / "vagrant.yml")


def test_kvm__that_boots_a_kernel_is_used(computer, cluster):
    computer()
    assert kvm.acceleration(cluster) == "kvm"
    assert virtual.machines(cluster)["libvirt"]["driver"] == "kvm"


def test_kvm__that_starts_and_does_not_boot_is_not_used(computer, cluster):
    computer(with_kvm=IS_SILENT)
    assert kvm.acceleration(cluster) == "emulated"
    machines = virtual.machines(cluster)
    assert machines["libvirt"]["driver"] == "qemu"
    assert machines["boot_seconds"] == virtual.BOOT_SECONDS["emulated"]


def test_kvm__on_which_qemu_does_not_start_is_not_used_and_no_kernel_is_tried(computer, cluster):
    tried = computer(start="exit 134")
    assert kvm.acceleration(cluster) == "emulated"
    assert tried() == []


def test_kernel_that_never_speaks__is_no_evidence_against_kvm(computer, cluster):
    computer(with_kvm=IS_SILENT, emulated=IS_SILENT)
    assert kvm.acceleration(cluster) == "kvm"


def test_answer__is_remembered_until_the_qemu_is_another(computer, cluster):
    tried = computer(with_kvm=IS_SILENT)
    assert [kvm.acceleration(cluster) for _ in range(2)] == ["emulated"] * 2
    assert len(tried()) == 2  # with KVM and without, once each
    computer(version="10.0")
    assert kvm.acceleration(cluster) == "kvm"


@pytest.mark.parametrize("left", ["", "{", "[]", '{"about": 1}'])
def test_notes_cut_short__are_made_anew(computer, cluster, left, tmp_path):
    computer()
    notes = tmp_path / "state" / "kvm.json"
    notes.parent.mkdir()
    notes.write_text(left)
    assert kvm.acceleration(cluster) == "kvm"
    assert json.loads(notes.read_text())["boots"] is True


def test_person__has_the_last_word_the_variable_before_the_inventory(
    computer, cluster, monkeypatch
):
    tried = computer(with_kvm=IS_SILENT)
    lab = cluster.lab.model_copy(update={"acceleration": "kvm"})
    chosen = cluster.model_copy(update={"lab": lab})
    assert kvm.acceleration(chosen) == "kvm"
    monkeypatch.setenv(kvm.VARIABLE, "emulated")
    assert kvm.acceleration(chosen) == "emulated"
    assert tried() == []


def test_variable__that_means_nothing_is_refused(computer, cluster, monkeypatch):
    monkeypatch.setenv(kvm.VARIABLE, "yes")
    with pytest.raises(LabError, match="yes: there is no such acceleration") as error:
        kvm.acceleration(cluster)
    assert error.value.do.startswith("NODRIZA_ACCELERATION=kvm or")


def stats(**sent: int) -> str:
    """As virsh domstats --interface prints them."""
    return "".join(
        f"Domain: 'nodriza-a-{name}'\n  net.count=2\n  net.0.rx.pkts=9\n"
        f"  net.0.tx.pkts={number}\n  net.1.tx.pkts=0\n\n"
        for name, number in sent.items()
    )


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_machine__that_sends_nothing_for_too_long_is_silent():
    clock = Clock()
    watch = silence.Watch("nodriza-a-", 90, clock)
    assert watch.look(stats(one=0, two=0)) == []
    clock.now += 60
    assert watch.look(stats(one=0, two=3)) == []
    clock.now += 30
    assert watch.look(stats(one=0, two=3)) == ["one"]


def test_machine__that_was_started_later_has_its_own_time():
    clock = Clock()
    watch = silence.Watch("nodriza-a-", 90, clock)
    watch.look(stats(one=4))
    clock.now += 89
    watch.look(stats(one=4, two=0))
    clock.now += 89
    assert watch.look(stats(one=4, two=0)) == []


def test_machines_of_somebody_else__are_not_looked_at():
    clock = Clock()
    watch = silence.Watch("nodriza-b-", 90, clock)
    watch.look(stats(one=0))
    clock.now += 1000
    assert watch.look(stats(one=0)) == []


def test_silent_machine__stops_vagrant_and_the_other_way_is_named(tmp_path, monkeypatch):
    virsh = tmp_path / "virsh"
    virsh.write_text(f"#!/bin/sh\nprintf '%s' \"{stats(one=0)}\"\n")
    virsh.chmod(0o755)
    monkeypatch.setattr(silence.programs, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(silence, "EVERY", 0.05)
    monkeypatch.setitem(silence.SECONDS, "kvm", 0)
    program = tmp_path / "vagrant"
    program.write_text(
        "#!/bin/sh\ntrap 'echo stopped >&2; exit 1' INT\nwhile :; do sleep 0.1; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    vagrant = virtual.Vagrant(tmp_path, tmp_path / "a.yml", tmp_path / "data")
    with (
        pytest.raises(LabError, match=r"one: started, and has not sent one packet") as error,
        silence.refused("nodriza-a-", "kvm", vagrant.stop),
    ):
        vagrant.up("libvirt", print)
    assert "NODRIZA_ACCELERATION=emulated fab lab.up" in error.value.do


def test_other_failure_of_vagrant__keeps_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr(silence.programs, "PATH", str(tmp_path))
    with (
        pytest.raises(LabError, match="something else"),
        silence.refused("nodriza-a-", "kvm", lambda: None),
    ):
        raise LabError("something else")
