// Bun's own server and its topics (uWebSockets): `bun bun.mjs PORT SYMBOLS PER_SECOND batch|tick`.
import { run, wishes } from './market.mjs'

const [port, symbols, perSecond, shape] = process.argv.slice(2)

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  fetch: (request, server) => (server.upgrade(request, { data: { url: request.url } }) ? undefined : new Response('')),
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      for (const name of wishes(socket.data.url)) socket.subscribe(name)
      if (socket.data.url.includes('greet')) socket.send('{"type":"snapshot","quotes":{}}')
    },
    message() {},
  },
})

run(Number(symbols), Number(perSecond), shape, (symbol, text) => {
  server.publish('*', text)
  if (symbol !== '*') server.publish(symbol, text)
})
