-- What frees memory, or moves the pointer: it works where memory is full.

local FREEING = {delete_items = delete_items, drop = drop, sweep = sweep, fold = fold, compact = compact, mark_segment = mark_segment,
  forget_writers = forget_writers, discard = discard, forget = forget, point = point}
