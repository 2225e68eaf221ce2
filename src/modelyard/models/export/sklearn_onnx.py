"""Scikit-learn models as ONNX: our own preprocessing as a few nodes in float64, the estimator by skl2onnx."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.preprocessing import Preprocessing
from modelyard.data.samples import TARGET_KINDS
from modelyard.data.target_scaling import TargetScaler
from modelyard.models.export.graph import ML, ML_OPSET, OPSET, PREDICTIONS, RAW, GraphBuilder
from modelyard.models.export.unsupported import NotConvertible
from modelyard.orchestration.patching import patched

FLOAT, DOUBLE = 1, 11  # of onnx.TensorProto

if TYPE_CHECKING:
    import onnx

    from modelyard.models.engine.sklearn_model import SklearnModel


def convert(model: "SklearnModel") -> "dict[str, onnx.ModelProto]":
    """Convert the pipeline of a model.

    Raises:
        NotConvertible: skl2onnx cannot convert its estimator, or would leave something out.
    """
    description, estimator = model.description, model.native["model"]
    estimator = getattr(estimator, "regressor_", estimator)  # a target scaling wraps it
    graph = GraphBuilder()
    width = graph.constant([-1, math.prod(description.shape)], np.int64)
    flat = graph.add("Reshape", graph.input(RAW, raw_dtype(description), *description.shape), width)
    features = _encode(graph, _cast(graph, flat), description, estimator)
    if TARGET_KINDS[description.task] == "class":
        outputs = _classify(graph, features, estimator, len(description.classes))
        graph.output(outputs, PREDICTIONS, np.float64, len(description.classes))
    else:
        outputs = _unscale(graph, _regress(graph, features, estimator), description.target_scaler)
        graph.output(graph.add("Reshape", outputs, graph.constant([-1], np.int64)), PREDICTIONS, np.float64)
    return {"model": graph.model()}


def raw_dtype(description: InputDescription) -> str:
    """The type of the raw input: pixels and word numbers as they are, all else as float64."""
    return description.dtype if np.dtype(description.dtype).kind == "u" else "float64"


def _encode(graph: GraphBuilder, raw: str, description: InputDescription, estimator: Any) -> str:
    """Scaling, imputation and encoding, as `engine.sklearn_columns` and `engine.sklearn_model` have them."""
    preprocessing, scaler = description.preprocessing, description.scaler
    if preprocessing is None:
        return _scale(graph, raw, scaler.offset, scaler.scale)
    fill = [np.nan if value is None else value for value in preprocessing.fill]
    filled = graph.add("Where", graph.add("IsNaN", raw), graph.constant([fill], np.float64), raw)
    parts = []
    if preprocessing.numbers:
        parts.append(_scale(graph, _take(graph, filled, preprocessing.numbers), scaler.offset, scaler.scale))
    if preprocessing.indicators:
        gaps = graph.add("IsNaN", _take(graph, raw, preprocessing.indicators))
        parts.append(_cast(graph, gaps))
    if getattr(estimator, "is_categorical_", None) is not None:
        raise NotConvertible("skl2onnx leaves out that histogram boosting splits by categories")
    parts += _one_hot(graph, filled, preprocessing)
    return graph.add("Concat", *parts, axis=1)


def _one_hot(graph: GraphBuilder, filled: str, preprocessing: Preprocessing) -> list[str]:
    parts = []
    for encoded in preprocessing.one_hot:
        codes = _take(graph, filled, [encoded.feature])
        known = graph.add("Equal", codes, graph.constant([encoded.codes], np.float64))
        parts += [_cast(graph, known)] if encoded.codes else []
        if encoded.has_other:
            is_known = graph.add("ReduceSum", _cast(graph, known), graph.constant([1], np.int64), keepdims=1)
            parts.append(graph.add("Sub", graph.constant(1, np.float64), is_known))
    return parts


def _classify(graph: GraphBuilder, features: str, estimator: Any, classes: int) -> str:
    """Probabilities (samples, classes)."""
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import BaggingClassifier

    if len(estimator.classes_) < classes:
        raise NotConvertible("a class had no training sample, and the file would leave it out")
    if isinstance(estimator, DummyClassifier):
        return _repeat(graph, features, estimator.class_prior_[np.newaxis])
    if isinstance(estimator, BaggingClassifier):
        return _step(graph, features, estimator.estimators_[0])
    return _skl2onnx(graph, features, estimator, {id(estimator): {"zipmap": False}})[1]


def _regress(graph: GraphBuilder, features: str, estimator: Any) -> str:
    """Scaled values (samples, 1)."""
    from sklearn.dummy import DummyRegressor

    if isinstance(estimator, DummyRegressor):
        return _repeat(graph, features, estimator.constant_)
    return _skl2onnx(graph, features, estimator, {})[0]


def _skl2onnx(graph: GraphBuilder, features: str, estimator: Any, options: dict[int, Any]) -> list[str]:
    """The outputs of an estimator."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common import _container
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    is_linear = hasattr(estimator, "coef_")
    if (
        not is_linear
    ):  # scikit-learn's trees compare in float32, and those of ONNX Runtime give wrong answers in float64
        features = graph.add("Cast", features, to=FLOAT)
    kind = DoubleTensorType if is_linear else FloatTensorType
    types = [("features", kind([None, estimator.n_features_in_]))]
    opsets = {"": OPSET, ML: ML_OPSET}
    try:
        with patched((_container, "make_node", _make_node)):
            converted = convert_sklearn(estimator, "", types, options=options, target_opset=opsets)
    except (MissingConverter, MissingShapeCalculator, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotConvertible(f"skl2onnx: {error}") from None
    return [_cast(graph, output) for output in graph.include(converted, features)]


def _make_node(*arguments: Any, **attributes: Any) -> Any:
    """ONNX's `make_node`; skl2onnx gives it the flags of histogram boosting as booleans, which ONNX refuses."""
    from onnx.helper import make_node

    lists = {name: values for name, values in attributes.items() if isinstance(values, list)}
    numbers = {
        name: [int(each) if isinstance(each, bool | np.bool_) else each for each in lists[name]] for name in lists
    }
    return make_node(*arguments, **attributes | numbers)


def _repeat(graph: GraphBuilder, features: str, row: np.ndarray) -> str:
    """The same row for each sample."""
    samples = graph.add("Shape", features, start=0, end=1)
    shape = graph.add("Concat", samples, graph.constant([row.shape[-1]], np.int64), axis=0)
    return graph.add("Expand", graph.constant(row, np.float64), shape)


def _step(graph: GraphBuilder, features: str, perceptron: Any) -> str:
    """The probability 1 for the class that a perceptron decides for; of two classes it has one line."""
    lines = graph.add("MatMul", features, graph.constant(perceptron.coef_.T, np.float64))
    lines = graph.add("Add", lines, graph.constant(perceptron.intercept_, np.float64))
    if len(perceptron.classes_) == 2:
        second = _cast(graph, graph.add("Greater", lines, graph.constant(0, np.float64)))
        return graph.add("Concat", graph.add("Sub", graph.constant(1, np.float64), second), second, axis=1)
    chosen = graph.add("ArgMax", lines, axis=1, keepdims=1)
    return _cast(graph, graph.add("Equal", chosen, graph.constant([range(len(perceptron.classes_))], np.int64)))


def _unscale(graph: GraphBuilder, values: str, scaler: TargetScaler | None) -> str:
    """Targets in their own unit."""
    if scaler is None:
        return values
    scaled = graph.add("Mul", values, graph.constant(scaler.scale, np.float64))
    values = graph.add("Add", scaled, graph.constant(scaler.mean, np.float64))
    if scaler.method == "log":
        return graph.add("Sub", graph.add("Exp", values), graph.constant(1, np.float64))
    return values


def _scale(graph: GraphBuilder, features: str, offset: Any, scale: Any) -> str:
    shifted = graph.add("Sub", features, graph.constant(np.ravel(offset), np.float64))
    return graph.add("Div", shifted, graph.constant(np.ravel(scale), np.float64))


def _take(graph: GraphBuilder, features: str, positions: Any) -> str:
    return graph.add("Gather", features, graph.constant(list(positions), np.int64), axis=1)


def _cast(graph: GraphBuilder, flags: str) -> str:
    return graph.add("Cast", flags, to=DOUBLE)
