"""Tables of the page: escaped cells, heads that sort, a frame that scrolls. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell.

    `kind` is one of the style sheet's words (`number`, `words`, `good`, `bad`); `value` is what a number is sorted by.
    """

    text: str
    kind: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row; `trade` is the id of the trade that a click on it shows in the chart."""

    cells: Sequence[Cell]
    trade: int | None = None


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Cell] | Row],
    *,
    sortable: bool = False,
    tall: bool = False,
    stack: bool = False,
) -> str:
    """A table that scrolls sideways on a narrow screen.

    Args:
        head: Titles; one that starts with `+` stands over numbers. None: no head.
        rows: The rows.
        sortable: A click on a title sorts.
        tall: It also scrolls up and down, under its head.
        stack: On a narrow screen a row's words stand below its other cells.
    """
    columns = "".join(_th(title, sortable=sortable) for title in head)
    body = "".join(_tr(row if isinstance(row, Row) else Row(row)) for row in rows)
    top = f"<thead><tr>{columns}</tr></thead>" if head else ""
    kinds = " ".join(name for name, wanted in (("sortable", sortable), ("stack", stack)) if wanted)
    kind = f' class="{kinds}"' if kinds else ""
    return f'<div class="scroll{" tall" if tall else ""}"><table{kind}>{top}<tbody>{body}</tbody></table></div>'


def _th(title: str, *, sortable: bool) -> str:
    text = escape(title.removeprefix("+"))
    inner = f'<button type="button">{text}</button>' if sortable and text else text
    return f'<th class="number">{inner}</th>' if title.startswith("+") else f"<th>{inner}</th>"


def _tr(row: Row) -> str:
    mark = "" if row.trade is None else f' data-trade="{row.trade}"'
    return f"<tr{mark}>{''.join(map(_td, row.cells))}</tr>\n"


def _td(cell: Cell) -> str:
    kind = f' class="{cell.kind}"' if cell.kind else ""
    value = "" if cell.value is None else f' data-value="{cell.value:.12g}"'
    return f"<td{kind}{value}>{escape(cell.text)}</td>"
