-- Writes, each of a secret of its own: PREFIX1, PREFIX2 and so on.
--   wrk -s writes.lua URL -- PREFIX BODY
local prefix, number = "", 0

function init(arguments)
   prefix, wrk.body = arguments[1], arguments[2]
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   number = number + 1
   return wrk.format("PUT", prefix .. number)
end
