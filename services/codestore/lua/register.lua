-- The functions by their names. Those that write nothing may be called on a replica; those that give room back, or move the
-- pointer back, may be called where memory is full.

local function register(flags, functions)
  for name, callback in pairs(functions) do
    redis.register_function{function_name = name .. '_' .. VERSION, callback = callback, flags = flags}
  end
end

register({}, {make = make, made = made, begin = begin, seal = seal, grow = grow, make_segment = make_segment,
  begin_segment = begin_segment, write_items = write_items, fill = fill, put_codes = put_codes,
  restore_raw = restore_raw, settle = settle})
register({'allow-oom'}, FREEING)
register({'no-writes'}, {collection = collection, status = status, items = items, page = page, changes = changes,
  lacking = lacking, tally = tally, raw = raw})
