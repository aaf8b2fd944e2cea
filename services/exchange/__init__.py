"""The exchange room: a stand-in for Bitunix's public futures market, on loopback, to rehearse with.

It speaks the WebSocket and the REST of the original on one port, with a market of its own (a seeded walk, or data
files) and with faults on demand. It knows no other room: a feed meets it over the network only.
"""
