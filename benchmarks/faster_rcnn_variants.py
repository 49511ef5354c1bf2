"""Faster R-CNN with one thing taken away or changed: claims X4 (parts of the RPN), X5 (anchors) and X6 (lambda)."""

import shutil
import time
from dataclasses import replace
from functools import partial

import torch
from fast_rcnn_claims import kept
from faster_rcnn_parts import REGION_WISE, Bench, medians, propose, remember_maps, stage_seconds
from rcnn_parts import scores
from torch import Generator

from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.models.loading import load_model
from rcnn_lite.proposals.rpn import ProposalCounts, RPNPredictions, RPNSettings

BEFORE = 6000  # proposals that go into NMS
USUAL = RPNSettings()
LAMBDAS = (0.1, 1.0, 10.0, 100.0)
ANCHORS = {"1 x 1": (1, 1), "1 x 3": (1, 3), "3 x 1": (3, 1), "3 x 3": (3, 3)}  # sizes x ratios
TIMED = 20  # scenes
LACKING = [("as it is", 300), ("as it is", 100), ("as it is", 1000), ("no NMS", BEFORE)]  # proposals; the first: base
LACKING += [("no cls", 100), ("no cls", 300), ("no cls", 1000), ("no reg", 300), ("no reg", 1000)]


def take_away(bench: Bench) -> dict:
    """X4: a trained model whose proposals at test time lack NMS, scores, or deltas (table 2, third part)."""
    found = {case: [] for case in LACKING}
    for seed in range(bench.seeds):
        model = remember_maps(bench.joint(seed))
        for case in LACKING:
            chosen = partial(propose, model, **options_of(*case, seed))
            work = lambda i, image, chosen=chosen: chosen(image)  # noqa: E731
            found[case].append(bench.found_with(name_of(case), model, work, seed))
    seconds = kept(bench.out / "X4_seconds.json", lambda: {name_of(case): region_wise(bench, case) for case in LACKING})
    rows = []
    for case in LACKING:
        row = {"ablation": case[0], "count": case[1], "region-wise seconds": seconds[name_of(case)]}
        rows.append(row | bench.row(found[case], None if case == LACKING[0] else found[LACKING[0]]))
    return {"base": "as it is, 300", "rows": rows}


def name_of(case: tuple[str, int]) -> str:
    """As in "no NMS 6000"."""
    return " ".join(map(str, case))


def options_of(ablation: str, count: int, seed: int) -> dict:
    """How `propose` is called; without scores chance decides, and each seed draws its own."""
    before = count if ablation == "no cls" else BEFORE
    drawn = partial(without_scores, generator=Generator().manual_seed(seed))
    changed = {
        "as it is": {},
        "no NMS": {"nms_iou": 1.0},
        "no cls": {"nms_iou": 1.0, "change": drawn},
        "no reg": {"change": without_deltas},
    }
    return {"counts": ProposalCounts(before, count)} | changed[ablation]


def without_scores(seen: RPNPredictions, generator: Generator) -> RPNPredictions:
    """Which proposals are looked at is left to chance."""
    return seen._replace(logits=torch.rand(len(seen.logits), generator=generator))


def without_deltas(seen: RPNPredictions) -> RPNPredictions:
    """Proposals are the anchors themselves."""
    return seen._replace(deltas=torch.zeros_like(seen.deltas))


def region_wise(bench: Bench, case: tuple[str, int]) -> float:
    """Seconds a picture behind the proposals."""
    model, options, times = bench.joint(), options_of(*case, seed=0), []
    for i in range(min(TIMED, len(bench.test))):
        image = bench.test[i][0]
        proposals = [propose(model, image, **options)]
        work = lambda image=image, proposals=proposals: model.detect([image], proposals)  # noqa: E731
        times.append({"seconds": stage_seconds(model.watch, REGION_WISE, work)})
    return medians(times)["seconds"]


def compare_anchors(bench: Bench) -> dict:
    """X5: one or three sizes of anchors, one or three ratios (table 8); single ones are the middle of the three."""
    cases = {}
    for name, (sizes, ratios) in ANCHORS.items():
        sizes = USUAL.anchor_sizes if sizes == 3 else USUAL.anchor_sizes[1:2]
        ratios = USUAL.aspect_ratios if ratios == 3 else USUAL.aspect_ratios[1:2]
        cases[name] = {"anchor_sizes": sizes, "aspect_ratios": ratios}
    return compare_short(bench, cases, base="3 x 3")


def compare_lambdas(bench: Bench) -> dict:
    """X6: how much the boxes count beside the scores in the RPN's loss (table 9)."""
    return compare_short(bench, {f"{lam:g}": {"loss_weight": lam} for lam in LAMBDAS}, base="10")


def compare_short(bench: Bench, cases: dict[str, dict], base: str) -> dict:
    """One row a setting: each seed's accuracy and recall, their means, and the gain over the base's."""
    runs = {name: [short(bench, seed, changed) for seed in range(bench.short_seeds)] for name, changed in cases.items()}
    rows, compared = {}, [one["found"] for one in runs[base]]
    for name, results in runs.items():
        figures = [one["figures"] for one in results]
        row = bench.row([one["found"] for one in results], None if name == base else compared, figures)
        rows[name] = results[0]["settings"] | row
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
        found = bench.found_by(name, model)
        return scores(found, bench.targets) | bench.recalls(bench.proposals(name, model)) | {"processor seconds": spent}

    figures = kept(bench.out / "short" / f"{name}.json", make)
    shown = {"sizes": rpn.anchor_sizes, "ratios": rpn.aspect_ratios, "lambda": rpn.loss_weight}
    return {"settings": shown, "figures": figures, "found": bench.found(name, lambda i, image: {})}
