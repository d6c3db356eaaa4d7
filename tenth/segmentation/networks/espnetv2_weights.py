"""The released weights of ESPNetv2 (github.com/sacmehta/EdgeNets, MIT) under our names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tenth.errors import DataError

RENAMES = (
    ("bu_dec_l4.merge_layer.3.", "classifier."),
    ("bu_dec_l1.merge_layer.3.", "decoder.expands.0."),
    ("bu_dec_l2.merge_layer.3.", "decoder.expands.1."),
    ("bu_dec_l3.merge_layer.3.", "decoder.expands.2."),
    ("bu_dec_l1.br.", "decoder.outputs.0."),
    ("bu_dec_l2.br.", "decoder.outputs.1."),
    ("bu_dec_l3.br.", "decoder.outputs.2."),
    ("bu_dec_l1.", "decoder.pyramids.0."),
    ("bu_dec_l2.", "decoder.pyramids.1."),
    ("bu_dec_l3.", "decoder.pyramids.2."),
    ("bu_dec_l4.", "decoder.pyramids.3."),
    ("merge_enc_dec_l2.", "decoder.skips.0."),
    ("merge_enc_dec_l3.", "decoder.skips.1."),
    ("merge_enc_dec_l4.", "decoder.skips.2."),
    ("bu_br_l2.", "decoder.joins.0.br."),
    ("bu_br_l3.", "decoder.joins.1.br."),
    ("bu_br_l4.", "decoder.joins.2.br."),
    ("base_net.level1.", "encoder.stem."),
    ("base_net.level2_0.", "encoder.down4."),
    ("base_net.level3_0.", "encoder.down8."),
    ("base_net.level3.", "encoder.units8."),
    ("base_net.level4_0.", "encoder.down16."),
    ("base_net.level4.", "encoder.units16."),
    (".inp_reinf.", ".reinforce."),
    (".proj_1x1.", ".reduce."),
    (".projection_layer.", ".reduce."),
    (".spp_dw.0.conv.", ".branches.0."),
    (".spp_dw.1.conv.", ".branches.1."),
    (".spp_dw.2.conv.", ".branches.2."),
    (".spp_dw.3.conv.", ".branches.3."),
    (".stages.", ".branches."),
    (".br_after_cat.", ".merged."),
    (".merge_layer.0.", ".merged."),
    (".merge_layer.2.", ".mix."),
    (".conv_1x1_exp.", ".expand."),
    (".expansion_layer.", ".expand."),
    (".wt_layer.1.", ".gate."),
    (".module_act.", ".activation."),
    (".cbr.0.", ".conv."),
    (".cbr.1.", ".norm."),
    (".cbr.2.", ".activation."),
    (".br.0.", ".norm."),
    (".br.1.", ".activation."),
    (".bn.", ".norm."),
    (".act.", ".activation."),
)
"""Their names and ours, replaced in this order."""

UNUSED = frozenset(f"base_net.level{level}_0.eesp.module_act.weight" for level in (2, 3, 4))
"""Stored, but no output of the released model depends on them: a strided unit is activated after joining."""


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` under our names, without what is `UNUSED`.

    Raises
    ------
    DataError
        When two keys get the same name.
    """
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in UNUSED:
            continue
        name = key
        for theirs, ours in RENAMES:
            name = name.replace(theirs, ours)
        if name in result:
            raise DataError(f"Two tensors of the weights are '{name}' here, one of them '{key}'.")
        result[name] = value
    return result
