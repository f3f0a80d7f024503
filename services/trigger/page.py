"""The approval page: HTML of its own, without a script."""

import html
from string import Template

STYLE = "body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem}label,input,button{display:block;font:inherit}input{width:100%;margin:.2rem 0 1rem;padding:.4rem;box-sizing:border-box}button{padding:.5rem 1.2rem}code{overflow-wrap:anywhere}"
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Approve a generation</title>
<style>$style</style>
<h1>Generation <code>$generation</code></h1>
<p>of collection <code>$collection</code></p>
<p role="status">$why</p>
$form</html>
""")
_FORM = """<form method="post">
<label for="who">Who approves it, for the audit</label>
<input id="who" name="who" required maxlength="200" autocomplete="name">
<label for="why">Why</label>
<input id="why" name="why" maxlength="200">
<button>Publish it</button>
</form>
"""


def page(collection: str, generation: str, why: str, *, asks: bool = True) -> str:
    """The page of one generation.

    Args:
        why: what is known of it.
        asks: whether it has the button.
    """
    texts = {"collection": collection, "generation": generation, "why": why}
    escaped = {name: html.escape(text) for name, text in texts.items()}
    return _PAGE.substitute(style=STYLE, form=_FORM if asks else "", **escaped)
