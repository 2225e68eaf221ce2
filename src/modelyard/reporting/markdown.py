"""The report's short twin in Markdown, for pull requests: the result table, and what changed."""

from collections.abc import Iterator

from modelyard.core.markdown import markdown_table
from modelyard.experiments.compare import MISSING, overview
from modelyard.reporting.changes import Changes, Difference, Shift
from modelyard.reporting.claims import Claim
from modelyard.reporting.contents import Contents

LONGEST = 60  # letters of a value
CLAIM_COLUMNS = ("claim", "verdict", "metric", "difference (95 % interval)")
CLAIMS_ARE = "A verdict is about the comparison in `reports/claims.md`, most on part of the rows and for a few epochs."


def twin(contents: Contents) -> str:
    """The report in Markdown."""
    table = overview(contents.compared)
    built = table[~table.remarks.str.contains(MISSING, regex=False)]
    parts = ["# Report", _made(contents), *_changes(contents), "## Results"]
    parts.append(markdown_table(list(built.columns), built.itertuples(index=False)))
    if contents.claims:
        parts += ["## Claims", CLAIMS_ARE, markdown_table(CLAIM_COLUMNS, map(_claim, contents.claims))]
    if len(built) < len(table):
        names = ", ".join(f"`{name}`" for name in table.experiment[~table.index.isin(built.index)])
        parts.append(f"Not built yet: {names}.")
    return "\n\n".join(parts) + "\n"


def _claim(claim: Claim) -> tuple[str, ...]:
    verdict = ", ".join(filter(None, [f"**{claim.verdict}**", claim.remark]))
    return claim.asked.says, verdict, claim.asked.metric, claim.effect


def _made(contents: Contents) -> str:
    made = f"Made {contents.made:%Y-%m-%d %H:%M} UTC"
    if contents.commit is None:
        return f"{made}, outside git."
    commit = contents.commit
    state = f", with {len(commit.changed)} files that differ from it" if commit.changed else ""
    return f"{made} from commit `{commit.id[:10]}` ({_plain(commit.subject)}){state}."


def _changes(contents: Contents) -> Iterator[str]:
    if contents.against is None or contents.changes is None:
        return
    against, changes = contents.against, contents.changes
    yield f"## Changed since `{against.id[:10]}` ({_plain(against.subject)})"
    yield from told(changes) if changes else ["Nothing: neither settings, data, figures nor verdicts."]


def told(changes: Changes) -> Iterator[str]:
    """What changed, part by part."""
    for names, word in ((changes.added, "New"), (changes.removed, "Removed")):
        if names:
            yield f"{word} experiments: {', '.join(f'`{name}`' for name in names)}."
    shifts = [_shift(shift) for shift in changes.figures if shift.is_first]
    if shifts:
        yield markdown_table(["experiment", "figure", "before", "now", ""], shifts)
    for title, differences in (("setting", changes.params), ("data", changes.data), ("verdict", changes.verdicts)):
        if differences:
            yield markdown_table([title, "before", "now"], map(_difference, differences))


def _shift(shift: Shift) -> tuple[str, ...]:
    told = "better" if shift.better else "worse"
    beyond = ", beyond the earlier interval" if shift.beyond else ""
    return f"`{shift.experiment}`", shift.metric, f"{shift.before:.4g}", f"{shift.now:.4g}", told + beyond


def _difference(difference: Difference) -> tuple[str, ...]:
    before, now = ("nothing" if each is None else _plain(str(each)) for each in (difference.before, difference.now))
    return f"`{difference.name}`", before, now


def _plain(text: str) -> str:
    """A text that breaks no table and starts no markup."""
    text = " ".join(text.split())
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "".join(f"\\{letter}" if letter in "|`*_<>[]\\" else letter for letter in cut)
