"""ONNX graphs: nodes added one by one, and graphs whose bytes do not depend on how a converter named its nodes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.models.export.unsupported import NotConvertible

if TYPE_CHECKING:
    import onnx

OPSET, ML_OPSET, IR = 17, 3, 8
ML = "ai.onnx.ml"
"""The domain of the operations of classical models."""

RAW, PREDICTIONS = "raw", "predictions"
"""The names of the only input and output of a converted model."""

DESCRIPTION = "modelyard.input"
"""The key of the metadata that holds the description of the input: columns, categories, classes, scaling."""


class GraphBuilder:
    """A graph to which inputs, nodes and outputs are added one by one, each with the names of what it takes."""

    def __init__(self) -> None:
        self.graph = _onnx().GraphProto(name="model")

    def input(self, name: str, dtype: Any, *shape: int) -> str:
        """Add an input for any number of samples of this shape, and return its name."""
        self.graph.input.append(_value(name, dtype, shape))
        return name

    def output(self, source: str, name: str, dtype: Any, *shape: int) -> None:
        """Make what a node gives for each sample an output."""
        self.graph.node.append(_onnx().helper.make_node("Identity", [source], [name]))
        self.graph.output.append(_value(name, dtype, shape))

    def add(self, operation: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its first output."""
        name = f"{operation}_{len(self.graph.node)}"
        self.graph.node.append(
            _onnx().helper.make_node(operation, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def constant(self, values: Any, dtype: Any) -> str:
        """Add an array, and return its name."""
        name = f"constant_{len(self.graph.initializer)}"
        self.graph.initializer.append(_onnx().numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def include(self, model: "onnx.ModelProto", *inputs: str) -> list[str]:
        """Add the nodes of another model, which takes these inputs, and return the names of its outputs."""
        from onnx import compose

        graph = compose.add_prefix(model, f"included_{len(self.graph.node)}/").graph
        names = dict(zip((each.name for each in graph.input), inputs, strict=True))
        for node in graph.node:
            node.input[:] = [names.get(name, name) for name in node.input]
        self.graph.node.extend(graph.node)
        self.graph.initializer.extend(graph.initializer)
        return [each.name for each in graph.output]

    def model(self) -> "onnx.ModelProto":
        """Return the graph as a model.

        Raises:
            NotConvertible: an input has the name of something else in the graph.
        """
        made = [
            *(name for node in self.graph.node for name in node.output),
            *(each.name for each in self.graph.initializer),
        ]
        if clashes := {each.name for each in self.graph.input} & set(made):
            raise NotConvertible(f"the name {min(clashes)!r} of a column is taken by what the file computes: rename it")
        helper = _onnx().helper
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        return helper.make_model(self.graph, opset_imports=opsets, ir_version=IR)


def _onnx() -> Any:
    import onnx.compose
    import onnx.helper
    import onnx.numpy_helper

    return onnx


def _value(name: str, dtype: Any, shape: tuple[int, ...]) -> "onnx.ValueInfoProto":
    helper = _onnx().helper
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["samples", *shape])


def finished(model: "onnx.ModelProto", description: InputDescription) -> "onnx.ModelProto":
    """Return a checked model with the description of its input inside; equal models have equal bytes.

    What a converter writes of itself and of the process it ran in is left out: versions, and names with counters.
    """
    import onnx
    from onnx import helper

    result = onnx.ModelProto()
    result.ir_version = IR
    result.producer_name = "modelyard"
    opsets = {each.domain: each.version for each in model.opset_import}
    used = {node.domain for node in _all_nodes(model.graph)}
    result.opset_import.extend(helper.make_opsetid(domain, opsets[domain]) for domain in sorted(used | {""}))
    result.graph.CopyFrom(_renamed(model.graph))
    helper.set_model_props(result, {DESCRIPTION: description.model_dump_json()})
    onnx.checker.check_model(result)
    return result


def _all_nodes(graph: "onnx.GraphProto") -> "Iterator[onnx.NodeProto]":
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)


def _renamed(graph: "onnx.GraphProto", prefix: str = "") -> "onnx.GraphProto":
    """Return a graph with its nodes in the order in which its outputs need them, and with names that follow from it."""
    import onnx

    result = onnx.GraphProto(name="model", input=graph.input, output=graph.output)
    constants = {each.name: each for each in graph.initializer}
    names = {"": ""} | {each.name: f"{prefix}{each.name}" for each in (*graph.input, *graph.output)}
    for node in _in_order(graph):
        added = result.node.add()
        added.CopyFrom(node)
        added.doc_string = ""
        added.name = f"{prefix}{node.op_type}_{len(result.node) - 1}"
        for position, name in enumerate(node.input):
            if name in constants and name not in names:
                names[name] = f"{added.name}.{position}"
                constant = result.initializer.add()
                constant.CopyFrom(constants[name])
                constant.name, constant.doc_string = names[name], ""
            added.input[position] = names[name]
        for position, name in enumerate(node.output):
            names.setdefault(name, added.name if position == 0 else f"{added.name}:{position}")
            added.output[position] = names[name]
        for attribute in added.attribute:
            attribute.doc_string = ""
            if attribute.HasField("g"):
                attribute.g.CopyFrom(_renamed(attribute.g, f"{added.name}/"))
        added.attribute.sort(key=lambda attribute: attribute.name)
    for value in (*result.input, *result.output):
        value.name, value.doc_string = names[value.name], ""
    return result


def _in_order(graph: "onnx.GraphProto") -> "list[onnx.NodeProto]":
    """The nodes that the outputs need, each after those that it needs itself."""
    producers = {name: node for node in graph.node for name in node.output}
    found: dict[str, onnx.NodeProto] = {}
    waiting = [each.name for each in reversed(graph.output)]
    while waiting:
        node = producers.get(waiting[-1])
        needed = [] if node is None or node.output[0] in found else [name for name in node.input if name in producers]
        open_ones = [name for name in needed if producers[name].output[0] not in found]
        if open_ones:
            waiting.extend(reversed(open_ones))
            continue
        waiting.pop()
        if node is not None:
            found.setdefault(node.output[0], node)
    return list(found.values())
