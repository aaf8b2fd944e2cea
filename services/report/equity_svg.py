"""A curve of equity as an inline SVG. Pure; colours are the page's business (`currentColor`)."""

from collections.abc import Callable, Sequence

from services.report.run import EquityPoint

WIDTH, HEIGHT, MARGIN = 720, 180, 6
MOST_POINTS = 600


def equity_svg(curve: Sequence[EquityPoint]) -> str:
    """Draw equity over event time, with a dashed line at its start; empty text for fewer than two points."""
    points = thinned(curve)
    if len(points) < 2:
        return ""
    times, values = [ts for ts, _ in points], [value for _, value in points]
    start = values[0]
    x_of = _scale(times[0], times[-1], MARGIN, WIDTH - MARGIN)
    y_of = _scale(min(values), max(values), HEIGHT - MARGIN, MARGIN)
    line = " ".join(f"{x_of(ts):.1f},{y_of(value):.1f}" for ts, value in points)
    floor = f"{x_of(times[-1]):.1f},{HEIGHT} {x_of(times[0]):.1f},{HEIGHT}"
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Equity from {start:,.2f} to {values[-1]:,.2f}, lowest {min(values):,.2f}, '
        f'highest {max(values):,.2f}">'
        f'<line class="start" x1="0" x2="{WIDTH}" y1="{y_of(start):.1f}" y2="{y_of(start):.1f}"/>'
        f'<polygon class="area" points="{line} {floor}"/><polyline class="line" points="{line}"/></svg>'
    )


def thinned(curve: Sequence[EquityPoint], most_points: int = MOST_POINTS) -> list[EquityPoint]:
    """At most `most_points` or so: each stretch gives its lowest and highest point, so that no extreme is lost."""
    if len(curve) <= most_points:
        return list(curve)
    step = -(-2 * len(curve) // most_points)
    kept = [curve[0]]
    for begin in range(1, len(curve) - 1, step):
        stretch = range(begin, min(begin + step, len(curve) - 1))
        lowest = min(stretch, key=lambda index: curve[index][1])
        highest = max(stretch, key=lambda index: curve[index][1])
        kept += [curve[index] for index in sorted({lowest, highest})]
    return [*kept, curve[-1]]


def _scale(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    """A linear map of `[low, high]` onto `[begin, end]`; an empty range goes to the middle."""
    if high <= low:
        return lambda _: (begin + end) / 2
    return lambda value: begin + (value - low) * (end - begin) / (high - low)
