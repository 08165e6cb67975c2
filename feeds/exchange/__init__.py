"""Everything that all exchanges share, written once; each exchange is one file of data in `feeds.venues`.

Read in this order; none of it mentions an exchange:

* what an exchange is: `venue`, with `session` for trading hours and `shapes` for the way most write their rows
* what it sends: `directory` for names; `judge` for rows, with `bulk` for long answers; `memory` for what is remembered
  of each symbol, with `change` for its 24 h change
* how the network fails: `failures`
* over HTTP: `fetch`, `rest`, `polling`, `listings`, `history`; `polled` puts the parts of a feed together, and polls
* over WebSocket: `websocket`, `connector`, `subscriptions`, `pulse`, `link`, `shards`
* both together: `streamed`, with `coverage` for what is polled beside a stream, and `joint`
* from a configuration to a feed: `options`, `adapter`; recording for a replay: `record`
"""
