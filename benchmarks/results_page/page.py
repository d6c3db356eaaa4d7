"""The page, section by section."""

from __future__ import annotations

from benchmarks.results_page.asking import table_3_5, table_3_6, table_3_7
from benchmarks.results_page.distilled import distillation
from benchmarks.results_page.efficiency import table_3_1, table_3_2, table_3_3, table_3_4
from benchmarks.results_page.figures import Plot, linked, plots
from benchmarks.results_page.goals import goals
from benchmarks.results_page.load import Results
from benchmarks.results_page.measurements import (
    crf_modes,
    output_strides,
    soft_labels,
    teacher_weights,
    training_settings,
    zero_shot,
)
from benchmarks.results_page.named_runs import ablation, learned_otherwise, questions_alone
from benchmarks.results_page.other_settings import longer
from benchmarks.results_page.provenance import coverage, how
from benchmarks.results_page.replication import replication
from benchmarks.results_page.thesis import SOURCE
from benchmarks.results_page.variants import variants
from benchmarks.results_page.words import SEEDS

PICTURES = "images/results"
"""Where the plots are, seen from the page."""

HEATMAP, SELECTED = "scene_entropy.png", "scene_asked.png"
"""Pictures of a generated scene, which ``python -m benchmarks.scene_pictures`` draws."""

INTRO = f"""\
# Results

<!-- Written by python -m benchmarks.results_page from benchmarks/results/*.json; do not edit. -->

What each query strategy buys on CamVid, with simulated annotators, beside what the thesis that the method
comes from printed: {SOURCE} (`benchmarks/results_page/thesis.py`).

The tables are computed from the JSON files in `benchmarks/results/`; what has not been run is said to be
so. A number from fewer than {SEEDS} seeds is marked *preliminary*: one seed does not tell differences of a
few points from chance. The words are explained in *How to read the tables*, below the goals.
"""

READING = f"""\
## How to read the tables

- **P** is the labelled set at the start, contiguous pieces of the drives, for neighbouring frames are
  near-duplicates. The rest of train is the pool, labelled in six groups.
- **budget** is the share of each image's pixels that may be asked about; **pixels asked** is the share of
  the pool's pixels that were. A budget is never exceeded. Real rounds ask at most 250 regions of a group on
  top of that by default (`selection.max_regions`); here there is no such limit.
- **keys** are the key presses of all groups so far: 1 to accept the model's guess, 2 to change it,
  painting by its strokes. They tell the effort of people better than pixels do.
- **dominant**: the annotator gives a region the one class that most of its pixels have, which is wrong
  for the others. **exact**: every asked pixel gets its own class, as in the thesis.
- **mIoU** is in per cent, over the confusion matrix of the whole set. **ratio** is to the mIoU with full
  labels.
- **gap closed** is (mIoU − mIoU_P) / (mIoU_full − mIoU_P). It tells strategies apart, for P alone reaches
  most of the ratio already: 85 % in the thesis.
- **full labels** is training on the labels of all of train, and *P alone* on those of P, in one piece, for as
  many steps as all rounds together. The column P and the start of the curves are that model, not the one that
  asks first, which had fewer steps. Full labels are not at their plateau at this many: with four times the
  steps they gain, P alone does not, and `tenth` gains with them (*Trained longer, at 120×90*).
- **full labels, P at a quarter** is the same with a pixel of P counting a quarter of any other, as `tenth`
  learns. Where it was run, what full labels reach is, seed by seed, what the better of the two on val does.
- **the thesis's recipe**: all strategies but `tenth` learn from the answers and from the model's own labels
  of everything else, as they were in the round of the image (algorithm 1). *Relabelled*: those of all groups
  are renewed by the model of each round.
- **restart**: the last model of `tenth` and of the runs named *learned as tenth* is trained in one piece as
  well, from the same start weights; the models of the rounds before, each trained on from the one before,
  only ask. The others go on to the end, as in the thesis; *without restart* so does `tenth`.
- **test** is 233 frames of two drives: Seq05VD (171), which train has nothing of, and 0001TP (62), other
  frames of which are in train. They are given apart and together; mIoU of both together is no mean of the
  two.
- **Differences** are taken seed by seed, in points; `+1.2 (0)` is that of seed 0. The interval is that of
  a paired t test, 95 %, from {SEEDS} seeds on. "Not told apart" means that it contains zero.

## How settings were chosen

By val: learning rate, class weights and zoom of the trainings by the short trainings at
the end of this page; what is learned from the answers by nine runs that asked all of the pool at once,
`tenth`'s ingredients beforehand, both with the first of those settings, and not tuned since. The figures of
test were printed beside, and nothing was selected by them. The restart was decided on by one run, `tenth` at
5 % with seed 0, where it took val from 49.8 to 52.1, before any other was seen. On processors, where both
were run with three seeds, `tenth` was above the runs without it at 5 %, and *below* them by a point of val at
10 %: by val at 10 % it would not have been kept. Beside `tenth` on the GPU, below, those same runs are behind
at both. It stays because with it the last model and the bound differ in their labels alone. `chance` was
chosen on smaller images by val of seed 0 among three changes of the questions, for a fiftieth of the pixels.

Nearly all runs of the main setting and of the transfer were made on one GPU, in bfloat16. Before, `tenth`,
`sp-crf`, `random-regions` and full labels had been run on processors, in float32 or bfloat16, with the same
three seeds: `tenth` reached 100.4 % of full labels and 102.5 % of the gap with 10 %, 95.2 % of full labels
with 5 %, `sp-crf` 84.7 % and `random-regions` 75.6 % of full labels. Their files are in the history of the
repository, at the commit ea06ad4. What was not repeated is still of them: all runs of `tenth without
restart`, those at 10 % from before `labels.sieve` was mended, which dropped an answer that the model held
impossible; and `sp-crf-class (relabelled)`.

CamVid (Brostow, Fauqueur and Cipolla, 2009; the split and 11 classes of the SegNet tutorial, CC BY-NC
4.0: research use only) is not part of this repository, nor are weights trained on it: there are only
numbers and curves here.
"""

ASKED_PIXELS = f"""\
## Figures 3.4, 3.10 and 3.11: what the strategies ask

A generated scene (`python -m benchmarks.scene_pictures`; no number of this page comes from it), seen by a
network after a short training.

![Figure 3.10: a generated scene, the entropy of each pixel, the regions that `sp` asks]({PICTURES}/{HEATMAP})

![Figures 3.4 and 3.11: a tenth of the pixels by strategy, and the wrong ones]({PICTURES}/{SELECTED})
"""


def page(results: Results) -> str:
    """Return docs/results.md."""
    drawn = plots(results)

    def figures(section: str) -> list[str]:
        return linked(drawn, section, PICTURES)

    lines = [
        *INTRO.splitlines(),
        "",
        *goals(results),
        *READING.splitlines(),
        "",
        *coverage(results),
        *table_3_1(results),
        *figures("3.1"),
        *ASKED_PIXELS.splitlines(),
        "",
        *table_3_2(results),
        *figures("3.2"),
        *table_3_3(results),
        *figures("3.3"),
        *zero_shot(results),
        *table_3_4(results),
        *table_3_5(results),
        *table_3_6(results),
        *table_3_7(results),
        *variants(results, "group_size"),
        *figures("3.12"),
        *variants(results, "region_size"),
        *learned_otherwise(results),
        *questions_alone(results),
        *crf_modes(results),
        *ablation(results),
        *replication(results),
        *longer(results),
        *distillation(results),
        *teacher_weights(results),
        *output_strides(results),
        *soft_labels(results),
        *training_settings(results),
        *how(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


__all__ = ["PICTURES", "Plot", "page", "plots"]
