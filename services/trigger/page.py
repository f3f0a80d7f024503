"""The approval page: HTML of its own, without a script."""

from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from taxohash.release.judging import Compared

STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --sheet: #fff; --ink: #16191f; --soft: #5a6270; --line: #d9dde4; --field: #868e9c; --accent: #2350c7; --on-accent: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ground: #111318; --sheet: #1a1d24; --ink: #eceef2; --soft: #a3acba; --line: #333945; --field: #6d7686; --accent: #8fb0ff; --on-accent: #0d1424 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 40rem; margin: 1rem auto; padding: 1.5rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px }
h1 { margin: 0 0 1rem; font-size: 1.35rem }
[role=status] { margin: 0; padding: .6rem 1rem; border-left: 4px solid var(--accent); background: var(--ground); overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; margin: 1.25rem 0 }
dt, th { color: var(--soft); font-weight: normal }
dd { margin: 0; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .3rem 0 .3rem .5rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
th:first-child { padding-left: 0; text-align: left; overflow-wrap: anywhere }
form { margin-top: 1.5rem }
label, input, button { display: block; font: inherit }
input { width: 100%; margin: .25rem 0 1rem; padding: .5rem; border: 1px solid var(--field); border-radius: 4px; background: var(--ground); color: inherit }
button { padding: .6rem 1.4rem; border: 0; border-radius: 4px; background: var(--accent); color: var(--on-accent); cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
@media (max-width: 30rem) { body { padding: 0 } main { padding: 1rem } dl { display: block } dd { margin-bottom: .5rem } }
"""
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Approve a generation</title>
<style>$style</style>
<main>
<h1>Approve a generation</h1>
<p role="status">$said</p>
$facts$compared$form</main>
</html>
""")
_TABLE = Template("""<table>
<tr><th scope="col">metric<th scope="col">value<th scope="col">to reach<th scope="col">difference
$rows</table>
""")
_FORM = """<form method="post">
<label for="who">Who approves it, for the audit</label>
<input id="who" name="who" required maxlength="200" autocomplete="name">
<label for="why">Why</label>
<input id="why" name="why" maxlength="200">
<button>Publish it</button>
</form>
"""


def page(
    said: str, facts: Mapping[str, str] | None = None, compared: Sequence[Compared] = (), *, asks: bool
) -> str:
    """The page of one generation.

    Args:
        said: what is to be known first.
        facts: what is known of it, by names; without those that are empty.
        compared: metrics by which it was judged.
        asks: whether it has the button.
    """
    pairs = [f"<dt>{escape(name)}<dd>{escape(text)}\n" for name, text in (facts or {}).items() if text]
    rows = "".join(map(_row, compared))
    return _PAGE.substitute(
        style=STYLE,
        said=escape(said[:1].upper() + said[1:]),
        facts=f"<dl>\n{''.join(pairs)}</dl>\n" if pairs else "",
        compared=_TABLE.substitute(rows=rows) if rows else "",
        form=_FORM if asks else "",
    )


def _row(own: Compared) -> str:
    return (
        f'<tr><th scope="row">{escape(own.metric)}<td>{own.value:.4f}<td>{own.bound:.4f}'
        f"<td>{own.difference:+.4f} ({own.low:+.4f} to {own.high:+.4f})\n"
    )
