"""Tables, files and sentences made from a run's results.

table     one table: HTML in a notebook, booktabs LaTeX, Markdown
build     from tidy results to the paper's tables, one a target, with every footnote that a number needs
export    tidy CSV, LaTeX, macros of all numbers, scores of every clip; predictions of other systems as rows
listing   captions side by side
facts     small facts about a run
frames    the small tables that the notebooks show
findings     what notebooks 01 to 05 found, in sentences whose wording the numbers choose
conclusions  the same for the paper's question
"""

from aaclib.escape import latex as escape
from aaclib.tables import conclusions, findings, frames
from aaclib.tables.build import best_row, build, judged_table, main_table, published, published_rows, ratio_to_published
from aaclib.tables.export import decodings, export_run, letters, macros, other_systems, save_csv, source_list
from aaclib.tables.facts import all_pairs, caption_overlap, gap_pairs, has_references, pair, paired, verdict
from aaclib.tables.findings import Findings
from aaclib.tables.listing import examples, side_by_side, text_table
from aaclib.tables.table import Cell, Row, Table

__all__ = [
    "Cell",
    "Findings",
    "Row",
    "Table",
    "all_pairs",
    "best_row",
    "build",
    "caption_overlap",
    "conclusions",
    "decodings",
    "escape",
    "examples",
    "export_run",
    "findings",
    "frames",
    "gap_pairs",
    "has_references",
    "judged_table",
    "letters",
    "macros",
    "main_table",
    "other_systems",
    "pair",
    "paired",
    "published",
    "published_rows",
    "ratio_to_published",
    "save_csv",
    "side_by_side",
    "source_list",
    "text_table",
    "verdict",
]
