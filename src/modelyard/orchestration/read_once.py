"""Spares DVC reading the same file again for each stage while it looks for what has changed.

DVC parses params.yaml once for each stage that depends on it, and hashes each dependency once for each stage that
names it: with 400 stages, most of the time. This reaches into DVC's modules, which pyproject.toml therefore pins.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def read_once() -> Iterator[None]:
    """Within the block, parse each parameter file once and hash each dependency once; nothing may write meanwhile."""
    from dvc.dependency import param
    from dvc.output import Output

    parse, hash_meta = param.load_path, Output._get_hash_meta
    parsed: dict[str, Any] = {}
    hashed: dict[tuple[str, str, str], Any] = {}

    def parse_once(path: str, fs: Any, **options: Any) -> Any:
        if fs.protocol != "local" or options:
            return parse(path, fs, **options)
        if path not in parsed:
            parsed[path] = parse(path, fs)
        return parsed[path]

    def hash_once(output: Any) -> Any:
        if not output.IS_DEPENDENCY:  # of an output DVC also notes where its content is
            return hash_meta(output)
        key = (output.fs.protocol, output.fs_path, output.hash_name)
        if key not in hashed:
            hashed[key] = hash_meta(output)
        return hashed[key]

    with patch.object(param, "load_path", parse_once), patch.object(Output, "_get_hash_meta", hash_once):
        yield
