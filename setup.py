"""Builds and installs Colmet; the C helpers are optional: where they do not compile, pip says so and goes on."""
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
HELPERS = ["lib_taskstats/build.py:ffi", "lib_files/build.py:ffi", "lib_perf_hw/build.py:ffi",
           "lib_account/build.py:ffi", "lib_rapl/build.py:ffi", "lib_ipmi/build.py:ffi"]

REQUIRED = [
    "pyzmq",
    "tables",
    "pyinotify",
    'pyasyncore; python_version >= "3.12"',     # pyinotify imports asyncore, gone from the standard library
    "requests",
    "cffi",
    "h5py",
    "zlib-ng; platform_machine == 'x86_64' or platform_machine == 'aarch64'",   # elsewhere zlib does, more slowly
    'numpy<2; python_version < "3.10"',         # the last tables for 3.9 is built against numpy 1
]
EXTRAS = {"view": ["tornado", "SQLAlchemy", "plotly", "rich"], "sensors": ["psutil"]}


def version():
    """The version that the package states, read without importing it."""
    text = (HERE / "colmet" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"', text, re.M).group(1)


def helpers():
    """Keywords that build the C helpers; none where cffi lacks, as without pip's own build environment."""
    try:
        import cffi     # noqa: F401  only to see whether it is there
    except ImportError:
        print("warning: no cffi here, so the C helpers of colmet-node are left out")
        return {}
    return {"cffi_modules": HELPERS}


setup(
    name="colmet",
    version=version(),
    description="Tells what each job of an HPC cluster really did: metrics of its processes on every node",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="Philippe Le Brouster, Olivier Richard, Salem Harrache and others, see AUTHORS",
    license="GPL-3.0-or-later",
    keywords="monitoring taskstats cgroup HPC OAR Slurm",
    platforms=["Linux"],
    classifiers=[
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: System :: Clustering",
        "Topic :: System :: Monitoring",
    ] + ["Programming Language :: Python :: 3.%d" % minor for minor in range(9, 14)],
    python_requires=">=3.9",
    packages=find_packages(include=["colmet", "colmet.*"]),
    package_data={"colmet.node": ["account.bpf.o", "walk.bpf.o", "processes.bpf.o", "emptied.bpf.o"]},
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    entry_points={"console_scripts": [
        "colmet-node=colmet.node.main:main",
        "colmet-collector=colmet.collector.main:main",
        "colmet=colmet.view.main:main",
    ]},
    **helpers()
)
