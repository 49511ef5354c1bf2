"""Pictures with annotated objects: the package's own scenes, and readers for the layouts of PASCAL VOC and COCO.

Every data set has ``len(dataset)``, ``dataset.classes`` (names by label, ``classes[0] == "background"``) and
``dataset[i]``, the pair ``(image, target)``:

- image: float32 (3, H, W) RGB in [0, 1];
- target: a dict with ``boxes`` float32 (N, 4), ``labels`` int64 (N,), ``image_id`` int, ``iscrowd`` int64 (N,),
  ``area`` float32 (N,), and, where the data has them, ``masks`` uint8 (N, H, W), ``difficult`` bool (N,),
  ``keypoints`` float32 (N, K, 3).
"""
