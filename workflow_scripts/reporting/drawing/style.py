"""The style of all figures, on the page and in a paper: colours, dashes, markers, fonts and widths."""

COLOURS = {
    "ink": "#1d2126",
    "soft": "#5c6570",
    "line": "#dfe2e6",
    "tint": "#f2f4f5",
    "card": "#ffffff",
    "good": "#00694b",
    "bad": "#a33a00",
    "arm-self": "#0072b2",
    "arm-original": "#c98500",
    "arm-generated": "#3d9fd6",
    "arm-revised": "#009e73",
    "arm-shuffled": "#c05d96",
    "arm-visual": "#d55e00",
    "arm-mixed": "#7a6fc0",
    "arm-none": "#8a9199",
    "arm-other": "#5d4b3c",
}
"""Name of a variable of the page's style sheet -> its colour on white paper; no two names share a colour."""

DASHES = ("-", (0, (6, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (3, 1.5)), (0, (9, 2, 3, 2)))
"""Lines of a figure take them in turn, so that they differ without colour."""
MARKERS = ("o", "s", "D", "^", "v", "P")

PAGE = 6.3  # inches: the width of a page's text

RC = {
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a name with $ is a name
    "axes.edgecolor": COLOURS["soft"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLOURS["line"],
    "xtick.color": COLOURS["soft"],
    "ytick.left": False,  # the grid says it
    "xtick.major.size": 3,
    "ytick.color": COLOURS["soft"],
    "lines.linewidth": 1.4,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.dpi": 72,
    "svg.fonttype": "none",  # text as text
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
}


def colour(name: str) -> str:
    """The colour of an arm's class, such as ``arm-revised``, or of another name of the style sheet."""
    return COLOURS.get(name, COLOURS["arm-other"])
