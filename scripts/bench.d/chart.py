"""A bar chart as SVG: for each row its share of what is asked at least, on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

WIDTH, LABEL, RIGHT, STEP, TOP = 980, 440, 130, 26, 34
LOWEST, HIGHEST = 1 / 8, 32


def place(share):
    """Where a share is, from left to right. What lies outside the scale stands at its edge, with its figure beside it."""
    share = min(max(share, LOWEST), HIGHEST)
    return LABEL + (WIDTH - LABEL - RIGHT) * math.log(share / LOWEST) / math.log(HIGHEST / LOWEST)


def text(x, y, content, anchor="start", size=13):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(content)}</text>'


def svg(bars):
    """`bars` are (label, share, figure)."""
    height = TOP + STEP * len(bars) + 12
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" fill="#222">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    for mark in [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32]:
        x, is_line = place(mark), mark == 1
        drawn.append(
            f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="{"#222" if is_line else "#ddd"}" '
            f'stroke-width="{2 if is_line else 1}"/>')
        drawn.append(text(x, TOP - 14, "asked" if is_line else f"{mark:g} x" if mark > 1 else f"1/{1 / mark:g}", "middle", 11))
    for number, (label, share, figure) in enumerate(bars):
        y = TOP + STEP * number
        ends = sorted([place(1), place(share)])
        color = "#2f7d4f" if share >= 1 else "#b3412e"
        drawn.append(
            f'<rect x="{ends[0]:.1f}" y="{y + 3}" width="{max(ends[1] - ends[0], 2):.1f}" height="{STEP - 9}" fill="{color}"/>')
        drawn.append(text(LABEL - 8, y + 17, label, "end", 12))
        drawn.append(text(ends[1] + 6, y + 17, figure, size=12))
    return "\n".join([*drawn, "</svg>", ""])
