"""A process that imports the heavy libraries once and forks a child for each script to run.

`fork_server.py serve SOCKET STARTER MODULE...` is the server of the process STARTER; `fork_server.py run SCRIPT
ARGUMENT...` is a client, of the server whose socket MODELYARD_FORK_SERVER names. The script gets the client's folder,
environment, standard streams and signals, and the cores that the client has at each moment; the client gets the
script's exit code.
Forking is safe as long as the imports compute nothing and start no Python thread; TensorFlow's and MLflow's do not.
It needs Linux; elsewhere each script imports these libraries itself.
Not multiprocessing's forkserver: it passes no signals on, and its client would import what takes longer than a script.
"""

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

VARIABLE = "MODELYARD_FORK_SERVER"
CLIENT = "MODELYARD_FORK_CLIENT"  # the variable with the path of this file, for pipeline/python
IS_SUPPORTED = hasattr(os, "pidfd_open") and hasattr(os, "sched_setaffinity")
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when the one that started it has ended
LENGTH = 8  # bytes that hold the size of a request
FOLLOW_SECONDS = 0.2  # after which a script has the cores that its client was given meanwhile


@contextmanager
def running_server(modules: Sequence[str]) -> Iterator[None]:
    """Keep a server that has imported these modules running during the block; processes started in it can use it.

    Without modules, or where the system cannot do it, there is none.
    """
    if not (modules and IS_SUPPORTED):
        yield
        return
    import shutil
    import subprocess  # the client, which starts in milliseconds, needs none of these
    import tempfile

    folder = tempfile.mkdtemp(prefix="fork_server")  # readable for this user alone
    path = os.path.join(folder, "socket")  # noqa: PTH118
    command = [sys.executable, "-P", __file__, "serve", path, str(os.getpid())]  # -P: imports nothing of this folder
    none = subprocess.DEVNULL
    server = subprocess.Popen(  # noqa: S603
        [*command, *modules], stdin=none, stdout=none, stderr=none, start_new_session=True
    )
    os.environ |= {VARIABLE: path, CLIENT: __file__}
    try:
        yield
    finally:
        del os.environ[VARIABLE], os.environ[CLIENT]
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def serve(path: str, starter: int, modules: Sequence[str]) -> NoReturn:
    """Listen at once, so that early clients can wait; import the modules; then serve until the starter ends.

    The imported objects are frozen: a child's garbage collections would copy every page of memory that holds one.
    """
    import gc
    import importlib

    _end_with(starter, os.path.dirname(path))  # noqa: PTH120
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scripts
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for the supervisors
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _supervise(connection)
        connection.close()


def _end_with(starter: int, folder: str) -> None:
    """End this process when the one that started it has ended, even by SIGKILL, also in the middle of an import."""
    import ctypes
    import shutil

    def end(*_: object) -> NoReturn:
        shutil.rmtree(folder, ignore_errors=True)  # the starter was killed, or it would do this itself
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != starter:
        end()


def run(script: str, arguments: list[str]) -> int:
    """Run a script in a child of the server, or in this process if no server answers; return its exit code."""
    folder = os.getcwd()  # noqa: PTH109 (the client does not import pathlib, to start in milliseconds)
    request = {"argv": [script, *arguments], "folder": folder, "environment": dict(os.environ), "client": os.getpid()}
    content = json.dumps(request).encode()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ[VARIABLE])
        socket.send_fds(connection, [len(content).to_bytes(LENGTH, "big")], [0, 1, 2])
        connection.sendall(content)
    except OSError:
        _become_own_process(script, arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: connection.sendall(bytes([received])))
    try:
        code = connection.recv(1)
    except ConnectionResetError:  # it ended and has not read the request: some library cannot be imported
        _become_own_process(script, arguments)
    return code[0] if code else 1


def _become_own_process(script: str, arguments: list[str]) -> NoReturn:
    """Run the script in this process."""
    os.execv(sys.executable, [sys.executable, script, *arguments])  # noqa: S606


def _supervise(connection: socket.socket) -> NoReturn:
    """Fork the script's process; pass on the client's signals and cores, kill it when the client ends."""
    import multiprocessing

    size, files, _, _ = socket.recv_fds(connection, LENGTH, 3)
    with connection.makefile("rb") as stream:
        request = json.loads(stream.read(int.from_bytes(size, "big")))
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    child = multiprocessing.get_context("fork").Process(target=_become_script, args=(connection, request, files))
    child.start()
    pid = child.pid or 0
    ended = os.pidfd_open(pid)
    sources: list[Any] = [connection, ended]
    while ended not in (readable := select.select(sources, [], [], FOLLOW_SECONDS)[0]):
        if not readable:
            _follow_cores(request["client"], pid)
            continue
        received = connection.recv(1)
        os.kill(pid, received[0] if received else signal.SIGKILL)
        if not received:
            break
    child.join()
    code = child.exitcode or 0
    with suppress(OSError):  # the client has ended
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _follow_cores(client: int, script: int) -> None:
    """Restrict all threads of the script to the cores that its client has now."""
    with suppress(OSError):  # one of them has ended
        cores = os.sched_getaffinity(client)
        for thread in map(int, os.listdir(f"/proc/{script}/task")):  # noqa: PTH208 (the server imports no pathlib)
            if os.sched_getaffinity(thread) != cores:
                os.sched_setaffinity(thread, cores)


def _become_script(connection: socket.socket, request: dict[str, Any], files: list[int]) -> None:
    """Run the script in this process.

    As a process of multiprocessing, it ends without freeing the imported objects one by one, which takes longer than
    many a script; what was registered to be done at the end is done here.
    """
    import atexit
    import runpy

    connection.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    _follow_cores(request["client"], os.getpid())
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()


if __name__ == "__main__":
    verb, first, *rest = sys.argv[1:]
    if verb == "serve":
        serve(first, int(rest[0]), rest[1:])
    sys.exit(run(first, rest))
