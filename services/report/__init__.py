"""The REPORT room: from a run's journal to `trades.csv`, `summary.json` and `summary.html`.

It runs after the broker has ended, in a process of its own, and asks nobody: what it needs lies in the run's
directory. `statistics`, `trades_csv`, `summary`, `page_html` and `equity_svg` are pure; `journal_reader_sqlite` and
`build` touch the disk. A missing, empty or torn journal makes a poorer report that says so, never none.
"""
