"""Where the repository's ``data/`` folder is.

The annotations and checkpoints that ship lie in ``data/`` beside the package, not inside it: they are the course's
material, and ``pip install -e .`` (the way this course is installed) leaves them where git put them. Every file that
ships is found through here.
"""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_path(name: str = "") -> Path:
    """The path of a file or folder that ships in the repository's ``data/``.

    Parameters
    ----------
    name : str
        Path inside ``data/`` with forward slashes, such as ``"outlines.json"`` or ``"checkpoints"``; empty for
        ``data/`` itself. The file itself need not exist (a training command may be about to write it).

    Returns
    -------
    pathlib.Path, absolute.

    Raises
    ------
    FileNotFoundError
        The package runs outside a clone of its repository, so there is no ``data/`` beside it.

    Examples
    --------
    >>> data_path("outlines.json").name
    'outlines.json'
    """
    folder = REPOSITORY / "data"
    if not (REPOSITORY / "pyproject.toml").is_file():
        raise FileNotFoundError(
            f"rcnn_lite was imported from {REPOSITORY}, which is not a clone of its repository, so data/{name} is not "
            f"there: clone the repository and install it in place with 'pip install -e .'"
        )
    return folder / name if name else folder
