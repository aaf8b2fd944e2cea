"""Data files (`.csv`, `.csv.gz`) of trades, quotes or candles: a tool of whoever plays them, the feed and the exchange."""
