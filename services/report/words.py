"""Numbers, times and values as a person reads them in the report. Pure."""

from collections.abc import Mapping


def dash(value: float | None, form: str) -> str:
    """A number in a format such as `{:.2f} %`; a dash when there is none."""
    return "–" if value is None else form.format(value)  # noqa: RUF001 - a dash is what is meant


def many(count: int, noun: str) -> str:
    """`1 order`, `2,000 orders`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def span(seconds: float) -> str:
    """A length of time: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 2 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole} s"


def clock(moment: str) -> str:
    """`2026-11-23T05:18:00.123Z` as a person reads it: without `T`, fraction and zone."""
    return moment.replace("T", " ").partition(".")[0].removesuffix("Z")


def value_text(value: object) -> str:
    """A setting's value."""
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={value_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    return str(value)
