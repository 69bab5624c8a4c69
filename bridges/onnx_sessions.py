"""onnxruntime on the CPU, without TensorFlow."""

_ERROR = 3  # The level of log lines; warnings are about inputs that have defaults.


def opened(model):
    """Return a session of onnxruntime for a model: a path or bytes."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERROR
    return onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
