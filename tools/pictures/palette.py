"""The colours of the pictures: one palette for a light and one for a dark theme."""

from __future__ import annotations

from dataclasses import dataclass

# Common system fonts, because the pictures do not load fonts.
SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans',Roboto,Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"


@dataclass(frozen=True)
class Palette:
    """Colours as #rrggbb. A state has a colour for its title and frame, and a background tint."""

    name: str
    canvas: str
    frame: str
    text: str
    muted: str
    person: str
    good: str
    soon: str
    busy: str
    failing: str
    ended: str
    tints: dict[str, str]


LIGHT = Palette(
    "light", "#ffffff", "#d1d9e0", "#1f2328", "#59636e", "#8250df",
    "#1a7f37", "#8a5d00", "#0969da", "#bc4c00", "#c62130",
    {
        "good": "#e9fbee", "soon": "#fff9d9", "busy": "#e6f4ff",
        "failing": "#fff3e8", "ended": "#fff0ee",
    },
)  # fmt: skip
DARK = Palette(
    "dark", "#0d1117", "#3d444d", "#f0f6fc", "#9198a1", "#b68af8",
    "#3fb950", "#d29922", "#4493f8", "#e0813d", "#f85149",
    {
        "good": "#12231b", "soon": "#242015", "busy": "#111f33",
        "failing": "#251b14", "ended": "#25171a",
    },
)  # fmt: skip
PALETTES = (LIGHT, DARK)


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours by WCAG 2, from 1 to 21. Text needs 4.5."""
    darker, brighter = sorted(_luminance(colour) for colour in (first, second))
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
