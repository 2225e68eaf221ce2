"""The command from its first moment."""

import os
import subprocess
import sys
from pathlib import Path

# What the command imports first, and in the middle of which Ctrl-C comes.
INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"


def test_an_interrupt_before_the_command_is_there_ends_it_without_a_word(tmp_path: Path):
    (tmp_path / "typer.py").write_text(INTERRUPTED)
    around = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "modelyard"], env=around, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "modelyard", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("modelyard ")
