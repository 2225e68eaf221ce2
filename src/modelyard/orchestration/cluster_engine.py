"""Runs tasks on a Dask cluster, each in a checkout of the project on some machine.

What the cluster has taken lives with its scheduler: each task is published there under its key, so that it goes on when
this process is gone, and the next one that submits it gets its result.
"""

import ipaddress
import logging
import pickle
import queue
import signal
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelyard.core.errors import ModelyardError, first_line
from modelyard.orchestration import shared_data
from modelyard.orchestration.checkout import SHOWN, Checkout, describe_coordinator, other_versions
from modelyard.orchestration.cluster_worker import TOPIC, Done, Order, describe_worker, run
from modelyard.orchestration.engine import Command, Ended, EngineOptions, Message, Task, TaskEvent
from modelyard.orchestration.local_engine import LocalEngine

CONNECT_SECONDS = 10
WORKER_SECONDS = 60  # that a scheduler without workers is waited for
THREADS_SECONDS = 5.0  # between looks for how many threads the workers have
RETRIES = 2  # of a task whose process was killed, or whose data could not be moved
CLOCK_SECONDS = 60.0  # by which the clock of a worker may differ
AGAIN = "+"  # ends the key of a task that was handed out again, because a worker did not fit
MANY = 10_000  # tasks: the cluster keeps those that must wait
POLL_SECONDS = 0.05
LEAVING = (signal.SIGHUP, signal.SIGTERM)  # a laptop goes away, or the coordinator is moved: the cluster goes on
OF_DVC = "DVC_"  # variables that a command needs; all others, passwords among them, are those of the worker
ENCRYPTED = ("tls", "wss")
DASK = ("python", "dask", "distributed", "msgpack", "cloudpickle")  # what both sides of a connection need alike


class ClusterEngine:
    """Hands tasks to a Dask scheduler."""

    shares_files = False

    def __init__(
        self,
        root: Path,
        address: str,
        options: EngineOptions,
        local_jobs: int,
        warn: Callable[[str], None],
        variables: Mapping[str, str] | None = None,
        modules: tuple[str, ...] = (),
    ) -> None:
        """Connect, and compare the checkout of each worker with this one.

        Args:
            root: the project's folder, which is the current one.
            address: of the scheduler.
            options: how to use the cluster.
            local_jobs: how many of the tasks that stay on this machine run at once.
            warn: prints a line.
            variables: the environment of tasks, besides that of the workers.
            modules: what the fork server of each machine imports.

        Raises:
            ModelyardError: the scheduler cannot be used, this checkout has uncommitted changes, or no worker fits.
        """
        self._root, self._address, self._options, self._warn = root, address, options, warn
        self._variables, self._modules = dict(variables or {}), modules
        refuse_unencrypted(address, options.insecure)
        self._here = describe_coordinator(root)
        self._client = _connect(address)
        self._local, self.local_slots = LocalEngine(local_jobs), local_jobs
        self._happened: queue.SimpleQueue[TaskEvent | Any] = queue.SimpleQueue()
        self._tasks: dict[str, Task] = {}  # by the key that Dask has for them
        self._futures: dict[str, Any] = {}
        self._sent: dict[str, str] = {}  # the hash of each path that was sent to the remote
        self._stamps: dict[str, shared_data.Stamps] = {}  # of each when it was sent
        self._fitting: set[str] = set()
        self._refused: dict[str, str] = {}
        self.shares_folder = True
        self._leaves = False
        self._failure: ModelyardError | None = None
        try:
            with suppress(TimeoutError):
                self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
            self._examine(self._client.run(describe_worker, on_error="return"))
        except BaseException:
            self._client.close()
            raise
        self.capacity = options.jobs or MANY
        self._published = {str(key) for key in self._client.list_datasets()}  # by earlier processes, and others
        self._threads, self._threads_until = 0, 0.0
        self._count_threads()
        self._client.subscribe_topic(TOPIC, self._note)
        self._handlers = {number: signal.getsignal(number) for number in LEAVING}
        for number, handler in self._handlers.items():
            if handler is not signal.SIG_IGN:  # ignored under nohup
                signal.signal(number, self._leave)

    @property
    def slots(self) -> int:
        """How many tasks run at once."""
        return self._options.jobs or max(1, self._threads)

    def submit(self, task: Task) -> None:
        """Hand a task out, or come back to the one with its key that the cluster has already.

        Raises:
            ModelyardError: the scheduler is gone.
        """
        if task.stays:
            self._local.submit(task)
            return
        try:
            if not self.shares_folder:
                self._send(task.needs)
        except (ModelyardError, OSError) as error:
            self._happened.put(Ended(task.key, error=f"what it needs cannot be sent: {error}"))
            return
        key = f"{task.key}@{self._here.commit[:SHOWN]}"
        while f"{key}{AGAIN}" in self._published:
            key += AGAIN
        self._submit(task, key)

    def watch(self, seconds: float) -> Sequence[TaskEvent]:
        """Return what has happened, as soon as there is anything, and nothing after some seconds.

        Raises:
            ModelyardError: the scheduler is gone, or no worker fits any more.
        """
        until = time.monotonic() + seconds
        while True:
            if self._failure:
                raise self._failure
            events = list(self._local.watch(0.0))
            try:
                self._count_threads()
                with suppress(queue.Empty):
                    events += self._handle(
                        self._happened.get(timeout=max(0.0, min(POLL_SECONDS, until - time.monotonic())))
                    )
                    while True:
                        events += self._handle(self._happened.get_nowait())
            except ModelyardError as failure:  # raised after what had happened before it
                self._failure = failure
            if events or time.monotonic() >= until:
                return events

    def taken(self) -> Collection[str]:
        """Return the keys of tasks that the cluster has from an earlier process with this commit."""
        ends = f"@{self._here.commit[:SHOWN]}"
        keys = {key.rstrip(AGAIN) for key in self._published}
        return sorted(key.removesuffix(ends) for key in keys if key.endswith(ends))

    def cancel(self) -> bool:
        """Stop all tasks; return False if those of the cluster go on: this process leaves it, or has lost it."""
        self._local.cancel()
        futures, self._futures = self._futures, {}
        self._tasks = {}
        if self._leaves or self._client.status != "running":
            return False
        if futures:
            with suppress(Exception):  # whatever Dask raises, this process ends, and so does its interest
                for key in futures:
                    self._client.unpublish_dataset(key)
                self._client.cancel(list(futures.values()))  # but not for another process that wants them
        return True

    def close(self) -> None:
        """Stop all tasks, and disconnect."""
        self.cancel()
        self._local.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._client.close()

    @property
    def _advice(self) -> str:
        return f"Start one in a checkout of this commit: .venv/bin/dask worker {self._address}"

    def _count_threads(self) -> None:
        """Look for how many threads the workers have, which come and go, and say so when the last one is lost."""
        if time.monotonic() < self._threads_until:
            return
        with self._connected() as client:
            workers = client.scheduler_info(n_workers=-1).get("workers")
        if workers is None:  # the client is about to give the scheduler up
            return
        threads = sum(int(each["nthreads"]) for address, each in workers.items() if address not in self._refused)
        if self._threads and not threads:
            self._warn(f"warning: the scheduler at {self._address} has lost its last worker. {self._advice}")
        self._threads, self._threads_until = threads, time.monotonic() + THREADS_SECONDS

    def _submit(self, task: Task, key: str) -> None:
        work = task.work
        if isinstance(work, Command):
            work = replace(
                work,
                folder=work.folder.relative_to(self._root),
                environment={name: value for name, value in work.environment.items() if name.startswith(OF_DVC)},
                log=work.log.relative_to(self._root),
            )
        hashes = {path: self._sent[path] for path in task.needs if path in self._sent}
        order = Order(
            replace(task, key=key, work=work),
            self._here,
            self._options.mixed,
            self._variables,
            self._modules,
            hashes,
        )
        # Others may come later, and refuse the task themselves if they do not fit.
        chosen = {"workers": sorted(self._fitting), "allow_other_workers": True} if self._refused else {}
        with self._connected() as client, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large graphs
            future = client.submit(run, order.to_bytes(), key=key, priority=task.priority, retries=RETRIES, **chosen)
            self._tasks[key], self._futures[key] = task, future
            client.publish_dataset(future, name=key, override=True)
        future.add_done_callback(self._happened.put)

    def _send(self, paths: Collection[str]) -> None:
        """Send what a task needs to the remote, once, and again after it has changed."""
        stamps = {path: shared_data.stamps(self._root, [path]) for path in paths}
        changed = [path for path in paths if path not in self._sent or self._stamps[path] != stamps[path]]
        self._sent |= shared_data.send(self._root, changed)
        self._stamps |= stamps

    def _note(self, event: tuple[float, Any]) -> None:
        """Keep a message of a task; called by a thread of Dask."""
        key, content = event[1]
        if key in self._tasks:
            self._happened.put(Message(key, pickle.loads(content)))  # noqa: S301 (all that Dask sends is pickled)

    def _handle(self, happened: Any) -> Sequence[TaskEvent]:
        """Return what a message, or a future that is done, means above."""
        if isinstance(happened, Ended):
            return [happened]
        key = happened.key
        task = self._tasks.get(key)
        if task is None:  # stopped, or a message after the end
            return []
        if isinstance(happened, Message):
            if not isinstance(task.work, Command):
                return [Message(task.key, happened.content)]
            with task.work.log.open("ab") as log:
                log.write(happened.content)
            return []
        if happened is not self._futures[key]:  # of a task with this key that was stopped before
            return []
        if happened.status in ("cancelled", "lost"):
            raise self._gone()
        del self._tasks[key], self._futures[key]
        done = self._done(task, happened)
        happened.release()  # a stage that begins again has the same key, and Dask must not answer with this end
        if done.refusal:
            with self._connected() as client:
                client.unpublish_dataset(key)
            self._refuse(done)
            self._submit(task, key + AGAIN)
            return []
        return [self._take_over(task, done, key)]

    def _done(self, task: Task, future: Any) -> Done:
        from distributed import KilledWorker

        with self._connected():
            if future.status != "error":
                done: Done = future.result()
                return done
            error = future.exception()
        if isinstance(error, KilledWorker):
            tries = error.allowed_failures + 1  # a setting of the scheduler
            reason = (
                "the workers that ran it were lost, one after the other; perhaps it needs more memory than they have"
            )
        else:
            tries, reason = RETRIES + 1, str(error) or type(error).__name__
        return Done(Ended(task.key, error=f"{reason} (tried {tries} times)"))

    def _take_over(self, task: Task, done: Done, key: str) -> Ended:
        """Bring what a task has made into this checkout, and return its end; until then the cluster keeps it."""
        sent: Mapping[str, str] = {}
        if isinstance(task.work, Command) and done.log is not None:
            task.work.log.write_bytes(done.log)
            sent = done.ended.made or {}
        try:
            shared_data.receive(self._root, sent)
        except (ModelyardError, OSError) as error:
            reason = f"what {done.place} has made cannot be received: {error}. It is kept there: run again"
            return Ended(task.key, error=reason)
        try:
            with self._connected() as client:
                client.unpublish_dataset(key)
        except ModelyardError as failure:  # raised after this end
            self._failure = failure
        return replace(done.ended, key=task.key)

    def _examine(self, found: Mapping[str, tuple[Checkout, float] | Exception]) -> None:
        """Find the workers whose results are those of this checkout.

        Raises:
            ModelyardError: there is none, or they cannot exchange data.
        """
        now = time.time()
        if not found:
            raise ModelyardError(
                f"the scheduler at {self._address} has had no worker for {WORKER_SECONDS} s. {self._advice}"
            )
        for address, described in found.items():
            if isinstance(described, Exception):
                self._refused[address] = f"worker {address} cannot describe its checkout: {first_line(described)}."
                continue
            checkout, clock = described
            if abs(clock - now) > CLOCK_SECONDS:
                self._warn(f"warning: the clock of {checkout.place} differs by {clock - now:+.0f} s; set it (NTP).")
            if refusal := self._here.refusal_of(checkout, self._options.mixed):
                self._refused[address] = f"worker {address} ({checkout.place}) {refusal}."
            else:
                self._fitting.add(address)
                self.shares_folder = self.shares_folder and checkout.is_shared_by(self._here)
        self._require_fitting(self._refused.values())
        if not self.shares_folder and not shared_data.has_remote(self._root):
            raise ModelyardError(
                "the workers have checkouts of their own, and the project has no DVC remote through which data reaches "
                "them: add one (dvc remote add -d NAME URL) and commit .dvc/config, or start the workers in this "
                "folder, on a disk that they share."
            )

    def _refuse(self, done: Done) -> None:
        """Give no more tasks to a worker that came later and does not fit.

        One that was refused before can have a task as well, which Dask moved to it because it was idle.
        """
        refusals = []
        with self._connected() as client:
            described = client.run(describe_worker, on_error="ignore")
        for address, (checkout, _) in described.items():
            if checkout.place == done.place and address not in self._refused:
                self._refused[address] = f"worker {address} ({done.place}) {done.refusal}."
                self._fitting.discard(address)
                refusals.append(self._refused[address])
            elif not self._here.refusal_of(checkout, self._options.mixed):
                self._fitting.add(address)
        self._require_fitting(refusals)

    def _require_fitting(self, refusals: Collection[str]) -> None:
        """Print why workers were refused.

        Raises:
            ModelyardError: none is left.
        """
        if not self._fitting:
            raise ModelyardError("\n".join(self._refused.values()))
        for refusal in refusals:
            self._warn(f"warning: {refusal} It gets no task.")

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Yield the client.

        Raises:
            ModelyardError: it cannot reach the scheduler, or could not in the block.
        """
        from distributed.client import ClosedClientError

        if self._client.status == "closed":
            raise self._gone()
        try:
            yield self._client
        except (OSError, RuntimeError, CancelledError, ClosedClientError):
            raise self._gone() from None

    def _gone(self) -> ModelyardError:
        """Return the error with which this process ends; the cluster goes on, also if it can be reached again."""
        self._leaves = True
        return ModelyardError(
            f"the scheduler at {self._address} is gone, or the connection to it. What has ended is kept: "
            "start it or connect again, and run again; it goes on with what the scheduler still has."
        )

    def _leave(self, *_: object) -> None:
        self._leaves = True
        raise KeyboardInterrupt


def refuse_unencrypted(address: str, insecure: bool) -> None:
    """Refuse the address of another machine that is not encrypted: whoever reads or writes on the way runs code.

    Raises:
        ModelyardError: it is unencrypted and not of this machine.
    """
    protocol, _, place = address.rpartition("://")
    protocol = protocol or "tcp"
    if protocol in ENCRYPTED or insecure or _is_loopback(place.rpartition(":")[0] or place):
        return
    raise ModelyardError(
        f"{address} is not encrypted, and Dask's messages are programs: whoever can write to the network could run "
        "code on all machines. Use tls:// (docs/scaling.md), an ssh tunnel to 127.0.0.1 or, in a network you trust, "
        "--insecure."
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ModelyardError(
            "--scheduler needs Dask, which is not installed: uv pip install 'modelyard[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is raised here in one line
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions, which are refused below
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="modelyard")
    except (OSError, ImportError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelyardError(
            f"no scheduler answers at {address} after {CONNECT_SECONDS} s ({reason}). Check that `dask scheduler` runs "
            "there, that the port is open, and that both sides use TLS or neither."
        ) from None
    found = client.get_versions()
    here, there = (found[side]["packages"] for side in ("client", "scheduler"))
    if versions := other_versions({name: here.get(name) for name in DASK}, there):
        client.close()
        raise ModelyardError(
            f"the scheduler at {address} has {versions}: start it from an environment with this project's lock file."
        )
    return client
