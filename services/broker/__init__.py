"""The broker's room: the paper account, and the only place where an order meets the market.

Pure files: `engine` (what one event does, in event time), `tick_mode` and `candle_mode` (its steps), `desk` (fills and
money), `order_desk` (judging and working off orders) and the nouns they use; `core` adds the decision barrier and
liveness. Only `journal_sqlite` and its `rows_sqlite` know the journal, and only the process shell knows sockets.
"""
