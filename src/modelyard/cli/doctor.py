"""`modelyard doctor`: the state of machine, packages, data and tracking, without importing any of the packages."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from modelyard import params
from modelyard.data.download import FileSet, HostReachability
from modelyard.params.project import Project
from modelyard.tracking import is_enabled, masked_tracking_uri, project_root

PACKAGES = ("modelyard", "tensorflow", "keras", "scikit-learn", "mlflow", "dvc", "optuna", "pandas", "numpy")
CPU_FEATURES = {
    "avx2": "vector arithmetic",
    "avx512f": "wide vector arithmetic",
    "avx512_bf16": "fast bfloat16",
    "amx_bf16": "bfloat16 matrix units",
}


def examine() -> None:
    """Print machine, packages, tracking store and data sets."""
    console = Console()
    project = params.load()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in {**_machine(), "packages": _packages(), "params.yaml": _contents(project), **_runs()}.items():
        table.add_row(f"[bold]{name}[/]", value)
    console.print(table, highlight=False)
    console.print(_data_sets(project, Path.cwd()), highlight=False)


def _machine() -> dict[str, str]:
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    return {
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "processor": f"{len(os.sched_getaffinity(0))} cores; {_cpu_features()}",
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        "disk": f"{disk.free / 2**30:.1f} GiB free here",
    }


def _cpu_features() -> str:
    try:
        flags = set(Path("/proc/cpuinfo").read_bytes().decode(errors="replace").split())
    except OSError:
        return "features unknown on this system"
    return ", ".join(f"{flag} ({meaning})" for flag, meaning in CPU_FEATURES.items() if flag in flags) or "no AVX2"


def _packages() -> str:
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "[red]missing: run `make install`[/]"


def _contents(project: Project) -> str:
    sections = ("datasets", "inputs", "experiments", "transfers", "pretrained")
    return "valid: " + ", ".join(f"{len(getattr(project, section))} {section}" for section in sections)


def _runs() -> dict[str, str]:
    stored = masked_tracking_uri() if is_enabled() else "nowhere: MODELYARD_TRACKING is off"
    ids = project_root() / ".modelyard" / "runs"
    count = len(list(ids.iterdir())) if ids.is_dir() else 0
    return {"runs": f"{stored} ({count} experiments have runs from here)"}


def _data_sets(project: Project, here: Path) -> Table:
    entries = {**project.datasets, **project.backbones}
    file_sets = {name: project.files_of(name, here) for name in entries}
    hosts = HostReachability(address for files in file_sets.values() for address in files.all_addresses())
    table = Table("data set", "available", "description", title="Data sets and backbones", title_justify="left")
    for name, files in file_sets.items():
        table.add_row(name, _availability(files, here / "data" / "raw" / name, hosts), entries[name].description)
    return table


def _availability(files: FileSet, raw: Path, hosts: HostReachability) -> str:
    """Whether the files are here, can be fetched and from where, or cannot be fetched."""
    if all(files.is_present(name, raw) for name in files.sources):
        return "[green]here[/]"
    if files.unreachable(raw, hosts):
        return "[yellow]unreachable[/]"
    used = {next(filter(hosts.reachable, files.addresses(name)), "params.yaml") for name in files.sources}
    return "[cyan]reachable[/]: " + ", ".join(sorted({address.rpartition("/")[0] or address for address in used}))
