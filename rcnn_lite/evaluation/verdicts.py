"""What becomes of a detection.

WRONG: on no object, or on one that a better-scored detection has; RIGHT: on an object that had none; IGNORED: on an
object that does not count (difficult, a crowd, outside the area range), so the detection is left out of the curve.
"""

WRONG, RIGHT, IGNORED = 0, 1, 2
