"""Draws the corpus' settings: flat, clean pictures with little detail, each unmistakable.

A backdrop has two layers, drawn at twice the size of their units. What is far away (sky, sun, clouds) stays
in the picture whatever the camera does. What is near passes by: a panorama that is always the same and ends
where it begins, so that wherever a film has come to, it can go on. A clip may begin anywhere in it, by steps
of a cell of the latents. Where every flower stood elsewhere in each clip, a small network drew none of them.
Whatever has a shape of its own stays clear of the middle, where the subject is: a small network cannot tell a
tree from the head before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

VIEW, WIDTH, SCALE = 128, 192, 2
PANORAMA = 384
"""Length of what passes by, after which it begins again; all that is drawn in it divides it."""
CELL = 16
"""Side of a cell of the latents."""
SIDES = (20, VIEW - 20)
"""Where sun and cloud are, clear of the middle."""
HIGH = ("space", "sky")
"""Settings without a ground, through which the camera also goes up and down."""
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Backdrop:
    """A setting in two layers.

    Attributes:
        far: does not pass by, ``uint8 [256, 256, 3]``.
        near: passes by, colour premultiplied by cover, ``uint8 [256, 384, 4]``; as high as wide in settings
            without a ground.
    """

    far: np.ndarray
    near: np.ndarray


SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((74, 160, 235), (196, 232, 250)),
    "dusk": ((106, 74, 150), (255, 158, 96)),
    "night": ((14, 20, 58), (48, 62, 120)),
}
TINTS: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.92, 0.68, 0.66),
    "night": (0.34, 0.40, 0.62),
}


class Canvas:
    """A layer under way: shapes in units of the frame, colours already tinted for the time of day.

    ``rng`` decides about details, and always in the same way. In an `upright` one the camera goes up or down.
    """

    def __init__(
        self,
        setting: str,
        time: str,
        weather: str,
        width: int = VIEW,
        height: int = VIEW,
        upright: bool = False,
    ) -> None:
        self.time, self.weather, self.upright = time, weather, upright
        self.layout, self.rows = zlib.crc32(setting.encode()), 0
        self.rng = np.random.default_rng(self.layout)
        self.width, self.height = width, height
        self.image = Image.new("RGBA", (width * SCALE, height * SCALE))
        self.draw = ImageDraw.Draw(self.image)

    def places(self, apart: float, beyond: float = 80) -> Iterator[float]:
        """Middles of what returns again and again along the panorama, about so far apart, each in a cell.

        What is near one end comes again at the other, where it hangs over.
        """
        self.rows += 1
        count = round(PANORAMA / apart)
        for index in range(count):
            about = (index + np.random.default_rng([self.layout, self.rows, index]).uniform(0.3, 0.7)) / count
            middle = CELL * (int(about * PANORAMA / CELL) + 0.5)
            for x in (middle - PANORAMA, middle, middle + PANORAMA):
                if -beyond < x < PANORAMA + beyond:
                    self.rng = np.random.default_rng([self.rows, self.layout, index])
                    yield x

    def tinted(self, colour: Colour) -> Colour:
        """The colour under this hour's light."""
        r, g, b = (round(c * t) for c, t in zip(colour, TINTS[self.time], strict=True))
        return (r, g, b)

    def gradient(self, top: Colour, bottom: Colour, y0: float = 0, y1: float = VIEW) -> None:
        """Fills the band between two heights with a vertical gradient."""
        ramp = np.linspace(top, bottom, max(1, round((y1 - y0) * SCALE)))[:, None]
        band = np.broadcast_to(ramp, (ramp.shape[0], self.width * SCALE, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(band), (0, round(y0 * SCALE)))

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fills an ellipse around (x, y)."""
        box = [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]
        self.draw.ellipse(box, fill=colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fills a rectangle."""
        self.draw.rectangle([x0 * SCALE, y0 * SCALE, x1 * SCALE - 1, y1 * SCALE - 1], fill=colour)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fills a polygon."""
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def wave(self, y: float, amplitude: float, length: float, colour: Colour) -> None:
        """Fills everything below a sine line: hills, dunes, waves."""
        xs = np.linspace(-4, self.width + 4, 196)
        ys = y + amplitude * np.sin(xs / length * 2 * np.pi)
        self.polygon([*zip(xs.tolist(), ys.tolist(), strict=True), (self.width + 4, 140), (-4, 140)], colour)

    def sky(self, clouds: int, sides: tuple[int, int]) -> None:
        """Sky of this hour, with sun or moon on the first of two sides, and clouds; grey in rain and snow."""
        top, bottom = (np.array(c, float) for c in SKIES[self.time])
        if self.weather in ("rain", "snow"):
            grey = np.array(self.tinted((168, 178, 190)), float)
            top, bottom = top * 0.35 + grey * 0.55, bottom * 0.35 + grey * 0.65
        self.gradient(tuple(top), tuple(bottom))
        here, there = sides
        if self.weather in ("none", "stars"):
            light: dict[str, Colour] = {
                "day": (255, 236, 120),
                "dusk": (255, 214, 120),
                "night": (240, 240, 214),
            }
            self.ellipse(here, 34 if self.time == "dusk" else 18, 10, 10, light[self.time])
            if self.time == "night":
                self.ellipse(here + 5, 16, 8, 8, (22, 28, 70))
        for _ in range(clouds):
            self.cloud(there, 18, 0.95)

    def cloud(self, x: float, y: float, size: float) -> None:
        """Three ellipses of one colour."""
        colours: dict[str, Colour] = {"day": (250, 252, 255), "dusk": (250, 190, 170), "night": (70, 82, 136)}
        colour = colours[self.time] if self.weather in ("none", "stars") else self.tinted((206, 212, 220))
        for dx, dy, r in ((-12, 3, 8), (0, -1, 12), (13, 3, 8)):
            self.ellipse(x + dx * size, y + dy * size, r * size * 1.2, r * size * 0.75, colour)

    def pick(self, *colours: Colour) -> Colour:
        """One of the colours, tinted."""
        return self.tinted(colours[int(self.rng.integers(len(colours)))])


def _meadow(canvas: Canvas) -> None:
    canvas.wave(66, 9, 128, canvas.tinted((112, 186, 96)))
    canvas.wave(80, 5, 192, canvas.tinted((92, 176, 72)))
    for x in canvas.places(38):
        foot, blade = canvas.rng.uniform(112, 124), canvas.tinted((44, 122, 52))
        for lean in (-6, 0, 6):
            canvas.polygon([(x - 3 + lean / 3, foot), (x + lean, foot - 11), (x + 3 + lean / 3, foot)], blade)
    flowers: tuple[Colour, ...] = ((255, 240, 110), (255, 255, 255), (250, 120, 150))
    for x in canvas.places(26):
        canvas.ellipse(x, canvas.rng.uniform(108, 122), 3.5, 3.5, canvas.pick(*flowers))


def _sea(canvas: Canvas) -> None:
    canvas.gradient(canvas.tinted((64, 150, 214)), canvas.tinted((16, 84, 168)), 62)
    for y in (76, 92, 108):
        canvas.wave(y, 3, 32, canvas.tinted((60 - y // 4, 166 - y // 2, 226 - y // 3)))
    for x in canvas.places(24):
        canvas.ellipse(x, canvas.rng.uniform(104, 124), 9, 2, canvas.tinted((206, 236, 250)))
    for x in canvas.places(76):
        base = canvas.rng.uniform(116, 123)
        canvas.polygon([(x - 6, base), (x, base - 15), (x + 6, base)], canvas.tinted((226, 66, 52)))
        canvas.box(x - 4, base - 8, x + 4, base - 4, canvas.tinted((250, 246, 240)))


def _snow(canvas: Canvas) -> None:
    for x in canvas.places(100, beyond=60):
        top, wide = float(canvas.rng.uniform(28, 42)), float(canvas.rng.uniform(42, 54))
        cap = 15 / (84 - top) * wide
        canvas.polygon(
            [(x - wide, 84), (x, top), (x + wide, 84)], canvas.pick((150, 172, 206), (136, 160, 198))
        )
        canvas.polygon([(x - cap, top + 15), (x, top), (x + cap, top + 15)], canvas.tinted((244, 248, 255)))
    canvas.wave(78, 4, 128, canvas.tinted((226, 236, 248)))
    canvas.wave(92, 3, 192, canvas.tinted((246, 250, 255)))
    for x in canvas.places(46):
        base = canvas.rng.uniform(114, 124)
        canvas.polygon([(x - 7, base), (x, base - 16), (x + 7, base)], canvas.tinted((46, 112, 92)))


def _desert(canvas: Canvas) -> None:
    for x in canvas.places(130):
        canvas.polygon([(x - 34, 76), (x, 40), (x + 34, 76)], canvas.tinted((222, 176, 104)))
        canvas.polygon([(x, 40), (x + 34, 76), (x + 10, 76)], canvas.tinted((190, 142, 80)))
    canvas.wave(72, 6, 128, canvas.tinted((240, 200, 122)))
    canvas.wave(88, 6, 192, canvas.tinted((230, 182, 100)))
    green = canvas.tinted((64, 140, 80))
    for x in canvas.places(60):
        foot = canvas.rng.uniform(116, 124)
        canvas.box(x - 2.5, foot - 17, x + 2.5, foot, green)
        canvas.box(x - 8, foot - 9, x + 8, foot - 5, green)
    for x in canvas.places(44):
        canvas.ellipse(x, canvas.rng.uniform(108, 122), 6, 3, canvas.tinted((158, 112, 70)))


HOUSES = ((48, 32), (32, 16), (48, 40), (32, 28), (32, 44), (48, 20), (32, 36), (48, 28), (32, 16), (32, 40))
"""Width and top of each in a street."""


def _street(canvas: Canvas) -> None:
    walls: tuple[Colour, ...] = (
        (206, 112, 92),
        (226, 186, 122),
        (128, 156, 190),
        (170, 140, 178),
        (214, 206, 190),
    )
    lit: Colour = (255, 226, 130) if canvas.time != "day" else (214, 238, 250)
    x = 0
    for index, (width, top) in enumerate(HOUSES):
        canvas.box(x, top, x + width, 90, canvas.tinted(walls[index % len(walls)]))
        for row in range(int((84 - top) // 18)):
            for column in (0.2, 0.6):
                left, y = x + column * width, top + 8 + row * 18
                canvas.box(left, y, left + width * 0.22, y + 9, lit)
        x += width
    canvas.box(0, 86, PANORAMA, 96, canvas.tinted((190, 190, 194)))
    canvas.box(0, 96, PANORAMA, VIEW, canvas.tinted((92, 94, 104)))
    for dash in range(0, PANORAMA, 2 * CELL):
        canvas.box(dash, 110, dash + CELL, 114, canvas.tinted((244, 244, 236)))


def _beside_the_path(canvas: Canvas, apart: float, depth: float) -> Iterator[tuple[float, float]]:
    """Places on either side of where the camera goes, over or under its middle if it goes left or right."""
    view = (WIDTH - VIEW) / 2
    for along in canvas.places(apart):
        across = canvas.rng.uniform(0, depth)
        across = view + (across if canvas.rng.random() < 0.5 else VIEW - across)
        yield (across, along) if canvas.upright else (along, across)


def _space(canvas: Canvas) -> None:
    for x, y in _beside_the_path(canvas, 20, 20):
        r = canvas.rng.uniform(3.5, 5.5)
        canvas.ellipse(x, y, r, r * 0.8, (150, 132, 124))
    planets: tuple[Colour, ...] = ((222, 120, 84), (96, 164, 220), (206, 170, 110), (150, 196, 140))
    for x, y in _beside_the_path(canvas, 56, 12):
        colour, r = planets[int(canvas.rng.integers(4))], canvas.rng.uniform(9, 14)
        canvas.ellipse(x, y, r, r, colour)
        canvas.ellipse(x - r * 0.25, y - r * 0.25, r * 0.6, r * 0.6, tuple(min(255, c + 24) for c in colour))  # type: ignore[arg-type]


def _room(canvas: Canvas) -> None:
    dim = 1.0 if canvas.time == "day" else 0.82 if canvas.time == "dusk" else 0.55

    def dimmed(*colour: int) -> Colour:
        r, g, b = (round(c * dim) for c in colour)
        return (r, g, b)

    canvas.box(0, 0, PANORAMA, 92, dimmed(238, 214, 178))
    canvas.box(0, 92, PANORAMA, VIEW, dimmed(176, 120, 74))
    canvas.box(0, 89, PANORAMA, 93, dimmed(250, 246, 238))
    for x in canvas.places(124):
        canvas.box(x - 22, 6, x + 22, 36, dimmed(252, 250, 244))
        for left in (x - 19, x + 1.5):
            canvas.box(left, 9, left + 17.5, 33, SKIES[canvas.time][1])
        canvas.box(x + 50, 8, x + 74, 32, dimmed(120, 80, 50))
        canvas.box(x + 53, 11, x + 71, 29, canvas.pick((240, 130, 100), (110, 170, 200), (240, 210, 110)))
    for x in canvas.places(192):
        canvas.ellipse(x, 112, 62, 11, dimmed(196, 80, 84))


def _sky(canvas: Canvas) -> None:
    for x, y in _beside_the_path(canvas, 27, 16):
        canvas.cloud(x, y, canvas.rng.uniform(0.7, 1.2))


DRAWERS: dict[str, Callable[[Canvas], None]] = {
    "meadow": _meadow, "sea": _sea, "snow": _snow, "desert": _desert,
    "street": _street, "space": _space, "room": _room, "sky": _sky,
}  # fmt: skip


@lru_cache(maxsize=64)
def _far(setting: str, time: str, weather: str, sides: tuple[int, int]) -> np.ndarray:
    canvas = Canvas(setting, time, weather)
    if setting == "space":
        canvas.gradient((10, 8, 34), (46, 22, 82))
    elif setting != "room":
        canvas.sky(1 if setting in ("meadow", "sea") else 0, sides)
    if weather == "stars" or setting == "space":
        for _ in range(20):
            x, y = canvas.rng.uniform(0, VIEW), canvas.rng.uniform(2, VIEW if setting in HIGH else 62)
            canvas.ellipse(x, y, 1.3, 1.3, (255, 252, 224))
    return np.asarray(canvas.image)[..., :3]


@lru_cache(maxsize=64)
def draw_panorama(setting: str, time: str, weather: str, upright: bool) -> np.ndarray:
    """All of what is near, once around: as `Backdrop.near`, but longer."""
    sides = (PANORAMA, WIDTH if setting in HIGH else VIEW)
    canvas = Canvas(setting, time, weather, *(sides[::-1] if upright and setting in HIGH else sides), upright)
    DRAWERS[setting](canvas)
    return np.asarray(canvas.image)


def draw_backdrop(
    setting: str, time: str, weather: str, seed: int, upright: bool = False, step: int = CELL
) -> Backdrop:
    """The setting at this hour and in this weather; the seed decides where in it, and where the sun is.

    With `upright`, the camera goes up or down, so what passes by is on the left and on the right. The part of
    the panorama that is seen begins at a multiple of `step`.
    """
    rng = np.random.default_rng(seed)
    sides = SIDES if rng.random() < 0.5 else SIDES[::-1]
    begin = step * int(rng.integers(PANORAMA // step))
    along = 0 if upright and setting in HIGH else 1
    panorama = draw_panorama(setting, time, weather, upright)
    near = np.roll(panorama, -begin * SCALE, axis=along).take(range(WIDTH * SCALE), axis=along)
    return Backdrop(_far(setting, time, weather, sides), near)


FALLING = 64
"""Pixels of 128 after which falling rain or snow comes again."""


@lru_cache(maxsize=4)
def draw_falling(weather: str, size: int = VIEW) -> np.ndarray:
    """Rain or snow that repeats downwards, coverage ``float32 [size, size]`` of 0 to 1."""
    rng = np.random.default_rng(0)
    image = Image.new("L", (VIEW * SCALE, VIEW * SCALE))
    draw = ImageDraw.Draw(image)
    for _ in range(8 if weather == "rain" else 10):
        x, y, r = rng.uniform(0, VIEW * SCALE), rng.uniform(0, FALLING * SCALE), rng.uniform(3.5, 5.5)
        for lap in (-1, 0, 1):
            top = y + lap * FALLING * SCALE
            if weather == "rain":
                draw.line([x, top, x - 6, top + 30], fill=190, width=4)
            else:
                draw.ellipse([x - r, top + r, x + r, top + 3 * r], fill=235)
    tile = image.resize((size, size), Image.Resampling.BOX)
    return np.asarray(tile, np.float32) / 255
