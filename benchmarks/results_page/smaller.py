"""The experiments that the main setting was too slow for, on smaller images and with fewer steps."""

from __future__ import annotations

from benchmarks.results_page.asking import table_3_6
from benchmarks.results_page.efficiency import table_3_1, table_3_2, table_3_4
from benchmarks.results_page.load import DETAILS, Results
from benchmarks.results_page.variants import variants


def smaller(results: Results) -> list[str]:
    """Return the part on the smaller setting; nothing before anything was run in it."""
    small = results.smaller
    if small is None or not small.label_efficiency:
        return []
    about = small.about(DETAILS[0])
    width, height = about["size"]
    sections = (
        table_3_1(small),
        table_3_2(small),
        table_3_4(small),
        table_3_6(small),
        variants(small, "group_size"),
        variants(small, "region_size"),
    )
    return [
        f"# At {width}×{height}",
        "",
        "What the setting above was too slow for, on fewer pixels and with fewer steps: regions of "
        f"{about['region_size']} pixels, {about['initial_steps']} steps at first and "
        f"{about['round_steps']} a round. Thin things are lost at this size; compare within a table only.",
        "",
        f"    {about['command']}",
        "",
        *(line for section in sections for line in [f"{section[0]}, at {width}×{height}", *section[1:]]),
    ]
