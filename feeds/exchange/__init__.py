"""Everything that all exchanges share, written once; each exchange is one file of data in `feeds.venues`.

Read in this order: `venue` (what an exchange is), `shapes` (how most write their rows), `directory` (what their names
mean), `judge` (what their rows are worth); `fetch`, `rest`, `polling`, `listings`, `history` (asking over HTTP);
`websocket`, `connector`, `subscriptions`, `link`, `streaming` (listening); `streamed` and `joint` (both at once);
`options` and `adapter` (a configuration made into a feed); `record` (what came, kept for a replay). None of it mentions
an exchange.
"""
