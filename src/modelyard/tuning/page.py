"""A study as one interactive page that loads nothing from outside."""

from html import escape

from optuna import Study, visualization
from plotly import io
from plotly.offline import get_plotlyjs

PLOTS = {
    "history": visualization.plot_optimization_history,
    "importances": visualization.plot_param_importances,
    "slice": visualization.plot_slice,
    "parallel": visualization.plot_parallel_coordinate,
}
NAMED = {"history", "slice", "parallel"}  # these have the score on an axis
OPTIONS = {"displaylogo": False, "showSendToCloud": False}  # a link to its makers, and a button that uploads to them


def page(study: Study, with_importances: bool) -> str:
    """The HTML of a page with Optuna's own plots: point at one to read it, drag to look closer.

    The code that draws them, 5 MB, stands in the page once.
    """
    chosen = [name for name in PLOTS if with_importances or name != "importances"]
    plots = "\n".join(_plot(study, name) for name in chosen)
    title = escape(f"Study {study.study_name}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<h1>{title}</h1>\n{plots}\n</body>\n</html>\n"
    )


def _plot(study: Study, name: str) -> str:
    options = {"target_name": study.user_attrs["metric"]} if name in NAMED else {}
    figure = PLOTS[name](study, **options)
    return io.to_html(figure, include_plotlyjs=False, full_html=False, div_id=name, config=OPTIONS)
