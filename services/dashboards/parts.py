"""What dashboards are made of: queries, panels of the few kinds that are used, rows of them, and the frame around.

Every panel has a title, a sentence that says how to read it, and a unit. `$__rate_interval` and `$__range` are Grafana's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as built
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from services.metrics import Dashboard

Panel: TypeAlias = Builder[model.Panel]
Step: TypeAlias = tuple[float, str]  # from which value on a color holds

UIDS = {
    Dashboard.SERVICE: "taxohash-service",
    Dashboard.QUALITY: "taxohash-retrieval-quality",
    Dashboard.STORE: "taxohash-store",
    Dashboard.PIPELINES: "taxohash-pipelines",
}
FOLDER = "taxohash"
COLUMNS = 24
DAY = 86400.0
GREEN, YELLOW, ORANGE, RED, BLUE, GRAY = "green", "yellow", "orange", "red", "blue", "gray"

# Of one collection in one namespace. A series may lack a label, as on a laptop it has no namespace: `.*` fits that too.
SERVED = 'namespace=~"$namespace", collection=~"$collection"'
OF_GENERATION = f'{SERVED}, generation=~"$generation"'
PLACE = "namespace, collection"
PROCESS = "namespace, pod, instance"
_SOURCE = model.DataSourceRef(type_val="prometheus", uid="$datasource")


@dataclass(frozen=True)
class Query:
    """An expression of PromQL.

    Attributes:
        legend: a series' name, labels in double braces.
        dashed: a line to compare with, such as a bound or a reference.
    """

    expr: str
    legend: str = ""
    dashed: bool = False


# -- panels -----------------------------------------------------------------------------------------------


Built = TypeVar(
    "Built",
    timeseries.Panel,
    stat.Panel,
    bargauge.Panel,
    barchart.Panel,
    heatmap.Panel,
    table.Panel,
    statetimeline.Panel,
)


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 8,
    stacked: bool = False,
    least: float | None = 0.0,
    most: float | None = None,
    at_least_to: float | None = None,
    bounds: Sequence[Step] = (),
) -> Panel:
    """How something goes over time.

    Args:
        least, most: ends of the axis; None for those of the values.
        at_least_to: to which the axis reaches where values do not.
        bounds: values drawn as lines.
    """
    panel = _described(timeseries.Panel(), title, description, unit, width, bounds)
    panel.targets(_targets(queries)).line_width(1.5).fill_opacity(30 if stacked else 6)
    panel.show_points(looks.VisibilityMode.NEVER).span_nulls(False)
    panel.color_scheme(built.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    panel.legend(_legend()).tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if least is not None:
        panel.min(least)
    if most is not None:
        panel.max(most)
    if at_least_to is not None:
        panel.axis_soft_max(at_least_to)
    if bounds:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphTresholdsStyleMode.DASHED))
    for name, query in _named(queries):
        if query.dashed:
            panel.override_by_query(
                name,
                [
                    model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
                    model.DynamicConfigValue("custom.fillOpacity", 0),
                ],
            )
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 4,
    height: int = 4,
    steps: Sequence[Step] = (),
    words: dict[float, tuple[str, str]] | None = None,
    decimals: int | None = None,
    empty: str = "–",
) -> Panel:
    """The last value, large, above how it came there.

    Args:
        steps: from which value on which color; green below.
        words: what stands for a value, and its color.
        empty: what stands where there is none.
    """
    panel = _described(stat.Panel(), title, description, unit, width, steps, words, height)
    panel.targets(_targets(queries)).graph_mode(looks.BigValueGraphMode.AREA)
    panel.color_mode(looks.BigValueColorMode.VALUE).no_value(empty)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel.decimals(decimals)
    return panel


def bars(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 8,
    steps: Sequence[Step] = (),
    most: float | None = None,
    height: int = 8,
) -> Panel:
    """One bar for the last value of each series."""
    panel = _described(bargauge.Panel(), title, description, unit, width, steps, None, height)
    panel.targets(_targets(queries, instant=True)).orientation(looks.VizOrientation.HORIZONTAL)
    panel.display_mode(looks.BarGaugeDisplayMode.BASIC).min(0.0).no_value("–")
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel if most is None else panel.max(most)


def side_by_side(
    title: str, description: str, unit: str, label: str, *queries: Query, width: int = 12
) -> Panel:
    """Bars of each query beside each other, a group for each value of a label; a query's legend is its name."""
    panel = _described(barchart.Panel(), title, description, unit, width)
    panel.targets(_targets(queries, instant=True, form=PromQueryFormat.TABLE)).x_field(label)
    panel.orientation(looks.VizOrientation.VERTICAL).show_value(looks.VisibilityMode.NEVER)
    panel.group_width(0.8).bar_width(0.95).fill_opacity(75).min(0.0).legend(_legend())
    panel.color_scheme(built.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    return _joined(panel, label, queries)


def heat(title: str, description: str, unit: str, query: Query, label: str, width: int = 12) -> Panel:
    """A histogram over time: how many lie in each bucket, as color.

    Args:
        label: what the buckets are of, with its unit.
    """
    panel = _described(heatmap.Panel(), title, description, unit, width)
    panel.targets(_targets([query], form=PromQueryFormat.HEATMAP)).calculate(False)
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("YlGnBu")
        .reverse(True)
        .steps(32)
        .exponent(0.5)
        .fill("dark-orange")
    )
    panel.y_axis(heatmap.YAxisConfig().axis_label(label).unit("none"))
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(looks.HeatmapCellLayout.AUTO))
    panel.filter_values(heatmap.FilterValueRange().le(1e-9)).show_legend()
    return panel


def rows(
    title: str,
    description: str,
    unit: str,
    labels: Sequence[str],
    *queries: Query,
    width: int = 12,
    height: int = 8,
    units: dict[str, str] | None = None,
) -> Panel:
    """A table: a row for the same labels of all queries, a column for each label and each query, named by its legend.

    Args:
        units: of columns that have another than the panel's.
    """
    panel = _described(table.Panel(), title, description, unit, width, height=height)
    panel.targets(_targets(queries, instant=True, form=PromQueryFormat.TABLE))
    renamed = {f"Value #{name}": query.legend for name, query in _named(queries)}
    renamed |= {"Value": queries[0].legend} if len(queries) == 1 else {}
    order = {name: place for place, name in enumerate([*labels, *renamed])}
    panel.transformations(
        [
            _step("merge", {}),
            _step(
                "organize",
                {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed},
            ),
        ]
    )
    for column, own in (units or {}).items():
        panel.override_by_name(column, [model.DynamicConfigValue("unit", own)])
    return panel


def states(
    title: str,
    description: str,
    *queries: Query,
    words: dict[float, tuple[str, str]],
    width: int = 12,
    height: int = 8,
) -> Panel:
    """What holds over time, a line for each series.

    Args:
        words: what a value means, and its color.
    """
    panel = _described(statetimeline.Panel(), title, description, "none", width, (), words, height)
    panel.targets(_targets(queries)).merge_values(True).row_height(0.8).fill_opacity(80)
    panel.color_scheme(built.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return panel.show_value(looks.VisibilityMode.NEVER).legend(_legend())


def _described(
    panel: Built,
    title: str,
    description: str,
    unit: str,
    width: int,
    steps: Sequence[Step] = (),
    words: dict[float, tuple[str, str]] | None = None,
    height: int = 8,
) -> Built:
    panel.title(title).description(description).unit(unit).datasource(_SOURCE).height(height).span(width)
    first = model.Threshold(None, GREEN)
    panel.thresholds(
        built.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([first, *(model.Threshold(value, color) for value, color in steps)])
    )
    if words:
        named = {
            f"{value:g}": model.ValueMappingResult(text, color, index=place)
            for place, (value, (text, color)) in enumerate(words.items())
        }
        panel.mappings([model.ValueMap(named)])
    return panel


def _named(queries: Sequence[Query]) -> list[tuple[str, Query]]:
    """Each with the letter that Grafana knows it by."""
    return [(chr(ord("A") + number), query) for number, query in enumerate(queries)]


def _targets(
    queries: Sequence[Query], instant: bool = False, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> list[Builder[Dataquery]]:
    return [_target(name, query, instant, form) for name, query in _named(queries)]


def _target(name: str, query: Query, instant: bool, form: PromQueryFormat) -> Builder[Dataquery]:
    target = prometheus.Dataquery().ref_id(name).expr(" ".join(query.expr.split())).format(form)
    target.datasource(_SOURCE).legend_format(query.legend or "__auto")
    return target.instant() if instant else target.range()


def _joined(panel: barchart.Panel, label: str, queries: Sequence[Query]) -> barchart.Panel:
    """All queries as one table of which the label is the first column."""
    renamed = {f"Value #{name}": query.legend for name, query in _named(queries)}
    times = {f"Time {number}": True for number in range(1, len(queries) + 1)} | {"Time": True}
    return panel.transformations(
        [
            _step("joinByField", {"byField": label, "mode": "outer"}),
            _step("sortBy", {"sort": [{"field": label}]}),
            _step("organize", {"excludeByName": times, "renameByName": renamed}),
        ]
    )


def _step(name: str, options: object) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val=name, options=options)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
    )


# -- the frame --------------------------------------------------------------------------------------------


def frame(
    title: Dashboard,
    description: str,
    *sections: tuple[str, Sequence[Panel]],
    of: str,
    more: Sequence[Builder[model.VariableModel]] = (),
    generations: bool = True,
    annotated: bool = False,
) -> model.Dashboard:
    """A dashboard: rows of panels below their headings, with variables and ways to the other dashboards.

    Args:
        of: a metric that each process has, whose labels are what can be chosen.
        more: further variables.
        generations: whether one can be chosen.
        annotated: whether publishes are marked.
    """
    made = built.Dashboard(title).uid(UIDS[title]).description(description).tags([FOLDER]).readonly()
    made.time("now-6h", "now").refresh("30s").timezone("browser")
    made.tooltip(model.DashboardCursorSync.CROSSHAIR).link(_others())
    made.with_variable(built.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made.with_variable(_labels("namespace", f"label_values({of}, namespace)"))
    made.with_variable(_labels("collection", f'label_values({of}{{namespace=~"$namespace"}}, collection)'))
    if generations:
        of_served = f"label_values(taxohash_generation_served{{{SERVED}}}, generation)"
        made.with_variable(_labels("generation", of_served))
    for variable in more:
        made.with_variable(variable)
    if annotated:
        made.annotation(_publishes())
    number = 0
    for heading, panels in sections:
        number += 1
        made.with_row(built.Row(heading).id(number))
        for panel in panels:
            number += 1
            panel.build().id_val = number
            made.with_panel(panel)
    return made.build()


def window(default: str, *others: str) -> Builder[model.VariableModel]:
    """The variable `window`: of how long what was asked is compared."""
    chosen = model.VariableOption(selected=True, text=default, value=default)
    options = [model.VariableOption(selected=False, text=other, value=other) for other in others]
    made = built.CustomVariable("window").label("Compared").current(chosen)
    made.description("Queries of so long are compared with the reference.")
    return made.values(",".join((default, *others))).options([chosen, *options])


def _labels(name: str, query: str) -> Builder[model.VariableModel]:
    """A variable of the values of a label: all at first, and then series without it too."""
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    made = built.QueryVariable(name).label(name.capitalize()).query(query).datasource(_SOURCE)
    made.multi(True).include_all(True).all_value(".*").current(everything)
    return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)


def _others() -> built.DashboardLink:
    link = built.DashboardLink("taxohash").type(model.DashboardLinkType.DASHBOARDS).tags([FOLDER])
    return link.include_vars(True).keep_time(True).as_dropdown(False)


def _publishes() -> built.AnnotationQuery:
    """A generation is served that was not a minute ago."""
    served = f"max by ({PLACE}, generation) (taxohash_generation_served{{{OF_GENERATION}}}"
    made = built.AnnotationQuery().name("Publishes").datasource(_SOURCE).icon_color(BLUE)
    return made.enable(True).expr(f"{served} == 1) unless {served} offset 1m == 1)")
