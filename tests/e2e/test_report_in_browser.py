"""The report as a person opens it: drawn, readable, quick, and asking nobody for anything."""

import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from math import sin
from pathlib import Path

import pytest
from browser import Page, browser, needs_browser
from processes import FACTOR
from report_builders import MINUTE, START, closed, fill, run

from bus.messages import Side
from services.report.build import write_report
from services.report.run import AcceptedOrder, Bar, Refusal, Run

pytestmark = needs_browser
WEEK_MINUTES = 10_000
TRADES = 2_000
DRAWN = "document.documentElement.dataset.drawn === 'yes'"
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def week() -> Run:
    """A week of minutes, 2,000 trades, a crash, a silence, lost data, refusals."""
    price = [100 + 10 * sin(minute / 300) + sin(minute / 7) for minute in range(WEEK_MINUTES + 1)]
    bars: list[Bar] = []
    for minute, (first, last) in enumerate(pairwise(price)):
        high, low = max(first, last) + 0.1, min(first, last) - 0.1
        bars.append((START + minute * MINUTE, first, high, low, last, 5.0, minute % 1000 != 500))
    trades, fills, balance = [], [], Decimal(10_000)
    for number in range(1, TRADES + 1):
        entered, side = number * 5 - 4, Side.LONG if number % 2 else Side.SHORT
        entry, left = Decimal(f"{price[entered]:.2f}"), Decimal(f"{price[entered + 3]:.2f}")
        pnl = side.sign * (left - entry)
        balance += pnl
        trades.append(
            closed(
                str(pnl),
                trade_id=number,
                side=side,
                at=entered * 60,
                held=180,
                equity=str(balance),
                entry_price=entry,
                exit_price=left,
            )
        )
        fills.append(fill(number, base=str(entry), price=str(entry), sl=entry - side.sign, tp=entry + 2 * side.sign))
    return run(
        trades,
        bars=bars,
        fills=fills,
        equity=[(bar[0] + MINUTE, 10_000 + 20 * sin(bar[0] / MINUTE / 500)) for bar in bars],
        orders=[AcceptedOrder(f"order-{number}", START, 50 + number % 450, late=False) for number in range(TRADES)],
        refusals=[Refusal(START + number * MINUTE, "LONG", "throttled") for number in range(0, WEEK_MINUTES, 50)],
        rejections={"throttled": 200},
        last_ts=START + WEEK_MINUTES * MINUTE,
        candles=WEEK_MINUTES,
        restarts={"feed": 1},
        feed={"reconnects": 1, "stale_sec": 42.0, "refused": 3},
        incidents=[
            {"ts": "2026-11-24T05:00:00.000Z", "service": "feed", "event": "service_failed", "message": "feed crashed"},
            {"ts": "2026-11-25T05:00:00.000Z", "event": "data_stale", "message": "silence", "seconds": 42.0},
        ],
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("week")
    example = week()
    started = time.perf_counter()
    made = write_report(example, directory)
    assert time.perf_counter() - started < 3 * FACTOR, "a week's report is built in under three seconds"
    assert made.stat().st_size < 3_000_000
    return made


@pytest.fixture(scope="module")
def page(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.look(1200, 900)
        opened.open(report.as_uri())
        opened.wait(DRAWN)
        yield opened
        assert opened.complaints == []
        assert {url for url in opened.requests if not url.startswith("data:")} == {report.as_uri()}


def ink(page: Page, chart: str) -> float:
    """The share of a chart's canvas that something is drawn on; read from a copy, which the browser keeps for reading."""
    found = page.tell(
        f"(() => {{const canvas = document.querySelector('#{chart} canvas');"
        "const copy = Object.assign(document.createElement('canvas'), {width: canvas.width, height: canvas.height});"
        "const pen = copy.getContext('2d', {willReadFrequently: true}); pen.drawImage(canvas, 0, 0);"
        "const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;"
        "let hits = 0; for (let i = 3; i < data.length; i += 4) hits += data[i] > 0;"
        "return hits / (data.length / 4)})()"
    )
    return float(found)


def test_a_run_without_a_candle_is_drawn_too(tmp_path: Path) -> None:
    """Stopped in its first minute: an order was refused, another on its way."""
    orders = [AcceptedOrder("order-1", START, 100, late=False)]
    refusals = [Refusal(START, "LONG", "no_quote")]
    made = write_report(run([], orders=orders, refusals=refusals, rejections={"no_quote": 1}), tmp_path)
    with browser(tmp_path / "browser") as opened:
        opened.look(1200, 900)
        opened.open(made.as_uri())
        opened.wait(DRAWN)
        assert ink(opened, "chart-latency") > 0.001
        assert opened.complaints == []


def test_everything_that_can_be_drawn_is(page: Page) -> None:
    for chart in ("price", "equity", "fall", "events", "chart-r", "chart-holding", "chart-latency", "chart-slippage"):
        assert ink(page, chart) > 0.01, chart


def test_the_first_screen_says_what_came_out_and_whether_to_trust_it(page: Page) -> None:
    seen = page.tell(
        "[...document.querySelectorAll('h1, .verdict, #trust, .figure')].map((e) => e.innerText).join('|')"
    )
    for words in ("BTCUSDT 1m", "in 2,000 trades", "can be trusted with care", "feed 1 x", "no market data for 42 s"):
        assert words in seen
    bottom = page.tell("document.querySelector('.figures').getBoundingClientRect().bottom")
    assert bottom < 900


def test_a_click_on_a_head_sorts_and_another_turns_it_round(page: Page) -> None:
    values = "[...document.querySelectorAll('tr[data-trade]')].slice(0, 3).map((r) => Number(r.cells[2].dataset.value))"
    third = "table.sortable th:nth-child(3) button"
    page.click(third)
    falling = page.tell(values)
    page.click(third)
    rising = page.tell(values)
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert falling[0] > 0 > rising[0]


def test_a_long_table_brings_more_rows_as_it_is_scrolled(page: Page) -> None:
    rows = "document.querySelectorAll('tr[data-trade]').length"
    before = page.tell(rows)
    page.tell("document.querySelector('.tall').scrollTop = 1e6")
    page.wait(f"{rows} > {before}")


def test_a_click_on_a_trade_shows_it_in_the_chart_and_a_button_shows_all_again(page: Page) -> None:
    is_all = "document.getElementById('zoom-hint').hidden"
    assert page.tell(is_all)
    page.click("tr[data-trade]")
    assert not page.tell(is_all)
    number = page.tell("document.querySelector('tr[data-trade]').dataset.trade")
    assert f"trade {number} " in page.tell("document.getElementById('readout').textContent")
    page.click("[data-act=all]")
    assert page.tell(is_all)


def test_a_drag_over_the_chart_zooms_and_the_cursor_reads_out(page: Page) -> None:
    page.tell("document.getElementById('market').scrollIntoView()")
    x, y, width = page.tell(
        "(() => {const r = document.querySelector('#price .u-over').getBoundingClientRect();"
        "return [r.x, r.y + r.height / 2, r.width]})()"
    )
    page.mouse("mouseMoved", x + width * 0.4, y)
    page.tell(FRAME)
    assert " equity " in page.tell("document.getElementById('readout').textContent")
    page.mouse("mousePressed", x + width * 0.4, y)
    page.mouse("mouseMoved", x + width * 0.6, y)
    page.mouse("mouseReleased", x + width * 0.6, y)
    page.wait("!document.getElementById('zoom-hint').hidden")
    page.click("[data-act=all]")


def test_drawing_a_week_again_takes_less_than_a_blink(page: Page) -> None:
    took = page.tell(
        "(async () => {const times = []; for (const act of ['in', 'left', 'right', 'out', 'all']) {const t ="
        f" performance.now(); document.querySelector(`[data-act=${{act}}]`).click(); await {FRAME};"
        " times.push(performance.now() - t)} return times.sort((a, b) => a - b)[2]})()"
    )
    assert took < 400 * FACTOR


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1200, 900)])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_phone_and_desk_in_light_and_dark(page: Page, width: int, height: int, dark: bool) -> None:
    page.look(width, height, dark=dark, phone=width < 600)
    page.tell(FRAME)
    assert page.tell("document.documentElement.scrollWidth") <= width
    paper = page.tell("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)[0]")
    assert (paper < 60) == dark
    assert ink(page, "price") > 0.01
    page.look(1200, 900)
