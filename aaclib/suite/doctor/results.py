"""What the doctor found: one `Check` for each thing looked at, and all of them as `Checks`."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aaclib.escape import NO_MATH

LEVELS = ("error", "warning", "ok")  # would stop the run; the run goes on with something less; fine


@dataclass(frozen=True)
class Check:
    level: str  # one of LEVELS
    what: str  # the thing looked at
    detail: str  # how it is, one sentence
    fix: str = ""  # the command or step that helps; "" where nothing has to be done

    def __str__(self) -> str:
        line = f"{self.level.upper():<8}{self.what}: {self.detail}"
        return line + (f"\n        fix: {self.fix}" if self.fix else "")


class Checks(list):
    """A list of `Check`, worst first, that prints itself in a terminal and in a notebook."""

    @property
    def errors(self) -> list[Check]:
        return [check for check in self if check.level == "error"]

    @property
    def warnings(self) -> list[Check]:
        return [check for check in self if check.level == "warning"]

    def __str__(self) -> str:
        end = f"{len(self.errors)} would stop the run, {len(self.warnings)} would leave something out."
        return "\n".join([*map(str, self), end if self.errors or self.warnings else "Nothing stands in the way."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = "style='text-align:left;vertical-align:top'"
        head = "".join(f"<th {left}>{name}</th>" for name in ("", "checked", "result", "to fix it"))
        cells = ((c.level, c.what, c.detail, c.fix) for c in self)
        rows = ("".join(f"<td {left}>{html.escape(text)}</td>" for text in texts) for texts in cells)
        return f"<table {NO_MATH}><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def either(level: str, what: str, wrong: str, fine: str, fix: str) -> Check:
    """What is `wrong`, at this level and with what helps; where that is empty, what is `fine`."""
    return Check(level, what, wrong, fix) if wrong else Check("ok", what, fine)


def problem(kind: type[Exception], action: Callable, *arguments: Any, **options: Any) -> str:
    """What a call raises, in words; '' where it goes well."""
    try:
        action(*arguments, **options)
    except kind as error:
        return str(error) or type(error).__name__
    return ""
