"""An HTTP server for one model: raw rows, images or texts in, class names and probabilities or values out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any, cast

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelyard.serving import questions
from modelyard.serving.batch import Unreadable, kind_of
from modelyard.serving.served_model import ServedModel

MOST_BYTES = 20_000_000  # of a request
BACKUPS = 1  # of the log: it takes at most twice its size
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class PredictionServer:
    """Answers requests by the served model, counts them, and logs them if there is a log."""

    def __init__(self, served: ServedModel, log: logging.Logger | None = None) -> None:
        self._served, self._log = served, log
        self._python = Lock()  # threads that compete for the interpreter take more than twice as long together
        self._pool = ThreadPoolExecutor()  # more threads than cores: some wait, as large images are decoded one by one
        self._registry = CollectorRegistry()
        self._requests = Counter("modelyard_requests", "Requests for predictions", ["status"], registry=self._registry)
        self._samples = Counter("modelyard_samples", "Predicted samples", registry=self._registry)
        self._seconds = Histogram("modelyard_seconds", "Time of a prediction", buckets=SECONDS, registry=self._registry)
        self._version = Gauge("modelyard_model", "The model that answers", ["version"], registry=self._registry)

    async def predict(self, request: Request) -> Response:
        """Predict the samples of a request."""
        began = perf_counter()
        try:
            body = await _body(request)
            answer = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._answer, body, request.headers.get("content-type", "")
            )
            response: Response = JSONResponse(answer)  # fails for what is no JSON, such as half of a character
        except Unreadable as error:
            response = _refusal(str(error), 422)
        except _TooLarge:
            response = _refusal(f"the body has more than {MOST_BYTES} bytes: send fewer samples at once", 413)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it; it counts as what nginx calls it
        except Exception:  # a person gets no traceback, the log of the server has it
            logging.getLogger("modelyard.serving").exception("a prediction failed")
            response = _refusal("the prediction failed; the log of the server says why", 500)
        self._requests.labels(response.status_code).inc()
        self._seconds.observe(perf_counter() - began)
        return response

    def _answer(self, body: bytes, content_type: str) -> dict[str, Any]:
        version, model = self._served.current
        # Decoders of images leave the interpreter to others, and a large image takes seconds.
        with nullcontext() if kind_of(model.description) == "image" else self._python:
            batch = questions.read(body, content_type, model.description)
        outputs = model.predict(batch.x)
        if not np.isfinite(outputs).all():
            sample = int(np.argmin(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)))
            raise Unreadable(f"sample {sample}: the model has no finite answer for it; its values are too large")
        with self._python:
            predictions = questions.answers(batch, outputs, model.description)
        self._samples.inc(len(batch))
        if self._log:
            given = questions.as_json(body, content_type, model.description)
            self._log.info("%s", json.dumps({"model": version, "input": given, "predictions": predictions}))
        return {"model": version, "predictions": predictions, "warnings": batch.warnings}

    async def describe(self, _: Request) -> Response:
        """Say what is served and what a request must have."""
        description = self._served.current.model.description
        return JSONResponse({
            "model": self._served.current.version,
            "task": description.task,
            "classes": description.classes,
            "request": f"POST /predict with {questions.request_text(description)}",
        })  # fmt: skip

    async def health(self, _: Request) -> Response:
        """Answer as long as the process does; the model was loaded before the port was opened, so it is ready too."""
        return JSONResponse({"status": "ok", "model": self._served.current.version})

    async def metrics(self, _: Request) -> Response:
        """The metrics, for Prometheus."""
        self._version.clear()
        self._version.labels(self._served.current.version).set(1)
        return Response(generate_latest(self._registry), media_type=PROMETHEUS)


class _TooLarge(Exception):
    """The body of a request is larger than MOST_BYTES."""


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise _TooLarge
    return b"".join(parts)


def _refusal(error: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    text = error.encode(errors="replace").decode()  # it may quote half a character
    return JSONResponse({"error": text}, status, headers)


def make_app(served: ServedModel, watch_seconds: float, log: logging.Logger | None = None) -> Starlette:
    """The application; every `watch_seconds` it looks for a newer version of its model."""

    @asynccontextmanager
    async def watching(_: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(served.watch(watch_seconds))
        yield
        watch.cancel()

    async def refuse(request: Request, error: Exception) -> Response:
        refused = cast("HTTPException", error)  # there is no such path or method
        answered = ", ".join(f"{'POST' if 'POST' in (route.methods or ()) else 'GET'} {route.path}" for route in routes)
        text = f"{request.method} {request.url.path} is not answered; these are: {answered}"
        return _refusal(text, refused.status_code, refused.headers)

    server = PredictionServer(served, log)
    routes = [
        Route("/", server.describe),
        Route("/predict", server.predict, methods=["POST"]),
        Route("/health", server.health),
        Route("/ready", server.health),
        Route("/metrics", server.metrics),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse}, lifespan=watching)


def open_log(file: Path, megabytes: float) -> logging.Logger:
    """A log of inputs and answers, one JSON object in each line; of older ones at most as much again is kept."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(file, maxBytes=int(megabytes * 1e6), backupCount=BACKUPS, encoding="utf-8")
    log = logging.Logger("modelyard.requests", logging.INFO)
    log.addHandler(handler)
    return log
