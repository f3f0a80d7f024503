"""Pages of HTML, each of a Jinja template that lies in the package of who writes it."""

from typing import Any

import jinja2


def rendered(package: str, template: str, **values: Any) -> str:
    """The page of a template of a package, such as `taxohash.sweep`. What is put in is text, and no HTML; a name that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
