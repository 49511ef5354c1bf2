"""Pictures with annotated objects: the package's own scenes, and readers for the layouts of PASCAL VOC, COCO,
Penn-Fudan and the 2018 Data Science Bowl.

`opening.open_dataset` opens any of them by a short text (``voc:DIR``), `survey.survey` looks at all of it before it is
used and says what was found. `reading` says how boxes and pictures that a camera turned come together, `findings` what
is left out and what is mended, `sources` where the public sets come from (``download=True``).

Every data set has ``len(dataset)``, ``dataset.classes`` (names by label, ``classes[0] == "background"``),
``dataset.fingerprint`` (text that changes with it), ``dataset.target(i)``, which needs no picture's pixels, and
``dataset[i]``, the pair ``(image, target)``:

- image: float32 (3, H, W) RGB in [0, 1];
- target: a dict with ``boxes`` float32 (N, 4), ``labels`` int64 (N,), ``image_id`` int, ``iscrowd`` int64 (N,),
  ``area`` float32 (N,), and, where the data has them, ``masks`` uint8 (N, H, W), ``difficult`` bool (N,),
  ``keypoints`` float32 (N, K, 3).
"""
