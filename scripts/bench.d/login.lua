-- Logins with the same body.
--   wrk -s login.lua URL -- BODY
function init(arguments)
   wrk.method, wrk.body = "POST", arguments[1]
   wrk.headers["Content-Type"] = "application/json"
   request_bytes = wrk.format()
end

function request()
   return request_bytes
end
