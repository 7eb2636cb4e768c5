-- POSTs contacts, each with another name. Arguments: "-" TOKEN SEED.
local headers = {}

function init(arguments)
    headers["Host"] = wrk.headers["Host"]
    headers["Content-Type"] = "application/json"
    headers["Authorization"] = "Bearer " .. arguments[2]
    math.randomseed(tonumber(arguments[3] or "1"))
end

local function word(size)
    local letters = {}
    for i = 1, size do letters[i] = string.char(97 + math.random(0, 25)) end
    return table.concat(letters)
end

function request()
    local family, given = word(9), word(6)
    return wrk.format("POST", "/api/v1/contacts", headers, string.format(
        '{"given_name":"%s","family_name":"%s","company":"Établissements %s","title":"Directrice","emails":["%s.%s@example.fr"],' ..
        '"phones":["+33 1 23 45 67 89"],"address":{"street":"12 rue de la Paix","postcode":"75002","city":"Paris","country":"FR"},' ..
        '"tags":["client","salon"]}', given, family, family, given, family))
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format('JSON {"requests": %d, "seconds": %.6f, "bytes": %d, "errors": %d, "p50_us": %d, "p99_us": %d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
