// tests/bench/market.py in JavaScript: the same rows at the same pace. See there.

const TICK_MS = 10
const CYCLE = 60
const EPOCH_MS = 1_795_386_000_000

const two = (n) => String(n % 100).padStart(2, '0')

function makeRow(i, step) {
  const base = 97_000 + i * 7
  const trade = Math.floor(step / 3)
  const half = Math.floor(step / 2)
  return {
    symbol: `S${String(i).padStart(4, '0')}-USD`,
    last: `${base + (trade % 20)}.${two(trade * 7)}`,
    bid: `${base - 1 - (step % 30)}.${two(step * 11)}`,
    ask: `${base + 21 + (half % 30)}.${two(half * 13)}`,
    volume: `${48_000 + i + trade}.${trade % 10}0`,
  }
}

// Microseconds of CLOCK_MONOTONIC, which all processes share; Bun's own clocks start with the process.
async function monotonicClock() {
  if (!process.versions.bun) return () => process.hrtime.bigint() / 1000n
  const { dlopen, FFIType, ptr } = await import('bun:ffi')
  const { symbols } = dlopen('libc.so.6', {
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  })
  const time = new BigInt64Array(2)
  return () => {
    symbols.clock_gettime(1, ptr(time))
    return time[0] * 1_000_000n + time[1] / 1000n
  }
}

const stampUs = await monotonicClock()

const rowText = (row, stamp, ts) =>
  `"${row.symbol}":{"last":${row.last},"bid":${row.bid},"ask":${row.ask},"bid_size":${stamp},"volume":${row.volume},"ts":${ts}}`

const frameText = (rows) => `{"type":"update","quotes":{${rows}}}`

// Calls `send(symbol, text)` for each frame: one for a whole batch (symbol '*'), or one for each update.
export function run(symbols, perSecond, shape, send) {
  const rows = []
  for (let step = 0; step < CYCLE; step++) for (let i = 0; i < symbols; i++) rows.push(makeRow(i, step))
  if (!perSecond) return
  const perTick = Math.max(1, Math.round((perSecond * TICK_MS) / 1000))
  let at = 0
  let due = performance.now()
  const tick = () => {
    const stamp = stampUs()
    const ts = EPOCH_MS + Math.floor(performance.now())
    const batch = []
    for (let n = 0; n < perTick; n++) batch.push(rows[(at + n) % rows.length])
    at = (at + perTick) % rows.length
    if (shape === 'batch') send('*', frameText(batch.map((row) => rowText(row, stamp, ts)).join(',')))
    else for (const row of batch) send(row.symbol, frameText(rowText(row, stamp, ts)))
    due += TICK_MS
    setTimeout(tick, Math.max(0, due - performance.now()))
  }
  tick()
}

// The symbols that a client's URL names; '*' for all.
export const wishes = (url) => decodeURIComponent(/symbols=([^&]*)/.exec(url)?.[1] ?? '*').split(',')
