"""Faster R-CNN with one thing taken away or changed: claims X4 (parts of the RPN), X5 (anchors) and X6 (lambda)."""

import shutil
import time
from dataclasses import replace
from functools import partial

import torch
from fast_rcnn_claims import kept
from faster_rcnn_parts import REGION_WISE, Bench, medians, propose, stage_seconds
from torch import Generator

from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.models.loading import load_model
from rcnn_lite.proposals.rpn import ProposalCounts, RPNPredictions, RPNSettings

BEFORE = 6000  # proposals that go into NMS
DRAWS = 3  # of "no cls", where chance decides
USUAL = RPNSettings()
LAMBDAS = (0.1, 1.0, 10.0, 100.0)
ANCHORS = {"1 x 1": (1, 1), "1 x 3": (1, 3), "3 x 1": (3, 1), "3 x 3": (3, 3)}  # sizes x ratios
TIMED = 20  # scenes


def take_away(bench: Bench, seeds: int) -> dict:
    """X4: a trained model whose proposals at test time lack NMS, scores, or deltas (table 2, third part)."""
    cases = [("as it is", count, {}) for count in (300, 100, 1000)]
    cases += [("no NMS", BEFORE, {"nms_iou": 1.0})]
    cases += [("no cls", count, {"nms_iou": 1.0}) for count in (100, 300, 1000)]
    cases += [("no reg", count, {"change": without_deltas}) for count in (300, 1000)]
    rows, base = [], None
    for ablation, count, options in cases:
        before = count if ablation == "no cls" else BEFORE
        found, proposals = [], []
        for draw in range(DRAWS if ablation == "no cls" else 1):
            if ablation == "no cls":
                options = options | {"change": partial(without_scores, generator=Generator().manual_seed(draw))}
            counts = ProposalCounts(before, count)
            proposals = [propose(bench.joint, bench.test[i][0], counts, **options) for i in range(len(bench.test))]
            found.append(bench.found_with(f"{ablation} {count} {draw}", bench.joint, proposals))
        row = {"ablation": ablation, "count": count, "proposals": sum(map(len, proposals)) / len(proposals)}
        row |= {"region-wise seconds": region_wise(bench, proposals)} | bench.row(found, base)
        rows.append(row | ({"mAP of draws": [bench.row([one])["mAP"] for one in found]} if len(found) > 1 else {}))
        base = base or found
    return {"base": "as it is, 300", "rows": rows}


def without_scores(seen: RPNPredictions, generator: Generator) -> RPNPredictions:
    """Which proposals are looked at is left to chance."""
    return seen._replace(logits=torch.rand(len(seen.logits), generator=generator))


def without_deltas(seen: RPNPredictions) -> RPNPredictions:
    """Proposals are the anchors themselves."""
    return seen._replace(deltas=torch.zeros_like(seen.deltas))


def region_wise(bench: Bench, proposals: list) -> float:
    """Seconds a picture behind the proposals."""
    times = []
    for i in range(min(TIMED, len(bench.test))):
        work = lambda i=i: bench.joint.detect([bench.test[i][0]], [proposals[i]])  # noqa: E731
        times.append({"seconds": stage_seconds(bench.joint.watch, REGION_WISE, work)})
    return medians(times)["seconds"]


def compare_anchors(bench: Bench, seeds: int) -> dict:
    """X5: one or three sizes of anchors, one or three ratios (table 8); single ones are the middle of the three."""
    cases = {}
    for name, (sizes, ratios) in ANCHORS.items():
        sizes = USUAL.anchor_sizes if sizes == 3 else USUAL.anchor_sizes[1:2]
        ratios = USUAL.aspect_ratios if ratios == 3 else USUAL.aspect_ratios[1:2]
        cases[name] = {"anchor_sizes": sizes, "aspect_ratios": ratios}
    return compare_short(bench, seeds, cases, base="3 x 3")


def compare_lambdas(bench: Bench, seeds: int) -> dict:
    """X6: how much the boxes count beside the scores in the RPN's loss (table 9)."""
    return compare_short(bench, seeds, {f"{lam:g}": {"loss_weight": lam} for lam in LAMBDAS}, base="10")


def compare_short(bench: Bench, seeds: int, cases: dict[str, dict], base: str) -> dict:
    """One row a setting: each seed's accuracy and recall, their means, and the gain over the base's."""
    runs = {name: [short(bench, seed, changed) for seed in range(seeds)] for name, changed in cases.items()}
    rows = {}
    for name, results in runs.items():
        found = [one["found"] for one in results]
        gain = {} if name == base else {"gain": bench.row(found, [one["found"] for one in runs[base]])["gain"]}
        each = [{"seed": seed} | one["figures"] for seed, one in enumerate(results)]
        mean = {key: sum(one[key] for one in each) / seeds for key in ("mAP", "AP", "recall 0.5", "recall 0.7")}
        values = [one["mAP"] for one in each]
        rows[name] = results[0]["settings"] | {"runs": each, "mean": mean}
        rows[name] |= {"mAP from .. to": [min(values), max(values)]} | gain
    return {"base": base, "rows": rows}


def short(bench: Bench, seed: int, changed: dict) -> dict:
    """One short training, at sizes of its own, and what came of it: {"settings", "figures", "found"}.

    Anchors shrink with the pictures: sizes are those for pictures of the usual shorter side. A training that several
    comparisons share, as their base, is made once.
    """
    side = bench.sides[-1]
    factor = side / FasterRCNNSettings().short_side
    rpn = replace(USUAL, **changed)
    rpn = replace(rpn, anchor_sizes=tuple(size * factor for size in rpn.anchor_sizes))
    settings = replace(FasterRCNNSettings(), training_sides=bench.sides, short_side=side, rpn=rpn)
    name = f"{len(rpn.anchor_sizes)}x{len(rpn.aspect_ratios)}_lambda_{rpn.loss_weight:g}_seed_{seed}"
    name += f"_{bench.iterations}_of_{'_'.join(map(str, bench.sides))}"
    folder, checkpoint = bench.out / "short" / name, bench.out / "short" / f"{name}.safetensors"

    def make() -> dict:
        fresh, start = not folder.exists(), time.process_time()
        model = FasterRCNN(build_backbone("lite0"), bench.train.classes, settings, Generator().manual_seed(seed))
        plan = FasterRCNNTraining(seed=seed)
        schedule = replace(plan.fit.schedule, iterations=bench.iterations)
        train(model, bench.train, folder, replace(plan, fit=replace(plan.fit, schedule=schedule)))
        spent = round(time.process_time() - start, 1) if fresh else None
        save_checkpoint(checkpoint, *model.to_checkpoint())
        shutil.rmtree(folder)  # the optimiser's state is three times the weights
        model = load_model(checkpoint)[0]
        found = bench.found(name, lambda i, image: model.detect([image])[0])
        return bench.row([found]) | bench.recalls(bench.proposals(model)) | {"processor seconds": spent}

    figures = kept(bench.out / "short" / f"{name}.json", make)
    shown = {"sizes": rpn.anchor_sizes, "ratios": rpn.aspect_ratios, "lambda": rpn.loss_weight}
    return {"settings": shown, "figures": figures, "found": bench.found(name, lambda i, image: {})}
