-- GETs random lines of a file of paths. Arguments: FILE TOKEN (or "-" for none).
local requests = {}

function init(arguments)
    local headers = {}
    if arguments[2] ~= "-" then headers["Authorization"] = "Bearer " .. arguments[2] end
    headers["Host"] = wrk.headers["Host"]
    for path in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("GET", path, headers)
    end
    math.randomseed(tonumber(arguments[3] or "1"))
end

function request()
    return requests[math.random(#requests)]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format('JSON {"requests": %d, "seconds": %.6f, "bytes": %d, "errors": %d, "p50_us": %d, "p99_us": %d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
