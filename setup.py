"""Packaging: the top-level folders become parts of the one package ``nodriza``.

In a checkout people see ``fabfile/``, ``roles/`` and ``templates/`` at the top,
where Fabric users look for them; installed, they are ``nodriza.fabfile``,
``nodriza.roles`` and ``nodriza.templates``, so nothing else lands in
site-packages. The inventory that explains every key goes along, for ``nodriza example``.
"""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="nodriza",
    version="0.1.0",
    description="Turns bare Debian hosts into a Django cluster and keeps it that way",
    long_description=Path(__file__).with_name("README.rst").read_text("utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    python_requires=">=3.10",
    package_dir={
        "nodriza.fabfile": "fabfile",
        "nodriza.inventories": "inventories",
        "nodriza.roles": "roles",
        "nodriza.templates": "templates",
    },
    packages=[
        *find_packages(include=["nodriza", "nodriza.*"]),
        "nodriza.fabfile",
        "nodriza.inventories",
        "nodriza.roles",
        "nodriza.templates",
    ],
    package_data={
        "nodriza.inventories": ["*.example.yml", "*.json"],
        "nodriza.repository": ["files/*"],
        "nodriza.templates": ["**/*"],
        "nodriza.watch": ["*.j2"],
    },
    entry_points={
        # Fabric brings a fab as well; this one is installed after it, as its dependent.
        "console_scripts": ["nodriza = nodriza.cli:main", "fab = nodriza.fab:main"]
    },
    install_requires=[
        "cryptography>=42",
        "dnspython>=2.4",
        "fabric>=3.2,<4",
        "httpx>=0.27,<1",
        "idna>=3.4",
        "invoke>=2.2,<4",
        "jinja2>=3.1,<4",
        "paramiko>=3.4",
        "pydantic>=2.8,<3",
        "typing_extensions>=4.6",
        "pyrage>=1.2,<2",
        "python-vagrant>=1.0,<2",
        "pyyaml>=6,<7",
        "rich>=13.7",
        "tomli>=2; python_version < '3.11'",
    ],
    extras_require={
        "dist": ["build>=1.2", "twine>=6"],
        "test": [
            "Django>=4.2",  # its migrations are judged
            "crossplane>=0.5",
            "docutils>=0.20",
            "furo>=2024.8.6",  # the look of the site; it brings its fonts and scripts along
            "hypothesis>=6.100",
            "jsonschema>=4.20",
            "mypy>=1.11",
            "pytest>=8.2",
            "ruff>=0.6",
            "sphinx>=8",
            "setuptools>=70.1",  # builds the wheel, for the test of what is in it
            "types-PyYAML",
            "types-docutils",
            "types-jsonschema",
            "types-paramiko",
            "uv==0.13.9",  # as on the hosts: templates/app/uv.txt.j2
        ],
    },
)
