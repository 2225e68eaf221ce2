"""Texts that look like a key or password, in what is about to be stored or published.

A few patterns of keys with a form of their own, and of values that are named as secret. They find what was forgotten,
not what was hidden; docs/tracking.md lists them.
"""

import re

_SIGN, _END = r"[\"']?\s*[:=]\s*", r"(?:[\s\"';]|$)"
_PHRASE = r"passw(?:or)?d|passphrase|(?<![a-z])pwd(?!=?[\"']?[/~])"  # PWD is a folder in the shell
_BARE = r"[^\s\"'{}$<>()\[\],.;]"  # of a value without quotes: no code, no reference
PATTERNS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "an access key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})",
    "a token of GitLab": r"\bglpat-[0-9A-Za-z_-]{20}",
    "a token of Slack": r"\bxox[abeprs]-[0-9A-Za-z-]{10,}",
    "a token of npm": r"\bnpm_[0-9A-Za-z]{36}\b",
    "a token of PyPI": r"\bpypi-AgE[0-9A-Za-z_-]{30,}",
    "a token of Databricks": r"\bdapi[0-9a-f]{32}\b",
    "a token of Hugging Face": r"\bhf_[0-9A-Za-z]{34}\b",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a key of Stripe": r"\b[rs]k_live_[0-9A-Za-z]{16,}",
    "a key of OpenAI or Anthropic": r"\bsk-[0-9A-Za-z_-]{20,}",
    "a JSON Web Token": r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}",
    "a bearer token": r"(?i)\bbearer\s+(?!eyJ)(?=\S*[0-9])[0-9A-Za-z._~+/-]{16,}",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s:/@\"'<>{}$*]+:[^\s:/@\"'<>{}$*]{3,}@",
    "a secret by its name": rf"(?i)(?:(?:api|access|account|secret)[_-]?key|secret|token|{_PHRASE}){_SIGN}"
    rf"(?:[\"'][^\s\"'{{}}$<>]{{12,}}[\"']|(?=\S*[0-9]){_BARE}{{12,}}{_END})"
    rf"|(?:{_PHRASE}){_SIGN}[\"']?(?=\S*[0-9]){_BARE}{{8,}}{_END}",
}
_COMPILED = {what: re.compile(pattern) for what, pattern in PATTERNS.items()}


def find_keys(text: str) -> list[str]:
    """Return the line and the kind of each text that looks like a key, never the text itself."""
    return [
        f"line {number}: {what}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in _COMPILED.items()
        if pattern.search(line)
    ]


def warn_of_keys(text: str, name: str, where: str) -> str:
    """Return a warning about a file that is stored or published, "" if nothing in it looks like a key."""
    found = find_keys(text)
    if not found:
        return ""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"warning: {name}, {where}, has what looks like a key ({'; '.join(found[:3])}{more}). If it is one, replace it "
        "where it was issued, and remove it from the files."
    )
