"""Tables, files and sentences made from a run's results.

table     one table: HTML in a notebook, Markdown
latex     the same as booktabs LaTeX that fits a column or a page
paper     all figures and tables of a run that a paper wants, from the store
build     from tidy results to the paper's tables, one per target, with every footnote that a number needs
export    tidy CSV, LaTeX, macros of all numbers, scores of every clip; predictions of other systems as rows
listing   captions side by side
facts     small facts about a run
frames    the small tables that the notebooks show
findings     what notebooks 01 to 05 found, in sentences whose wording the numbers choose
conclusions  the same for the paper's question
"""

from aaclib.tables.build import judged_table, main_table, ratio_to_published
from aaclib.tables.export import decodings, export_run, other_systems, save_csv, source_list
from aaclib.tables.facts import all_pairs, caption_overlap, gap_pairs, paired
from aaclib.tables.listing import examples, side_by_side, text_table

__all__ = [
    "all_pairs",
    "caption_overlap",
    "decodings",
    "examples",
    "export_run",
    "gap_pairs",
    "judged_table",
    "main_table",
    "other_systems",
    "paired",
    "ratio_to_published",
    "save_csv",
    "side_by_side",
    "source_list",
    "text_table",
]
