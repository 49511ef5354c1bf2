"""Editions of the course for teaching, all made from ``notebooks/`` by ``make release``; none is kept by hand.

- `rcnn_lite.teaching.outline`: what a notebook holds: sections, exercises, questions.
- `rcnn_lite.teaching.student`: the student edition, cut by nbgrader, which can grade what comes back.
- `rcnn_lite.teaching.prove`: runs every student notebook, with stubs and with solutions.
- `rcnn_lite.teaching.timing`: how long each section takes, and plans for lectures of 45 and 90 minutes.
- `rcnn_lite.teaching.instructor`: the solved notebooks with plans, speaker notes and expected misconceptions.
- `rcnn_lite.teaching.slides`: one slide show a notebook, which needs no network.

What a lecturer should know beyond the prose stands in the notebooks too, out of the learner's sight: the text under
``"speaker_notes"`` in the metadata of a cell goes into the instructor edition and onto the speaker's screen, and a
section whose first cell has the tag ``optional`` is left for reading when a lecture is short.
"""
