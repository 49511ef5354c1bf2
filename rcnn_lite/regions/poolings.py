"""The ways from a box on a shared map to an array of fixed size, by name: the second question of the family.

All take (features, rois, output_size, spatial_scale) and return (R, C, P, Q).
"""

from functools import partial

from rcnn_lite.regions.bin_values import roi_align_max, roi_pool_average, roi_warp_max
from rcnn_lite.regions.roi_align import crop_pool, roi_align, roi_warp
from rcnn_lite.regions.roi_pool import roi_pool

POOLINGS = {
    "roi_pool": roi_pool,  # Fast and Faster R-CNN
    "crop_pool": crop_pool,  # several later implementations of Faster R-CNN
    "roi_warp": roi_warp,  # Mask R-CNN's comparison
    "roi_align": roi_align,  # Mask R-CNN
    "roi_pool_average": roi_pool_average,  # what the three above keep of a bin, the other way round: table 2c
    "roi_warp_max": roi_warp_max,
    "roi_align_max": roi_align_max,
    "roi_align_unaligned": partial(roi_align, aligned=False),  # its first code, half a cell off; torchvision's models
}
