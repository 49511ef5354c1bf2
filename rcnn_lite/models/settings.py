"""Settings are frozen dataclasses in the program and plain JSON in a checkpoint's header: the way there and back."""

import math
from dataclasses import asdict, is_dataclass, replace


def plain(settings) -> dict:
    """Settings as JSON can hold them: infinity, which it cannot, becomes a text. `restore` is the way back.

    >>> from rcnn_lite.proposals.rpn import RPNSettings
    >>> restore(RPNSettings(), plain(RPNSettings(border=math.inf))).border
    inf
    """
    return _plain(asdict(settings))


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


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
        elif isinstance(value, str) and isinstance(before, float):
            value = float(value)
        changed[name] = value
    return replace(default, **changed)
