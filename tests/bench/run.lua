-- Drives one case with wrk; tests/bench/run.py sets the environment:
-- BENCH_METHOD, BENCH_PATHS (a file, a path a line; one is taken at random), BENCH_KEY, BENCH_BODY.
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
  local headers = {["Content-Type"] = "application/json"}
  if env("BENCH_KEY") then headers["Authorization"] = "Bearer " .. env("BENCH_KEY") end
  requests = {}
  for path in io.lines(env("BENCH_PATHS")) do
    table.insert(requests, wrk.format(env("BENCH_METHOD"), path, headers, env("BENCH_BODY")))
  end
end

function request()
  return requests[math.random(#requests)]
end

function response(status)
  if status < 200 or status > 299 then refused = refused + 1 end
  if status == 503 then overloaded = overloaded + 1 end
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local not_2xx = 0
  local later = 0
  for _, thread in ipairs(threads) do
    not_2xx = not_2xx + thread:get("refused")
    later = later + thread:get("overloaded")
  end
  io.write(string.format('{"ops_per_s":%.0f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.1f,"errors":%d,"requests":%d,"overloaded":%d}\n',
    (summary.requests - not_2xx) / (summary.duration / 1e6), latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000, errors + not_2xx, summary.requests, later))
end
