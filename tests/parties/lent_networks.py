"""A small network in an ONNX file, for jobs that name one."""

import numpy as np


def small_network(layer: str, weight: float = 0.0) -> bytes:
    """One convolution named ``layer``, 8 x 8 colour images to four planes."""
    from onnx import TensorProto, helper, numpy_helper

    tensor = helper.make_tensor_value_info
    weights = numpy_helper.from_array(np.full((4, 3, 3, 3), weight, np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["out"], name=layer)
    given, made = tensor("x", TensorProto.FLOAT, [1, 3, 8, 8]), tensor("out", TensorProto.FLOAT, [1, 4, 6, 6])
    model = helper.make_model(
        helper.make_graph([node], "g", [given], [made], [weights]), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    return model.SerializeToString()
