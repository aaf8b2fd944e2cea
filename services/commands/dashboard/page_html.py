"""The dashboard's page: the report's charts and cards, kept up to date, with services, log and the kill button. Pure.

Like the report it is one file; its policy allows its own scripts, and questions to where it came from, nothing else.
"""

from html import escape
from pathlib import Path

from services.report.page_assets_file import hashes, style
from services.report.page_assets_file import scripts as report_scripts
from services.report.page_html import MARKET

_HERE = Path(__file__).parent


def page(title: str) -> tuple[str, str]:
    """The page and the policy that goes with it.

    Args:
        title: what the session is.
    """
    library, charts, _ = report_scripts()
    live = (_HERE / "dashboard.js").read_text(encoding="utf-8")
    own = (_HERE / "dashboard.css").read_text(encoding="utf-8")
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style()}\n{own}</style></head><body><main>\n"
        f'<div class="bar"><h1>{escape(title)}</h1><span class="badge" id="state">connecting</span>'
        '<button type="button" id="kill">Stop the session</button></div>\n'
        '<progress id="countdown" max="1" value="0" aria-label="time"></progress><p class="faint" id="clock"></p>\n'
        '<dl class="figures" id="now"></dl>\n<div id="cards"></div>\n'
        f"{MARKET}"
        '<div class="two"><section><h2>Services</h2><div class="scroll"><table><thead><tr><th>service</th><th>state</th>'
        '<th class="number">pid</th><th class="number">beat</th><th class="number">restarts</th><th>rate</th></tr></thead>'
        '<tbody id="services"></tbody></table></div></section>\n'
        '<section><h2>Log</h2><div class="scroll log" id="log" tabindex="0"></div></section></div>\n'
        '<dialog id="sure"><p>Stop the session and close its position?</p><div class="bar">'
        '<button type="button" id="yes">Stop it</button><button type="button" id="no">No</button></div></dialog>\n'
        "</main>\n" + "".join(f"<script>{script}</script>\n" for script in (library, charts, live)) + "</body></html>\n"
    )
    policy = (
        "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
        f"base-uri 'none'; form-action 'none'; script-src {hashes(library, charts, live)}"
    )
    return text, policy
