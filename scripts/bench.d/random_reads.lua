-- Reads of secrets picked at random: PREFIX1 to PREFIXn.
--   wrk -s random_reads.lua URL -- PREFIX COUNT
local before, after, count

function init(arguments)
   local whole = wrk.format("GET", arguments[1] .. "@")
   local at = whole:find("@", 1, true)
   before, after, count = whole:sub(1, at - 1), whole:sub(at + 1), tonumber(arguments[2])
   math.randomseed(os.time())
end

function request()
   return before .. math.random(count) .. after
end
