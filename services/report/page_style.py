"""How the report looks: one style sheet, light or dark as the reader's system is, narrow screens included. Pure."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1c1f23; --faint: #6a7077; --rule: #e3e4e2;
  --good: #1a7f4b; --bad: #b3332b; --warn: #8a5a00; --warn-paper: #fff6e0; --accent: #2f5fb3; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1c2024; --ink: #e6e8ea; --faint: #98a0a8;
  --rule: #2e3439; --good: #52c98b; --bad: #f0837a; --warn: #e8bd6a; --warn-paper: #2b2517; --accent: #86aef0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; }
.faint { color: var(--faint); font-size: .9rem; }
.verdict { font-size: 1.15rem; margin: 1.1rem 0 .2rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: 0 .65rem;
  font-size: .85rem; font-weight: 600; margin-right: .5rem; }
.note { background: var(--warn-paper); color: var(--warn); border-left: 4px solid currentColor;
  padding: .5rem .8rem; margin: .8rem 0; border-radius: 4px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .6rem; margin: 1.2rem 0; }
.figure { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .6rem .8rem; }
.figure dt { color: var(--faint); font-size: .82rem; }
.figure dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figure small { display: block; color: var(--faint); font-size: .8rem; font-weight: 400; }
.curve { display: block; width: 100%; height: 11rem; background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; color: var(--accent); }
.curve .line { fill: none; stroke: currentColor; stroke-width: 2; vector-effect: non-scaling-stroke; }
.curve .area { fill: currentColor; opacity: .12; }
.curve .start { stroke: var(--faint); stroke-dasharray: 4 4; vector-effect: non-scaling-stroke; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--rule); }
tr:last-child td { border-bottom: 0; }
th { color: var(--faint); font-weight: 600; font-size: .8rem; }
td.number, th.number { text-align: right; }
td.words { white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
.set td { font-weight: 600; }
summary { cursor: pointer; }
details h2 { display: inline; }
details .scroll { margin-top: .6rem; }
@media print { body { font-size: 11px; } .scroll { overflow: visible; } }
"""
