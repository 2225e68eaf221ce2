"""The figures as Markdown for people and as one CSV for programs."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from benchmarks.overhead import overhead, seconds_by_kind
from modelyard.core.files import write_text
from modelyard.core.markdown import markdown_table

Found = Mapping[str, Any]  # what a part found, by key
RESOURCES = {"wall_seconds": "wall time, s", "cpu_seconds": "CPU time, s", "peak_megabytes": "peak memory, MiB"}
REBUILDS = {"rebuild": "float32", "rebuild_bfloat16": "bfloat16"}


def write(parts: Mapping[str, Found], folder: Path) -> None:
    """Write README.md and results.csv beside the parts' files."""
    write_text(folder / "README.md", "\n\n".join(_page(parts)) + "\n")
    write_text(folder / "results.csv", _csv(parts))


def total(notebooks: Found, key: str) -> float:
    """What all notebooks took; memory is the largest one's, for they ran one after the other."""
    values = [notebook[key] for notebook in notebooks.values()]
    return max(values) if key == "peak_megabytes" else sum(values)


def comparable(parts: Mapping[str, Found]) -> dict[str, Found]:
    """The rebuilds that were measured on as much as the notebooks were, by precision."""
    notebooks = parts.get("notebooks", {})
    same = ("notebooks", "epochs_share", "rows")
    return {
        precision: parts[name]["found"]["all"]
        for name, precision in REBUILDS.items()
        if name in parts and parts[name]["complete"] and notebooks.get("complete")
        and all(parts[name]["size"][key] == notebooks["size"][key] for key in same)
    }  # fmt: skip


def _page(parts: Mapping[str, Found]) -> Iterator[str]:
    yield "# Results"
    yield "Made by `make bench`; [../README.md](../README.md) says what is measured and how."
    yield _table(["part", "commit", "ended", "matrix product before and after, GFLOP/s"], map(_origin, parts.items()))
    yield from (_surroundings(content) for content in list(parts.values())[:1])
    if comparable(parts):
        yield from _against_notebooks(parts)
        yield from _overheads(parts)
    for name, section in SECTIONS.items():
        if name in parts and parts[name]["found"]:
            yield from section(parts[name]["found"])
    yield "![Overview](overview.png)"


def _origin(part: tuple[str, Found]) -> Sequence[str]:
    name, content = part
    return name, content["commit"], content.get("ended", "not complete"), ", ".join(map(str, content["speed"]))


def _surroundings(content: Found) -> str:
    machine = content["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['abilities'])}), "
        f"{machine['memory_gib']} GiB, {machine['system']}; {versions}. "
        f"Share of the epochs of notebooks and rebuilds: {content['size']['epochs_share']:g}."
    )


def _against_notebooks(parts: Mapping[str, Found]) -> Iterator[str]:
    notebooks, rebuilds = parts["notebooks"]["found"], comparable(parts)
    yield "## The rebuild against the notebooks"
    yield _table(
        ["", "notebooks", *(head for name in rebuilds for head in (f"rebuild, {name}", "ratio"))],
        (_resource(key, told, notebooks, rebuilds) for key, told in RESOURCES.items()),
    )
    yield "A figure of the notebook is *inside* where it lies in the 95 % interval of the rebuild's own."
    yield _table(
        ["experiment", "notebook", "its fit, s", *(h for name in rebuilds for h in (f"rebuild, {name}", "its fit, s"))],
        _experiments(notebooks, rebuilds),
    )


def _resource(key: str, told: str, notebooks: Found, rebuilds: Mapping[str, Found]) -> Sequence[str]:
    theirs = total(notebooks, key)
    ours = (cell for rebuild in rebuilds.values() for cell in (f"{rebuild[key]:.0f}", f"{rebuild[key] / theirs:.2f}"))
    return told, f"{theirs:.0f}", *ours


def _experiments(notebooks: Found, rebuilds: Mapping[str, Found]) -> Iterator[Sequence[str]]:
    for notebook in notebooks.values():
        for name, theirs in notebook["experiments"].items():
            cells = [f"`{name}`", f"{theirs['metric']} {theirs['value']:.4f}", _fit(theirs)]
            for rebuild in rebuilds.values():
                ours = rebuild["experiments"][name]
                cells += [_inside(ours, theirs["metric"], theirs["value"]), _fit(ours)]
            yield cells


def _fit(experiment: Found) -> str:
    return f"{experiment['fit_seconds']:.1f} ({experiment['epochs']} epochs)"


def _inside(ours: Found, metric: str, theirs: float) -> str:
    low, high = ours["intervals"][metric]
    where = "inside" if low <= theirs <= high else "outside"
    return f"{ours['metrics'][metric]:.4f} ({low:.4f} to {high:.4f}), {where}"


def _overheads(parts: Mapping[str, Found]) -> Iterator[str]:
    yield "## What the rebuild takes beyond its fits"
    rebuilds, cores = comparable(parts), parts["notebooks"]["machine"]["cores"]
    found = {name: overhead(rebuild, cores) for name, rebuild in rebuilds.items()}
    rows: dict[str, Callable[[Any], str]] = {
        "rebuild, wall s": lambda each: f"{each.wall_seconds:.0f}",
        "all fits together, s": lambda each: f"{each.fit_seconds:.0f}",
        f"divided by {cores} jobs, s": lambda each: f"{each.shared:.0f}",
        "overhead over that": lambda each: f"{each.over_shared:.0%}",
        "the least any order could take, s": lambda each: f"{each.floor:.0f}",
        "overhead over that least": lambda each: f"{each.over_floor:.0%}",
    }
    yield _table(["", *found], ((told, *map(tell, found.values())) for told, tell in rows.items()))
    kinds = {name: seconds_by_kind(rebuild) for name, rebuild in rebuilds.items()}
    yield "The seconds of all stages together:"
    told = dict.fromkeys(kind for each in kinds.values() for kind in each)
    yield _table(["", *kinds], ((kind, *(f"{each.get(kind, 0):.0f}" for each in kinds.values())) for kind in told))


def _nothing(found: Found) -> Iterator[str]:
    yield "## Finding nothing to do"
    yield _table(
        ["experiments", "stages", "`modelyard run`, s", "`dvc repro`, s", "ratio"],
        (_nothing_row(count, each) for count, each in found.items()),
    )


def _nothing_row(count: str, found: Found) -> Sequence[str]:
    ours, theirs = (found[f"{name}: wall_seconds"] for name in ("modelyard run", "dvc repro"))
    return count, str(found["stages"]), _spread(ours), _spread(theirs), f"{median(ours) / median(theirs):.2f}"


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def _jobs(found: Found) -> Iterator[str]:
    yield "## One stage at a time, and two"
    yield _table(
        ["", "`-j 1`, wall s", "`-j 2`, wall s", "ratio", "locked the same"],
        (_jobs_row(name, each) for name, each in found.items()),
    )


def _jobs_row(name: str, found: Found) -> Sequence[str]:
    one, two = (found[jobs]["wall_seconds"] for jobs in ("-j 1", "-j 2"))
    return name, f"{one:.1f}", f"{two:.1f}", f"{two / one:.2f}", "yes" if found["locks_are_equal"] else "NO"


def _growth(found: Found) -> Iterator[str]:
    yield "## Growth with rows"
    yield _table(
        ["network and rows", "run, wall s", "fit, s", "peak memory, MiB"],
        (
            (name, f"{each['wall_seconds']:.1f}", f"{each['fit_seconds']:.1f}", f"{each['peak_megabytes']:.0f}")
            for name, each in found.items()
        ),
    )


def _precision(found: Found) -> Iterator[str]:
    yield "## Accuracy in bfloat16, over seeds"
    if len(found) < 2:
        yield "Not complete."
        return
    full, half = found.values()
    yield _table(
        ["network and seed", "float32", "bfloat16", "difference", "fit in float32, s", "fit in bfloat16, s"],
        (_precision_row(name, full[name], half[name]) for name in full),
    )
    for network in dict.fromkeys(name.rpartition("_")[0] for name in full):
        names = [name for name in full if name.rpartition("_")[0] == network]
        differences = [half[name]["accuracy"] - full[name]["accuracy"] for name in names]
        spread = stdev(differences) if len(names) > 1 else float("nan")
        yield f"`{network}`: mean difference {mean(differences):+.4f}, standard deviation {spread:.4f}."


def _precision_row(name: str, full: Found, half: Found) -> Sequence[str]:
    accuracies = (
        f"{each['accuracy']:.4f} ({' to '.join(f'{end:.4f}' for end in each['interval'])})" for each in (full, half)
    )
    seconds = (f"{each['fit_seconds']:.1f}" for each in (full, half))
    return f"`{name}`", *accuracies, f"{half['accuracy'] - full['accuracy']:+.4f}", *seconds


def _steps(found: Found) -> Iterator[str]:
    yield "## A training step of fashion_cnn, on one core"
    lines = found["step"]
    yield _table(
        ["", "precision", "ms", "GFLOP/s"],
        (
            (
                f"{line['what']} {line['name']}",
                line["precision"],
                f"{1000 * line['seconds']:.2f}",
                f"{line['gflops']:.0f}",
            )
            for line in lines
            if "gflops" in line
        ),
    )
    yield _table(
        ["a whole step with", "ms"],
        ((line["name"], f"{1000 * line['seconds']:.2f}") for line in lines if line["what"] == "step"),
    )


SECTIONS = {"nothing": _nothing, "jobs": _jobs, "growth": _growth, "precision": _precision, "steps": _steps}


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return markdown_table(header, lines)


def _csv(parts: Mapping[str, Found]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "what", "value"])
    for name, content in parts.items():
        writer.writerows((name, what, value) for what, value in _leaves(content["found"]))
    return text.getvalue()


def _leaves(content: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested ones, under the keys that lead to it."""
    if isinstance(content, dict | list):
        inside = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in inside:
            yield from _leaves(value, f"{before}/{key}" if before else str(key))
    else:
        yield before, content
