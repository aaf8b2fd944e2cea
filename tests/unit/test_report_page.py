"""The report's page: it needs nothing from anywhere, escapes everything, and says what there is to say."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from decimal import Decimal
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from report_builders import START, bar, closed, fill, position, run

from bus.messages import RejectReason, Side, StopReason
from services.report.equity_svg import MOST_POINTS, equity_svg, thinned
from services.report.page_assets_file import scripts
from services.report.page_html import MOST_TRADES, REJECTION_WORDS, page
from services.report.run import Run
from services.report.summary import STOP_WORDS, summary
from services.report.tables_html import Cell, Row, table

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
        bars=[bar(0), bar(1, complete=False)],
        fills=[fill(1), fill(1, is_entry=False)],
    )


def without_library(text: str) -> str:
    """The page without the chart library, which is not ours to judge."""
    return text.replace(scripts()[0], "")


def test_nothing_is_loaded_from_anywhere() -> None:
    text = html(full())
    names = {name for name, _ in Tags(text).attributes}
    assert names.isdisjoint({"src", "href", "srcset", "action", "onload", "onclick", "style"})
    assert not re.search(r"https?://|@import|url\(|fetch\(|import\(", without_library(text))
    assert "default-src 'none'" in text


def test_only_the_pages_own_scripts_may_run() -> None:
    text = html(full())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    allowed = set(re.findall(r"'sha256-([^']*)'", policy[1]))
    found = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in found} == allowed
    assert len(found) == 3


def test_the_charts_data_is_json_that_no_text_can_break_out_of() -> None:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', html(full()), re.DOTALL)
    assert found is not None
    assert "<" not in found[1]
    data: dict[str, Any] = json.loads(found[1])
    assert EVIL in [spell[3] for spell in data["spells"]]
    assert data["bars"]["lost"] == [1]
    assert data["trades"][0][:2] == [1, 1]


@pytest.mark.parametrize("example", [run(), full()], ids=["empty", "full"])
def test_every_tag_is_closed(example: Run) -> None:
    assert Tags(html(example)).stack == []


def test_everything_from_outside_is_escaped() -> None:
    text = html(full())
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json" id="run">', *["<script>"] * 3]
    assert text.count("&lt;script&gt;") >= 8
    assert "&amp;lt;" not in text


def test_secrets_stay_out() -> None:
    assert "secret" not in html(full())


def test_a_market_with_a_clock_of_its_own_is_told() -> None:
    words = "On the market's own clock"
    assert words not in html(full())
    assert words in html(run(first_ts=START - 86_400_000, last_ts=START))


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
    assert "2,002, the last 2,000 of them here, all in trades.csv" in text
    assert text.count("<td>TP</td>") == MOST_TRADES


def test_it_says_on_top_whether_the_session_can_be_trusted_and_why_not() -> None:
    assert '<section class="trust good" id="trust"><p>This session can be trusted.</p></section>' in html(run())
    text = html(full())
    assert text.index("This session can not be trusted.") < text.index("Net result")
    assert "Data was lost in 1 of 2 candles." in text


def test_how_to_see_it_again_is_told() -> None:
    assert "<code>lap replay 20261123-050000 --check</code>" in html(run())
    assert "<code>lap replay data.csv</code>" in html(run(replayed=["data.csv"]))
    changed = run(
        replayed=[r"C:\my data\trades.csv", "quotes.csv"],
        settings={"strategy_params": {"fast": 2, "slow": 5}, "stop_bps": 40.0, "replay_file": ["x"]},
        origins={
            "strategy_params": "--set strategy_params",
            "stop_bps": "lap.toml",
            "replay_file": "--set replay_file",
        },
    )
    again = r'lap replay "C:\my data\trades.csv" quotes.csv --set strategy_params=fast=2,slow=5'
    assert f"<code>{escape(again)}</code>" in html(changed)


def test_what_a_kept_position_stands_at_is_told_beside_the_result() -> None:
    assert ", -12.50 still open" in html(run(position=position(unrealized=Decimal("-12.5"))))
    assert "still open" not in html(run())


def test_every_refusal_has_words() -> None:
    assert set(REJECTION_WORDS) == set(RejectReason)


def test_a_figure_that_does_not_exist_is_a_dash_with_its_reason() -> None:
    text = html(run([closed()]))
    dash = '<td class="number">–</td>'  # noqa: RUF001 - a dash is what is meant
    assert f'<td>Sharpe</td>{dash}<td class="words faint">needs 30 days, the run has 1</td>' in text
    assert f'<td>profit factor</td>{dash}<td class="words faint">no trade lost</td>' in text


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


def test_how_the_session_went_is_told_in_a_table() -> None:
    feed = {"refused": 5, "reconnects": 1_000, "stale_sec": 6.4}
    text = html(run(restarts={"feed": 2, "broker": 0}, feed=feed, bars=[bar(0), bar(1, complete=False)]))
    told = {
        "candles": "2, with lost data 1",
        "ticks": "1,234, refused 5",
        "last price": "101.5",
        "last event, UTC": "2026-11-23 05:01:40",
        "reconnects": "1,000",
        "seconds without data, connected": "6",
        "service restarts": "2 (feed 2)",
        "seed": "7",
        "stopped by": "monitor",
        "versions": "python 3.11.7",
    }
    for name, value in told.items():
        assert f'<td>{name}</td><td class="words">{value}</td>' in text
    blank = run(last_close=None, last_ts=0)
    nothing = html(replace(blank, versions={}, end=replace(blank.end, by="")))
    assert '<td>versions</td><td class="words">-</td>' in nothing
    assert '<td>stopped by</td><td class="words">-</td>' in nothing
    assert '<td>last event, UTC</td><td class="words">-</td>' in nothing
    assert '<td>last price</td><td class="words">-</td>' in nothing


def test_what_trading_cost_stands_between_gross_and_net() -> None:
    trade = closed("10", fees=Decimal("0.25"), funding=Decimal("-0.05"), equity="10010")
    text = html(run([trade], fills=[fill(price="100.50")]))
    amounts = re.findall(r"<tr><td>(\w+)</td><td class=number>([^<]*)</td>", text)
    assert amounts == [
        ("gross", "+10.45"),
        ("slippage", "-0.25"),
        ("fees", "-0.25"),
        ("funding", "+0.05"),
        ("net", "+10.00"),
    ]


def test_a_setting_of_any_kind_is_told_as_the_command_line_takes_it() -> None:
    changed = run(
        replayed=["data.csv"],
        settings={"strategy": "ema_cross", "stop_bps": 40.0, "tick_size": None},
        origins={"source": "default", **{name: f"--set {name}" for name in ("strategy", "stop_bps", "tick_size")}},
    )
    again = "lap replay data.csv --set stop_bps=40.0 --set strategy=ema_cross --set tick_size="
    assert f"<code>{again}</code>" in html(changed)


def test_a_table_has_the_head_it_is_given_and_sorts_only_where_it_says_so() -> None:
    rows = [[Cell("a"), Cell("5", "number", 5.0)]]
    body = '<tbody><tr><td>a</td><td class="number" data-value="5">5</td></tr>\n</tbody></table></div>'
    head = '<thead><tr><th>name</th><th class="number">count</th></tr></thead>'
    assert table(("name", "+count"), rows) == f'<div class="scroll"><table>{head}{body}'
    assert table((), rows) == f'<div class="scroll"><table>{body}'
    head = '<thead><tr><th><button type="button">name</button></th><th></th></tr></thead>'
    assert table(("name", ""), rows, sortable=True, tall=True) == (
        f'<div class="scroll tall"><table class="sortable">{head}{body}'
    )
    assert table((), rows, sortable=True, stack=True).startswith('<div class="scroll"><table class="sortable stack">')


def test_a_row_of_a_trade_names_it_for_the_chart() -> None:
    assert '<tr data-trade="7"><td>a</td></tr>' in table((), [Row([Cell("a")], 7)])


@pytest.mark.parametrize(
    ("pnl", "tone", "net", "rate"), [("0.50", "good", "+0.50", "100.0 %"), ("-0.50", "bad", "-0.50", "0.0 %")]
)
def test_what_was_made_and_lost_is_told_in_its_colour(pnl: str, tone: str, net: str, rate: str) -> None:
    text = html(run([closed(pnl, equity=str(10000 + Decimal(pnl)))]))
    assert f'<dt>Net result</dt><dd class="{tone}">{net}<' in text
    assert f'<dt>Win rate</dt><dd class="">{rate}<' in text


def test_without_a_trade_there_is_neither_a_colour_nor_a_win_rate() -> None:
    text = html(run())
    assert '<dt>Net result</dt><dd class="">+0.00<' in text
    assert '<dt>Win rate</dt><dd class="">\N{EN DASH}<' in text


@pytest.mark.parametrize(("urls", "told"), [([], "-"), (["json://a", "tgram://b"], "2 set")])
def test_of_notification_urls_only_their_number_is_told(urls: list[str], told: str) -> None:
    assert f'<td>alert_urls</td><td class="words">{told}</td>' in html(run(settings={"alert_urls": urls}))


@pytest.mark.parametrize(
    ("price", "told"), [(60_000.5, "60,000.5"), (1.2345678, "1.2345678"), (0.000012345, "1.2345e-05")]
)
def test_the_last_price_is_told_in_its_digits(price: float, told: str) -> None:
    assert f'<td>last price</td><td class="words">{told}</td>' in html(run(last_close=price))
