// Node's `ws`: `node node_ws.mjs PORT SYMBOLS PER_SECOND batch|tick`. Each client gets what its URL names.
import { createRequire } from 'node:module'
import { run, wishes } from './market.mjs'

const require = createRequire(process.env.NODE_MODULES + '/')
const { WebSocketServer } = require('ws')
const [port, symbols, perSecond, shape] = process.argv.slice(2)
const watchers = new Map()

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), perMessageDeflate: false, backlog: 2048 })
server.on('connection', (socket, request) => {
  const names = wishes(request.url)
  for (const name of names) watchers.set(name, (watchers.get(name) ?? new Set()).add(socket))
  socket.on('error', () => {})
  socket.on('close', () => names.forEach((name) => watchers.get(name).delete(socket)))
  if (request.url.includes('greet')) socket.send('{"type":"snapshot","quotes":{}}')
})

const nobody = new Set()
run(Number(symbols), Number(perSecond), shape, (symbol, text) => {
  const frame = Buffer.from(text) // encoded once, sent as text
  for (const socket of watchers.get('*') ?? nobody) socket.send(frame, { binary: false })
  if (symbol !== '*') for (const socket of watchers.get(symbol) ?? nobody) socket.send(frame, { binary: false })
})
