"""An HTTP server for one model: raw rows, images or texts in, class names and probabilities or values out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from threading import Lock
from time import perf_counter
from typing import cast

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from modelyard.data.readers.image_file import LARGE
from modelyard.serving import prediction_requests
from modelyard.serving.batch import Unreadable, kind_of
from modelyard.serving.prediction_requests import PredictionRequest
from modelyard.serving.request_log import RequestLog
from modelyard.serving.served_model import ModelVersion, ServedModel

MOST_BYTES = 20_000_000  # of a request
BODY_SECONDS = 60  # in which a body must have come
MOST_LARGE = 8  # requests with large images that are answered or wait; each takes up to some seconds
RETRY_SECONDS = 5
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class PredictionServer:
    """Answers requests by the served model, counts them, and logs them if there is a log."""

    def __init__(self, served: ServedModel, log: RequestLog | None = None) -> None:
        self._served, self._log = served, log
        self._python = Lock()  # threads that compete for the interpreter take more than twice as long together
        self._pool = ThreadPoolExecutor()
        # Large images are decoded one by one, to bound the memory: in the threads above, others would wait for them.
        self._alone, self._large = ThreadPoolExecutor(1), 0
        self._registry = CollectorRegistry()
        self._requests = Counter("modelyard_requests", "Requests for predictions", ["status"], registry=self._registry)
        self._samples = Counter("modelyard_samples", "Predicted samples", registry=self._registry)
        self._unlogged = Counter("modelyard_unlogged", "Requests that the log lacks", registry=self._registry)
        self._seconds = Histogram("modelyard_seconds", "Time of a prediction", buckets=SECONDS, registry=self._registry)
        self._version = Gauge("modelyard_model", "The model that answers", ["version"], registry=self._registry)

    async def predict(self, request: Request) -> Response:
        """Predict the samples of a request."""
        began = perf_counter()
        try:
            response = await self._respond(request)
        except Unreadable as error:
            response = _refusal(str(error), 422)
        except HTTPException as error:
            response = _refusal(error.detail, error.status_code, error.headers)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it; it counts as what nginx calls it
        except asyncio.CancelledError:  # by uvicorn, when the time for closing is over
            response = _refusal("the server is being stopped: send the request again", 503)
        except Exception:  # a person gets no traceback, the log of the server has it
            logging.getLogger("modelyard.serving").exception("a prediction failed")
            response = _refusal("the prediction failed; the log of the server says why", 500)
        self._requests.labels(response.status_code).inc()
        self._seconds.observe(perf_counter() - began)
        return response

    async def _respond(self, request: Request) -> Response:
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HTTPException(415, "a body with a Content-Encoding, such as gzip, is not read: send it as it is")
        body = await _body(request)
        run = asyncio.get_running_loop().run_in_executor
        answer = await run(self._pool, self._answer, body, request.headers.get("content-type", ""))
        if isinstance(answer, Response):
            return answer
        if self._large == MOST_LARGE:
            text = f"{MOST_LARGE} requests with large images are waiting: send it later, or smaller images"
            raise HTTPException(503, text, {"Retry-After": str(RETRY_SECONDS)})
        self._large += 1
        try:
            return await run(self._alone, answer)
        finally:
            self._large -= 1

    def _answer(self, body: bytes, content_type: str) -> Response | Callable[[], Response]:
        """The answer to a request; if it has large images, a function that computes it."""
        current = self._served.current
        with self._reading(current):
            request = prediction_requests.parse(body, content_type, current.model.description)
        if prediction_requests.count_pixels(request) > LARGE:
            return partial(self._predict, request, current)
        return self._predict(request, current)

    def _predict(self, request: PredictionRequest, current: ModelVersion) -> Response:
        version, model = current
        with self._reading(current):
            batch = prediction_requests.read(request, model.description)
        outputs = model.predict(batch.x)
        if not np.isfinite(outputs).all():
            sample = int(np.argmin(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)))
            raise Unreadable(f"sample {sample}: the model has no finite answer for it; its values are too large")
        with self._python:
            predictions = prediction_requests.answers(batch, outputs, model.description)
        # Before it is counted and logged: an answer that is no JSON fails here.
        response = JSONResponse({"model": version, "predictions": predictions, "warnings": batch.warnings})
        self._samples.inc(len(batch))
        if self._log:
            record = {"model": version, "input": request.as_json(), "predictions": predictions}
            if not self._log.write(record):
                self._unlogged.inc()
        return response

    def _reading(self, current: ModelVersion) -> AbstractContextManager[object]:
        """What to hold while samples are read: decoders of images leave the interpreter to others."""
        return nullcontext() if kind_of(current.model.description) == "image" else self._python

    def close(self) -> None:
        """Drop the requests that wait for a thread: the process would not end before they are answered."""
        for pool in (self._pool, self._alone):
            pool.shutdown(wait=False, cancel_futures=True)

    async def describe(self, _: Request) -> Response:
        """Say what is served and what a request must have."""
        description = self._served.current.model.description
        return JSONResponse({
            "model": self._served.current.version,
            "task": description.task,
            "classes": description.classes,
            "request": f"POST /predict with {prediction_requests.request_text(description)}",
        })  # fmt: skip

    async def health(self, _: Request) -> Response:
        """Answer as long as the process does; the model was loaded before the port was opened, so it is ready too."""
        return JSONResponse({"status": "ok", "model": self._served.current.version})

    async def metrics(self, _: Request) -> Response:
        """The metrics, for Prometheus."""
        self._version.clear()
        self._version.labels(self._served.current.version).set(1)
        return Response(generate_latest(self._registry), media_type=PROMETHEUS)


async def _body(request: Request) -> bytes:
    too_large = HTTPException(413, f"the body has more than {MOST_BYTES} bytes: send fewer samples at once")
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:  # one that expects `100 Continue` is not even sent
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise too_large
    except TimeoutError:
        text = f"the body has not come within {BODY_SECONDS} seconds"
        raise HTTPException(408, text, {"Connection": "close"}) from None
    return b"".join(parts)


def _refusal(error: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    text = error.encode(errors="replace").decode()  # it may quote half a character
    return JSONResponse({"error": text}, status, headers)


def make_app(served: ServedModel, watch_seconds: float, log: RequestLog | None = None) -> Starlette:
    """The application; every `watch_seconds` it looks for a newer version of its model."""

    @asynccontextmanager
    async def watching(_: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(served.watch(watch_seconds))
        yield
        watch.cancel()
        server.close()

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
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse}, lifespan=watching)
    app.router.redirect_slashes = False  # a redirect would be to an address that a proxy may not know
    return app
