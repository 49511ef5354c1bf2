"""Settings are frozen dataclasses in the program and plain JSON in a checkpoint's header; this is the way back."""

from dataclasses import is_dataclass, replace


def restore(default, values: dict):
    """The settings `default` with the values that JSON kept of others: its dicts are settings again, its lists tuples.

    Settings that `values` lacks stay as they are in `default`. TypeError for a name that `default` does not have.

    >>> from rcnn_lite.proposals.rpn import RPNSettings
    >>> restore(RPNSettings(), {"aspect_ratios": [1.0, 2.0], "testing": [1000, 100]}).testing
    ProposalCounts(before_nms=1000, after_nms=100)
    """
    changed = {}
    for name, value in values.items():
        before = getattr(default, name, None)
        if is_dataclass(before):
            value = restore(before, value)
        elif isinstance(value, list):
            value = type(before)(*value) if hasattr(before, "_fields") else tuple(value)
        changed[name] = value
    return replace(default, **changed)
