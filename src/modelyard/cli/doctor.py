"""`modelyard doctor`: the state of machine, packages, data and tracking, without importing any of the packages."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from modelyard import params
from modelyard.cli.clean import usage
from modelyard.cli.display import WHAT_TO_DO, missing_own_files
from modelyard.core import machine
from modelyard.core.addresses import masked
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import core_count, usable_cores
from modelyard.data.download import FileSet, HostReachability
from modelyard.orchestration.dvc_errors import check_syntax
from modelyard.params.project import Project
from modelyard.tracking import is_enabled, masked_tracking_uri, project_root

PACKAGES = ("modelyard", "tensorflow", "keras", "scikit-learn", "mlflow", "dvc", "optuna", "pandas", "numpy")
SUPPORTED = ("Linux", "x86_64")
FEATURES = {
    "avx2": "vector arithmetic",
    "avx512f": "wide vector arithmetic, used with ONEDNN_MAX_CPU_ISA=DEFAULT",
    "avx512_bf16": "fast bfloat16, used likewise",
    "amx_bf16": "bfloat16 matrix units, used likewise",
}
NO_AVX2 = "[red]no AVX2, on which NumPy stops: set OPENBLAS_CORETYPE=Sandybridge; metrics may change[/]"


def examine() -> None:
    """Print machine, packages, tracking store and data sets.

    Raises:
        ModelyardError: params.yaml, dvc.yaml or dvc.lock is wrong; of studies and of the latter two after all else was
            printed.
    """
    console = Console()
    project = params.load()
    of_studies = _problem(lambda: params.check_search_spaces(project, project.studies))
    of_pipeline = _problem(lambda: check_syntax(Path.cwd()))
    see_below = "[red]see the error below[/]"
    rows = {
        **_machine(),
        "GPU": _gpus(project.runtime.device),
        "packages": _packages(),
        "params.yaml": _contents(project),
        "studies": see_below if of_studies else f"valid: {len(project.studies)}",
        "pipeline": see_below if of_pipeline else "valid: dvc.yaml and dvc.lock",
    }
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/]", value)
    console.print(table, highlight=False)
    console.print(f"[bold]{'runs':{max(map(len, rows))}}[/]  {_runs()}", highlight=False, soft_wrap=True)  # an address
    _print_data_sets(console, project, Path.cwd())
    if problems := [problem for problem in (of_studies, of_pipeline) if problem]:
        raise ModelyardError("\n".join(problems))


def _problem(check: Callable[[], None]) -> str:
    """What a check finds wrong; "" if nothing."""
    try:
        check()
    except ModelyardError as error:
        return str(error)
    return ""


def _machine() -> dict[str, str]:
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    system = (platform.system(), platform.machine())
    support = "" if system == SUPPORTED else f" [yellow](not supported: tested on {' '.join(SUPPORTED)} only)[/]"
    return {
        "Python": f"{platform.python_version()} on {' '.join(system)}{support}",
        "processor": f"{_cores()}; {_cpu_features()}",
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        "disk": f"{disk.free / 2**30:.1f} GiB free here; in use: {usage(Path.cwd())}; `modelyard clean` removes what "
        "nothing refers to",
    }


def _cores() -> str:
    granted, visible = core_count(), len(usable_cores())
    return f"{granted} cores" if granted == visible else f"{granted} of {visible} cores, by the quota of a container"


def _gpus(device: str) -> str:
    """The GPUs that NVIDIA's driver names, and whether trainings use them."""
    names = machine.gpus()
    if not names:
        return "none" if device == "cpu" else "[red]none, but runtime.device is gpu[/]"
    return f"{escape(', '.join(names))}, {'used' if device == 'gpu' else 'not used: runtime.device is cpu'}"


def _cpu_features() -> str:
    shown = [f"{feature} ({FEATURES[feature]})" for feature in machine.cpu_features() if feature in FEATURES]
    return ", ".join(shown) or (NO_AVX2 if machine.CPUINFO.exists() else "features unknown on this system")


def _packages() -> str:
    missing = "[red]missing: run `make install`[/]"
    return ", ".join(f"{name} {machine.installed_version(name) or missing}" for name in PACKAGES)


def _contents(project: Project) -> str:
    sections = ("datasets", "inputs", "experiments", "transfers", "pretrained")
    return "valid: " + ", ".join(f"{len(getattr(project, section))} {section}" for section in sections)


def _runs() -> str:
    stored = escape(masked_tracking_uri()) if is_enabled() else "nowhere: MODELYARD_TRACKING is off"
    ids = project_root() / ".modelyard" / "runs"
    count = len(list(ids.iterdir())) if ids.is_dir() else 0
    return f"{stored} ({count} experiments have runs from here)"


def _print_data_sets(console: Console, project: Project, here: Path) -> None:
    """Print which data sets are here, and where those that are not would come from."""
    entries = {**project.datasets, **project.backbones}
    file_sets = {name: project.files_of(name, here) for name in entries}
    hosts = HostReachability(address for files in file_sets.values() for address in files.all_addresses())
    names = (Column(header, no_wrap=True) for header in ("data set", "available"))
    title = "Data sets and backbones"
    table = Table(*names, "description", title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    unreachable, own = 0, []
    origins: dict[str, list[str]] = {}
    for name, files in file_sets.items():
        raw = here / "data" / "raw" / name
        if all(files.is_present(each, raw) for each in files.sources):
            available = "[green]here[/]"
        elif missing := files.unreachable(raw, hosts):
            if remedy := missing_own_files(name, files, missing):
                own.append(remedy)
            else:
                unreachable += 1
            available = f"[yellow]{'missing' if remedy else 'unreachable'}[/]"
        else:
            available = "[cyan]reachable[/]"
            origins.setdefault(_origins(files, hosts), []).append(name)
        table.add_row(name, available, escape(entries[name].description))
    console.print(table, highlight=False)
    for origin, reachable in origins.items():  # not in the table, which would break long addresses
        console.print(f"Reachable: {', '.join(reachable)} from {escape(origin)}", highlight=False, soft_wrap=True)
    for remedy in own:
        console.print(f"{remedy}.", markup=False, highlight=False, soft_wrap=True)
    if unreachable:
        console.print(f"Unreachable: {unreachable}. {WHAT_TO_DO}", highlight=False, soft_wrap=True)


def _origins(files: FileSet, hosts: HostReachability) -> str:
    """The folders and addresses that the files would come from."""
    used = {next(filter(hosts.reachable, files.addresses(name)), "params.yaml") for name in files.sources}
    return ", ".join(sorted({masked(each.rpartition("/")[0] or each) for each in used}))
