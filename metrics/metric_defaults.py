"""The metrics that can be asked for by name: arguments of their classes, `func_name` among them."""

metric_defaults = {}
