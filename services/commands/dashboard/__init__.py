"""`lap dashboard`: the running session in a browser, on the loopback interface.

A process of its own that reads the session's files, as `lap top` does; no service knows of it. It needs the extra
`laptop-agents[dashboard]`.
"""
