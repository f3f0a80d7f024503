/**
 * What happens on the page, by name, so that its parts need not know each other:
 *
 * state     {state, former, back}   where the address leads now, and led before; `back`: by Back or Forward
 * served    {generation, taxonomy}  what the service has said of what it serves
 * answer    answer or null          the answer that is shown now
 * item      item                    the item view shows this one, as GET /v1/item tells it
 * changed   nothing                 items were put or deleted, or another generation is served: ask anew
 * key       nothing                 the visitor has given another key
 */

const HEARERS = new Map();

export function on(name, hear) {
  HEARERS.set(name, [...(HEARERS.get(name) ?? []), hear]);
}

export function tell(name, what) {
  for (const hear of HEARERS.get(name) ?? []) hear(what);
}
