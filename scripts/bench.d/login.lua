-- Logins with the same body.
--   wrk -s login.lua URL -- BODY
local login

function init(arguments)
   wrk.method, wrk.body = "POST", arguments[1]
   wrk.headers["Content-Type"] = "application/json"
   login = wrk.format()
end

function request()
   return login
end
