"""The report's page: it needs nothing from anywhere, escapes everything, and says what there is to say."""

import re
from html.parser import HTMLParser

import pytest
from report_builders import START, closed, position, run

from bus.messages import Side, StopReason
from services.report.equity_svg import MOST_POINTS, equity_svg, thinned
from services.report.page_html import MOST_TRADES, page
from services.report.run import Run
from services.report.summary import STOP_WORDS, summary

EVIL = '<script>alert("x")</script>&'


def html(example: Run) -> str:
    return page(example, summary(example))


class Tags(HTMLParser):
    """Checks that every tag that opens closes, and keeps all attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag != "meta":
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs


def full() -> Run:
    return run(
        [closed("30", equity="10030"), closed("-10", side=Side.SHORT, equity="10020", trade_id=2, at=50)],
        reason=StopReason.RESTARTS_EXHAUSTED,
        detail=EVIL,
        restarts={"feed": 4},
        incidents=[
            {"ts": "2026-11-23T05:00:01.000Z", "service": EVIL, "event": "restart", "message": EVIL},
            {"ts_ms": START, "what": EVIL},
        ],
        notes=[EVIL],
        settings={"symbol": EVIL, "alert_urls": ["tgram://secret"], "strategy_params": {EVIL: [EVIL]}},
        position=position(),
        rejections={"throttled": 3, EVIL: 1},
        equity=[(START + 1, 10001.0), (START + 2, 9999.0)],
    )


def test_nothing_is_loaded_from_anywhere() -> None:
    text = html(full())
    names = {name for name, _ in Tags(text).attributes}
    assert names.isdisjoint({"src", "href", "srcset", "action", "onload", "style"})
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("example", [run(), full()], ids=["empty", "full"])
def test_every_tag_is_closed(example: Run) -> None:
    assert Tags(html(example)).stack == []


def test_everything_from_outside_is_escaped() -> None:
    text = html(full())
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 8
    assert "&amp;lt;" not in text


def test_secrets_stay_out() -> None:
    assert "secret" not in html(full())


def test_it_says_why_the_session_ended_and_what_came_out() -> None:
    text = html(run([closed("30", equity="10030")], reason=StopReason.CIRCUIT_BREAKER, detail="5 losses in a row"))
    assert f"{STOP_WORDS[StopReason.CIRCUIT_BREAKER].removesuffix('.')} (5 losses in a row)." in text
    assert '<span class="badge bad">circuit_breaker</span>' in text
    assert "Made 30.00 (+0.30 %) in 1 trade" in text


def test_rejections_incidents_and_an_open_position_have_their_place() -> None:
    text = html(full())
    assert "<td>throttled</td>" in text
    assert "LONG 0.5 at 100 since 2026-11-23 05:00:01 UTC" in text
    assert "feed 4" in text
    assert "<td>2026-11-23 05:00:01</td>" in text


def test_a_long_list_of_trades_is_cut_and_says_so() -> None:
    trades = [closed(trade_id=number) for number in range(1, MOST_TRADES + 3)]
    text = html(run(trades))
    assert "1,002, the last 1,000 of them here, all in trades.csv" in text
    assert text.count("<td>TP</td>") == MOST_TRADES


def test_light_and_dark_and_narrow_screens_are_served() -> None:
    text = html(run())
    assert "prefers-color-scheme: dark" in text
    assert 'content="width=device-width' in text


def test_a_curve_needs_two_points_and_survives_a_flat_one() -> None:
    assert equity_svg([(START, 1.0)]) == ""
    assert "nan" not in equity_svg([(START, 1.0), (START, 1.0)])


def test_thinning_keeps_ends_and_extremes() -> None:
    curve = [(START + number, 100.0) for number in range(10_000)]
    curve[1234] = (START + 1234, 5.0)
    curve[7777] = (START + 7777, 500.0)
    kept = thinned(curve)
    assert len(kept) <= MOST_POINTS + 2
    assert (kept[0], kept[-1]) == (curve[0], curve[-1])
    assert {curve[1234], curve[7777]} <= set(kept)
    assert kept == sorted(kept)
