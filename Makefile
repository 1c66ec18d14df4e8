# Everything a fresh Debian machine needs is installed by these targets.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
FAB := .venv/bin/fab
# As pip does with what it installs: so the folders of compiled code belong to whose checkout it
# is, also where the commands are typed with sudo.
COMPILE := .venv/bin/python -m compileall -q nodriza fabfile roles
SYSTEM := /var/lib/nodriza/controller-packages
# python3-venv: the project itself; mmdebstrap … nftables: the lab; ffmpeg: the smoke test.
PACKAGES := python3-venv mmdebstrap systemd-container iproute2 nftables openssh-client ffmpeg \
    git util-linux debian-archive-keyring
# Vagrant's machines: with a /dev/kvm they have the processor, without it they are emulated.
VM_PACKAGES := vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 \
    qemu-utils dnsmasq-base grub-pc-bin e2fsprogs
VM := NODRIZA_BOX=nodriza/bookworm64
# A database without its service, for the tests of the database nouns, Redis for its role's, and
# what makes file systems; and the shells that complete.
TEST_PACKAGES := mariadb-server-core mariadb-client-core e2fsprogs zsh fish

.PHONY: demo demo-vm test test-long test-vm unit mutants chaos deploys bench docs dist lint format clean

demo: .venv/ready $(SYSTEM)
	$(SUDO) $(FAB) demo

# The same in virtual machines, from a box that is made here: minutes, and many where the
# processor has to be emulated.
demo-vm: .venv/ready $(SYSTEM) $(SYSTEM)-vm
	$(SUDO) $(FAB) vagrant lab.box
	$(SUDO) env $(VM) $(FAB) vagrant demo

test: .venv/ready $(SYSTEM) $(SYSTEM)-test lint docs
	$(SUDO) .venv/bin/pytest -m "not long and not vm"
	@echo "not run, but deselected above: the long lab tests (make test-long) and those on"
	@echo "virtual machines (make test-vm)"

# Clusters of their own for HTTPS, strangers, rotation, Debian 13, somebody else's project.
test-long: .venv/ready $(SYSTEM) $(SYSTEM)-test
	$(SUDO) .venv/bin/pytest -m long

# Real NFS between kernels of their own.
test-vm: .venv/ready $(SYSTEM) $(SYSTEM)-vm
	$(SUDO) .venv/bin/pytest -m vm

# Two hundred accidents, and after each the run that mends it.
chaos: .venv/ready $(SYSTEM)
	$(SUDO) NODRIZA_CHAOS=$(or $(ACCIDENTS),200) .venv/bin/pytest -q tests/lab/test_chaos.py

# A hundred deploys of every kind with visitors on the site, and two hundred that something ends.
deploys: .venv/ready $(SYSTEM)
	$(SUDO) NODRIZA_DEPLOYS=$(or $(DEPLOYS),100) NODRIZA_ACCIDENTS=$(or $(ACCIDENTS),200) \
	    .venv/bin/pytest -q tests/lab/test_deploys.py

unit: .venv/ready
	.venv/bin/pytest tests/unit tests/bench

# Each law of docs/design.rst broken in many ways, in copies: a test has to notice each.
# make mutants ONLY="3 fsync": a law's number, or a word of a fault's name.
mutants: .venv/ready
	.venv/bin/python -m tests.mutants $(ONLY)

# Beside Ansible, Mitogen and pyinfra, on machines of its own: docs/performance.rst.
# make bench CASES=noop,change HOSTS=4 RTT=0 TOOLS=floor,nodriza KEEP=1; make bench QUICK=1.
bench: .venv/ready bench/.venv/ready $(SYSTEM)
	$(COMPILE)
	$(SUDO) .venv/bin/python -m bench $(if $(CASES),--cases $(CASES)) $(if $(HOSTS),--hosts $(HOSTS)) \
	    $(if $(RTT),--rtt $(RTT)) $(if $(TOOLS),--tools $(TOOLS)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(QUICK),--quick) \
	    $(if $(KEEP),--keep) $(if $(OUTPUT),--output $(OUTPUT))

bench/.venv/ready: bench/requirements.txt .venv/ready
	python3 -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	touch $@

# The pages of docs/ as a site, with every command's help and every key; a warning is an error.
docs: .venv/ready
	@rm -rf build/docs
	@.venv/bin/python -m docs.site build/docs

# The wheel and the source distribution, each checked and installed into nothing as README.rst says.
dist: .venv/ready
	rm -rf dist
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[dist]'
	.venv/bin/python -m build --outdir dist . >/dev/null
	.venv/bin/twine check --strict dist/*
	.venv/bin/python -m tests.installed dist

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/ready
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean: .venv/ready
	$(SUDO) $(FAB) lab.down
	rm -rf .venv bench/.venv

.venv/ready: setup.py pyproject.toml
	@command -v python3 >/dev/null && python3 -c 'import ensurepip' 2>/dev/null \
	    || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy python3-venv; }
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[test]'
	$(COMPILE)
	touch $@

$(SYSTEM): Makefile
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(PACKAGES)
	$(SUDO) mkdir -p $(@D) && $(SUDO) touch $@

$(SYSTEM)-vm: Makefile
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(VM_PACKAGES)
	$(SUDO) mkdir -p $(@D) && $(SUDO) touch $@

# Redis comes with a service; on a computer that did not have it, it stays off.
$(SYSTEM)-test: Makefile
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(TEST_PACKAGES)
	dpkg-query -s redis-server >/dev/null 2>&1 || { \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 \
	        apt-get install -qy --no-install-recommends redis-server \
	    && $(SUDO) systemctl disable --quiet redis-server; }
	$(SUDO) mkdir -p $(@D) && $(SUDO) touch $@
