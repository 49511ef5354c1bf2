"""Comparing and showing what exercises take and return: numbers, arrays, tensors; lists, tuples, dicts of them."""

import math

import numpy as np
import torch

RTOL, ATOL = 1e-4, 1e-5
"""An answer in float32 agrees with one in float64; a slip that matters does not."""
MAX_ROWS = 12


def difference(expected: object, got: object, where: str = "") -> str | None:
    """A sentence on the first difference between two results, or None when they are equal.

    The right result sets the kind: where it has integers or booleans, so must the other, to the number; where it has
    floats, numbers must agree to within `RTOL` and `ATOL`. Tensors, arrays and lists of numbers are all the same.

    >>> difference(torch.tensor([1, 2]), [1, 3])
    'at [1] it gives 3 where 2 is right'
    """
    of = f" of {where}" if where else ""
    if expected is None or isinstance(expected, str):
        return None if got == expected else f"the result{of} is {show(got)} where {show(expected)} is right"
    if isinstance(expected, dict):
        return _difference_of_dicts(expected, got, where)
    if isinstance(expected, (tuple, list)) and not is_numbers(expected):
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            return f"the result{of} must be {len(expected)} things, it is {describe(got)}"
        pairs = enumerate(zip(expected, got, strict=True))
        return next((d for i, (e, g) in pairs if (d := difference(e, g, f"{where}[{i}]"))), None)
    return _difference_of_arrays(as_array(expected), got, of)


def _difference_of_dicts(expected: dict, got: object, where: str) -> str | None:
    if not isinstance(got, dict):
        return f"the result must be a dict with the keys {sorted(map(str, expected))}, it is {describe(got)}"
    if set(got) != set(expected):
        return f"the dict has the keys {sorted(map(str, got))} where {sorted(map(str, expected))} are right"
    return next((d for k in expected if (d := difference(expected[k], got[k], f"{where}[{k!r}]"))), None)


def _difference_of_arrays(expected: np.ndarray, got: object, of: str) -> str | None:
    array = as_array(got)
    if array is None:
        return f"the result{of} must be numbers, it is {describe(got)}"
    if expected.size == 0 and array.size == 0 and (array.shape == expected.shape or isinstance(got, (list, tuple))):
        return None
    if array.shape != expected.shape:
        return f"the shape{of} is {array.shape} where {expected.shape} is right"
    exact = expected.dtype.kind in "iub"
    if exact and array.dtype.kind not in "iub":
        return f"the result{of} must be integers, it has dtype {array.dtype}"
    if expected.dtype.kind in "iu" and array.dtype.kind == "b":
        return f"the result{of} must be whole numbers such as indices, it has True and False"
    with np.errstate(invalid="ignore"):
        same = array == expected if exact else np.isclose(array, expected, rtol=RTOL, atol=ATOL, equal_nan=True)
    if same.all():
        return None
    index = tuple(int(i) for i in np.argwhere(~same)[0])
    place = f"at {list(index)} " if index else ""
    where = of.replace(" of", ", in")
    return f"{place}it gives {number(array[index])} where {number(expected[index])} is right{where}"


def as_array(value: object) -> np.ndarray | None:
    """The numbers in a tensor, array, number, or list of such; None for anything else."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)):
        value = [as_array(item) for item in value]
        if any(item is None for item in value) or len({item.shape for item in value}) > 1:
            return None
    elif not isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        return None
    array = np.asarray(value)
    return array if array.dtype.kind in "biuf" else None


def is_numbers(value: object) -> bool:
    """Whether ``value`` is numbers in one array, rather than several things or something else.

    A tuple of tensors is several things, although it could be stacked.
    """
    if isinstance(value, (list, tuple)):
        return not any(isinstance(item, (torch.Tensor, np.ndarray)) for item in value) and as_array(value) is not None
    return as_array(value) is not None


def unchanged(before: object, after: object) -> bool:
    """Whether an argument still is what it was, to the bit; NaN equals NaN."""
    if isinstance(before, dict):
        return set(before) == set(after) and all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(unchanged, before, after))
    one, other = as_array(before), as_array(after)
    if one is None or other is None:
        return before == after
    alike = one.shape == other.shape and one.dtype == other.dtype
    return alike and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def number(value: float) -> str:
    """A number as short as it is readable: 2, 0.3333, -17.5, nan."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{float(value):.4g}" if math.isfinite(value) else str(float(value))


def describe(value: object) -> str:
    """What a thing is, for a sentence: "None", "a str", "a tensor of shape (2, 4)"."""
    if value is None or value is Ellipsis:
        return str(value)
    shape = f" of shape {tuple(value.shape)}" if isinstance(value, (torch.Tensor, np.ndarray)) else ""
    length = f" of {len(value)} things" if isinstance(value, (list, tuple)) else ""
    return f"a {type(value).__name__}{shape}{length}"


def show(value: object) -> str:
    """A value on one line, numbers rounded; long arrays are cut.

    >>> show(torch.tensor([[0.0, 1.0], [1 / 3, 2.0]]))
    '[[0, 1], [0.3333, 2]]'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)) and not is_numbers(value):
        return "(" + ", ".join(map(show, value)) + ")"
    array = as_array(value)
    if array is None:
        text = repr(value)
        return text if len(text) <= 200 else text[:200] + " ..."
    return _rows(array)


def _rows(array: np.ndarray) -> str:
    if array.ndim == 0:
        return number(array[()])
    rows = [_rows(row) for row in array[:MAX_ROWS]]
    more = [f"... {len(array) - MAX_ROWS} more"] if len(array) > MAX_ROWS else []
    return "[" + ", ".join(rows + more) + "]"


def code(value: object) -> str:
    """A value as one can paste it into a cell, exact for numbers that are short.

    >>> code(torch.tensor([[0.0, 2.5]]))
    'torch.tensor([[0.0, 2.5]])'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, torch.Tensor):
        if value.numel() == 0:
            dtype = "" if value.is_floating_point() else f", dtype={value.dtype}"
            return f"torch.zeros({tuple(value.shape)}{dtype})"
        return f"torch.tensor({_literal(value.tolist())})"
    if isinstance(value, np.ndarray):
        return f"np.array({_literal(value.tolist())})"
    if isinstance(value, list):
        return "[" + ", ".join(map(code, value)) + "]"
    return repr(value)


def _literal(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(float(f"{value:.6g}")) if isinstance(value, float) else repr(value)
