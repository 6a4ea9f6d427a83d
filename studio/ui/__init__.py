"""The page: one file a panel, and no thought of its own.

Everything on the page is drawn from what `Studio` says at that moment, so that a reload, a second tab or a
restarted server shows the same. Handlers only call `Studio`.
"""
