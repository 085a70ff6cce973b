-- SPDX-License-Identifier: GPL-2.0-or-later
-- Prosody delays each DNS query by a random second; in the lab nobody needs protection from that.
local dns = require "net.dns";
local class = getmetatable(dns._resolver).__index;
class.jitter, class.retry_jitter = nil, nil;
module:log("debug", "DNS queries go out at once");
