"""The strategy: turns closed candles into signals, never sized orders; it knows no clock, file or socket."""
