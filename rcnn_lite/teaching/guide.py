"""What an instructor reads first: the guide that lies beside the editions. Its commands are those that a test runs."""

GRADING = ("zip_collect {name}", "autograde {name}", "export", "generate_feedback {name}")
GUIDE = """# Teaching with these notebooks

Made from `notebooks/` by `make release`. Nothing here is edited by hand: change the notebook, then run `make release`
again. `make clean` deletes this folder with all of `build/`.

| | |
|---|---|
| `course/release/` | **student edition**: one folder a notebook; hand these out |
| `course/` | the course folder for nbgrader that goes with it |
| `selfstudy/` | **self-study edition**: for who learns alone; not graded, each solution folded below its exercise |
| `instructor/` | **instructor edition**: solved, with plans for 45 and 90 minutes, speaker notes, misconceptions |
| `slides/` | **slides**: open `slides/{name}.slides.html` in a browser; no network is needed |

## Before the term

1. Copy `course/` to a place of its own, outside `build/`: it will hold your learners' work and their grades.
2. Learners need the clone of this repository and its environment, as in the README. They open a notebook of the
   student edition in it; the solutions are cut, each cell to fill in ends with its check, and what the other cells show
   is there before anything runs. "Run all" goes on behind an exercise that is not solved yet.
3. Below each exercise stands a locked cell that runs the check again. It is there for the grade: a point a star.

## A lecture

Open the notebook of `instructor/`. Its first cell holds the plans; the cards between the sections say what to say, show
and ask. In the slides, `S` opens the speaker's window with the whole text (some browsers want a server for that:
`python -m http.server` in `slides/`), `O` the overview, and `?print-pdf` behind the address prints them.

## Grading

Activate the environment (`source .venv/bin/activate` in the clone; `.venv\\Scripts\\activate` on Windows) and go to
your copy of `course/`. Say the notebook is `{name}`.

1. Put what was handed in into `downloaded/{name}/archive/`, named
   after the learner: `ada_{name}.ipynb`, or packed into zip files.
2. Run

{commands}

3. `grades.csv` has a line for each learner. `feedback/` has a page for each, in which the checks say what was wrong.
   `nbgrader formgrade` is not needed: no cell waits for a person.

The whole notebook is run for each learner, so grading takes as long as running it. nbgrader restores the locked cells,
also deleted ones, before it runs them. A learner who writes an endless loop loses that exercise only. What the code
of learners may do is not confined: run it where that does no harm.
"""


def guide(name: str) -> str:
    """The guide as markdown, with the notebook ``name`` as its example."""
    commands = "\n".join(f"       nbgrader {command.format(name=name)}" for command in GRADING)
    return GUIDE.format(name=name, commands=commands)
