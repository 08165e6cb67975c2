"""Everything that all exchanges share, written once; each exchange is one file of data in `feeds.venues`.

Read in this order; none of it mentions an exchange:

* what an exchange is: `venue`, with `session`, the hours of one that closes, and `shapes`, how most write their rows
* what it says: `directory`, its names; `judge`, its rows, with `bulk` for long answers and `change` for that of a day
* asked over HTTP: `fetch`, `rest`, `polling`, `listings`, `history`
* heard over WebSocket: `websocket`, `connector`, `subscriptions`, `pulse`, `link`, `streaming`
* both at once: `streamed`, `joint`
* a configuration made into a feed: `options`, `adapter`; what came, kept for a replay: `record`
"""
