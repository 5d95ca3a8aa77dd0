-- Drives one case with wrk; tests/bench/run.py sets the environment:
-- BENCH_METHOD, BENCH_PATHS (a file, a path a line; one is taken at random), BENCH_KEY, BENCH_BODY;
-- BENCH_REFUSALS: answers that are not 2xx, and 503 among them, are counted apart;
-- BENCH_DELAY_MS: how long a connection rests before each request; BENCH_NAMED: %d in the body is a fresh number.
local env = os.getenv
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init()
  math.randomseed(7919 * (number + 1))
  refused = 0
  overloaded = 0
  headers = {["Content-Type"] = "application/json"}
  made = 0
  if env("BENCH_KEY") then headers["Authorization"] = "Bearer " .. env("BENCH_KEY") end
  requests = {}
  for path in io.lines(env("BENCH_PATHS")) do
    if env("BENCH_NAMED") then named = path end
    table.insert(requests, wrk.format(env("BENCH_METHOD"), path, headers, env("BENCH_BODY")))
  end
end

function request()
  if named then
    made = made + 1
    local body = env("BENCH_BODY"):gsub("%%d", tostring(number * 100000000 + made), 1)
    return wrk.format(env("BENCH_METHOD"), named, headers, body)
  end
  return requests[math.random(#requests)]
end

local rest_ms = tonumber(env("BENCH_DELAY_MS") or "0")
if rest_ms > 0 then
  -- Around the mean, so that the connections do not march in step.
  function delay() return math.random(0, math.floor(2 * rest_ms)) end
end

-- wrk makes a table of every answer's header for this function, which is a third of what a client costs: only where
-- refusals are what is measured. Elsewhere wrk itself counts what is not 2xx or 3xx.
if env("BENCH_REFUSALS") then
  function response(status)
    if status < 200 or status > 299 then refused = refused + 1 end
    if status == 503 then overloaded = overloaded + 1 end
  end
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local not_2xx = summary.errors.status
  local later = 0
  if env("BENCH_REFUSALS") then not_2xx = 0 end
  for _, thread in ipairs(threads) do
    not_2xx = not_2xx + thread:get("refused")
    later = later + thread:get("overloaded")
  end
  io.write(string.format('{"ops_per_s":%.0f,"p50_ms":%.3f,"p99_ms":%.3f,"p999_ms":%.3f,"max_ms":%.1f,"errors":%d,"requests":%d,"overloaded":%d}\n',
    (summary.requests - not_2xx) / (summary.duration / 1e6), latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, latency.max / 1000, errors + not_2xx,
    summary.requests, later))
end
