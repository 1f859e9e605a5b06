"""CSV that opens in a spreadsheet without running anything.

A spreadsheet takes a cell that begins with `= + - @`, a tab or a carriage return for a formula;
such text gets an apostrophe in front (OWASP, "CSV Injection"). Numbers are left alone: a negative
number is not a formula.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.http import StreamingHttpResponse

__all__ = ["csv_lines", "csv_response", "safe_cell"]

Cell = str | int | float | bool | datetime | None
_FORMULA = re.compile(r"[=+\-@\t\r]")


class _Echo:
    """A file that hands back what is written to it: the writer keeps no buffer."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: Cell) -> Cell:
    """Return `value` as a spreadsheet may show it: text that looks like a formula is quoted."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield the lines of a CSV document (RFC 4180), the header first."""
    writer = csv.writer(_Echo())
    yield writer.writerow([safe_cell(cell) for cell in header])
    for row in rows:
        yield writer.writerow([safe_cell(cell) for cell in row])


def csv_response(
    filename: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse:
    """Return a download that is written as it is read: memory does not grow with the rows.

    Args:
        filename: Plain name with its ending, e.g. `services.csv`.
        header: Column names.
        rows: One sequence of cells a line.
    """
    return StreamingHttpResponse(
        csv_lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
