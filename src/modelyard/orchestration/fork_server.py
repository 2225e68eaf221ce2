"""A process that has imported the heavy libraries once and forks a child for each script it is asked to run.

`warm.py serve SOCKET MODULE...` serves, and `warm.py ask SCRIPT ARGUMENT...` asks the server whose socket
MODELYARD_WARM names. The script gets the asker's folder, environment, cores, files and signals, and the asker its exit
code.
Forking is sound as long as the imports compute nothing and start no Python thread; TensorFlow's and MLflow's do not.
"""

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

VARIABLE = "MODELYARD_WARM"
LENGTH = 8  # bytes that announce the size of a request


@contextmanager
def served(modules: Sequence[str]) -> Iterator[None]:
    """Have a server for as long as the block runs; who starts processes in it lends them its address."""
    import shutil
    import subprocess  # the asker, which starts in milliseconds, needs none of these
    import tempfile

    folder = tempfile.mkdtemp(prefix="warm")  # readable for this user alone
    path = os.path.join(folder, "socket")  # noqa: PTH118
    command = [sys.executable, "-P", __file__, "serve", path, *modules]  # -P: our `statistics` is not the library
    server = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.environ[VARIABLE] = path
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def serve(path: str, modules: list[str]) -> None:
    """Listen at once, so that no one asks in vain; import the modules; then answer until the starter is gone."""
    import importlib

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scripts
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no one waits for the guards
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    for module in modules:
        importlib.import_module(module)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:  # its end tells that our starter is gone
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _guard(connection)
        connection.close()


def ask(script: str, arguments: list[str]) -> int:
    """Have the server run a script, or run it here where none answers; returns the script's exit code."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ[VARIABLE])
    except OSError:
        os.execv(sys.executable, [sys.executable, script, *arguments])  # noqa: S606
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, frame: connection.sendall(bytes([number])))
    folder = os.getcwd()  # noqa: PTH109 (the asker does without pathlib, to start in milliseconds)
    cores = list(os.sched_getaffinity(0))
    request = {"argv": [script, *arguments], "folder": folder, "environment": dict(os.environ), "cores": cores}
    content = json.dumps(request).encode()
    socket.send_fds(connection, [len(content).to_bytes(LENGTH, "big")], [0, 1, 2])
    connection.sendall(content)
    answer = connection.recv(1)
    return answer[0] if answer else 1


def _guard(connection: socket.socket) -> None:
    """Fork the script's process; pass it the asker's signals, kill it when the asker is gone, tell how it ended."""
    size, files, _, _ = socket.recv_fds(connection, LENGTH, 3)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.read(int.from_bytes(size, "big")))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        return _run(request, files)
    ended = os.pidfd_open(child)
    while ended not in select.select([connection, ended], [], [])[0]:
        sign = connection.recv(1)
        os.kill(child, sign[0] if sign else signal.SIGKILL)
        if not sign:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):  # the asker is gone
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _run(request: dict, files: list[int]) -> None:
    """Become the script; its end is the end of this process."""
    import runpy

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.sched_setaffinity(0, request["cores"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    verb, first, *rest = sys.argv[1:]
    sys.exit({"serve": serve, "ask": ask}[verb](first, rest))
