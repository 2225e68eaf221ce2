"""Keras models as ONNX by tf2onnx; a recurrent layer, which it cannot convert, as a Scan of its cell.

`keras.Model.export(format="onnx")` uses tf2onnx as well, but makes the constants of the scaling layer inputs, so that
its file cannot be used. Variables and constants are therefore frozen into the graph first.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, MutableSet, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.data.samples import TARGET_KINDS, TargetKind
from modelyard.models.export.graph import OPSET, PREDICTIONS, RAW, GraphBuilder
from modelyard.models.export.unsupported import NotConvertible

if TYPE_CHECKING:
    import onnx

    from modelyard.models.engine.keras_model import KerasModel


def convert(model: "KerasModel") -> "dict[str, onnx.ModelProto]":
    """Convert the model and its submodels, by name.

    Raises:
        NotConvertible: it has a layer that cannot be converted.
    """
    return {name: _convert(each) for name, each in {"model": predicting(model), **model.submodels}.items()}


def predicting(model: "KerasModel") -> Any:
    """The network of a model, whose outputs are those of the model's `predict`."""
    import keras

    native = model.native
    for layer in native.layers:
        if isinstance(layer, keras.layers.RNN):  # of training only; a cell draws its masks in any case
            layer.cell.dropout = layer.cell.recurrent_dropout = 0.0
    return keras.Model(native.inputs, _predictions(native.outputs[0], TARGET_KINDS[model.description.task]))


def _predictions(outputs: Any, targets: TargetKind) -> Any:
    """What the task's `decode` makes of the outputs of a network, as operations of Keras."""
    from keras import ops

    if targets == "number":
        return outputs[:, 0]
    if targets == "class" and outputs.shape[1:] == (1,):
        return ops.concatenate([1 - outputs, outputs], axis=1)
    return outputs


def _convert(native: Any) -> "onnx.ModelProto":
    """Convert a network with one input and one output."""
    import keras

    recurrent = [layer for layer in native.layers if isinstance(layer, keras.layers.RNN)]
    if not recurrent:
        return _convert_feedforward(native, [RAW], [PREDICTIONS])
    if len(recurrent) > 1 or recurrent[0].return_sequences or recurrent[0].go_backwards or recurrent[0].stateful:
        raise NotConvertible("of recurrent layers only a single one is converted, whose last output is used")
    return _convert_recurrent(native, recurrent[0])


def _convert_feedforward(native: Any, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> "onnx.ModelProto":
    """Freeze a network without loops and convert it; its inputs and outputs may be given names."""
    import tensorflow as tf
    import tf2onnx.graph
    from onnx import helper
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [tf.TensorSpec(each.shape, each.dtype) for each in native.inputs]
    traced = tf.function(lambda *tensors: native(list(tensors), training=False)).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(traced)
    sources, targets = ([each.name for each in tensors] for tensors in (frozen.inputs, frozen.outputs))
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    tf2onnx.graph.set = _OrderedSet  # hides the built-in in this module
    try:
        model, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(),
            input_names=sources,
            output_names=targets,
            opset=OPSET,
            custom_op_handlers={"Expm1": (_expm1, [])},
        )
    except (ValueError, NotImplementedError, KeyError, AssertionError) as error:
        raise NotConvertible(f"tf2onnx: {error}") from None
    del model.opset_import[:]  # it names domains that are not used
    model.opset_import.append(helper.make_opsetid("", OPSET))
    _rename(model.graph, dict(zip([*sources, *targets], [*inputs, *outputs], strict=False)))
    return model


class _OrderedSet(MutableSet[Any]):
    """A set whose members come in the order in which they were added.

    tf2onnx walks through sets of the names of nodes. The order of a built-in set of text differs from process to
    process, and about one of sixty conversions of a network gave another graph.
    """

    def __init__(self, members: Iterable[Any] = ()) -> None:
        self._members = dict.fromkeys(members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def add(self, value: Any) -> None:
        self._members[value] = None

    def discard(self, value: Any) -> None:
        self._members.pop(value, None)

    def issubset(self, other: Iterable[Any]) -> bool:
        return self <= _OrderedSet(other)

    def union(self, other: Iterable[Any]) -> "_OrderedSet":
        return _OrderedSet([*self, *other])


def _expm1(context: Any, node: Any, name: str, _: list[Any]) -> None:
    """Convert the end of a logarithmic target scaling, which tf2onnx does not know."""
    node.type = "Exp"
    one = context.make_const(f"{name}_one", np.array(1, dtype=np.float32)).output[0]
    less = context.make_node("Sub", [node.output[0], one])
    context.insert_node_on_output(less, node.output[0])


def _rename(graph: "onnx.GraphProto", names: Mapping[str, str]) -> None:
    """Rename inputs and outputs, and call their first dimension that of the samples."""
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
        value.type.tensor_type.shape.dim[0].dim_param = "samples"
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]


def _convert_recurrent(native: Any, layer: Any) -> "onnx.ModelProto":
    """Convert what comes before the recurrent layer, its cell, and what comes after it; a Scan joins them."""
    import keras

    sequence = keras.tree.flatten(layer.input)[0]  # the rest is its mask
    embedding = sequence._keras_history.operation
    if not getattr(embedding, "mask_zero", False):
        raise NotConvertible("a recurrent layer is converted after an Embedding with mask_zero only")
    is_word = keras.ops.expand_dims(keras.ops.not_equal(embedding.input, 0), -1)
    raw, predictions = native.inputs[0], native.outputs[0]
    graph = GraphBuilder()
    graph.input(RAW, raw.dtype, *raw.shape[1:])
    words, mask = graph.include(_convert_feedforward(keras.Model(raw, [sequence, is_word])), RAW)
    last = _scan(graph, layer.cell, sequence.shape[-1], words, mask)
    (source,) = graph.include(_convert_feedforward(keras.Model(layer.output, predictions)), last)
    graph.output(source, PREDICTIONS, predictions.dtype, *predictions.shape[1:])
    return graph.model()


def _scan(graph: GraphBuilder, cell: Any, width: int, words: str, mask: str) -> str:
    """Apply a cell to one word after the other, padding excepted, and return its last output."""
    import keras

    sizes = keras.tree.flatten(cell.state_size)
    states = [keras.Input((size,)) for size in sizes]
    word, is_word = keras.Input((width,)), keras.Input((1,), dtype="bool")
    _, changed = cell(word, states)
    kept = [keras.ops.where(is_word, new, old) for new, old in zip(keras.tree.flatten(changed), states, strict=True)]
    step = _convert_feedforward(keras.Model([*states, word, is_word], kept))
    samples = graph.add("Shape", words, start=0, end=1)
    shapes = [graph.add("Concat", samples, graph.constant([size], np.int64), axis=0) for size in sizes]
    zeros = [graph.add("Expand", graph.constant([[0]], np.float32), shape) for shape in shapes]
    scan = graph.add("Scan", *zeros, words, mask, body=step.graph, num_scan_inputs=2, scan_input_axes=[1, 1])
    graph.graph.node[-1].output.extend(f"{scan}:{number}" for number in range(1, len(sizes)))
    return scan
