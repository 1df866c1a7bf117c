"""Draws the simulated cameras' pictures and encodes them as H.264 loops: `python tools/draw_loops.py OUT_DIR`.

Run by hand when the scenes change; the results are committed. Needs Pillow and GStreamer with `openh264enc`
(BSD licence; the GPL encoders are not used). Every frame says that it is simulated.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FPS, SECONDS, GOP = 1280, 720, 15, 8, 15
KOREAN_FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"


@dataclass(frozen=True)
class Scene:
    """One street seen from a pole: colours, how many move, where the road's vanishing point lies."""

    name: str
    label: str
    sky: tuple[int, int, int]
    ground: tuple[int, int, int]
    road: tuple[int, int, int]
    wall: tuple[int, int, int]
    people: int
    cars: int
    vanish_x: float
    night: bool = False


SCENES = (
    Scene("crossing", "교차로", (168, 190, 208), (120, 128, 116), (84, 86, 90), (178, 168, 152), 6, 4, 0.5),
    Scene("alley", "골목길", (150, 160, 170), (110, 108, 104), (92, 90, 88), (160, 140, 126), 4, 1, 0.42),
    Scene("school", "학교 앞", (180, 205, 222), (126, 140, 110), (104, 70, 66), (206, 190, 150), 9, 2, 0.58),
    Scene("park", "공원", (176, 206, 222), (104, 142, 92), (150, 140, 122), (110, 138, 96), 7, 0, 0.5),
    Scene("market", "시장", (190, 186, 176), (132, 124, 114), (112, 106, 100), (190, 150, 120), 12, 0, 0.47),
    Scene("arterial", "간선도로", (160, 182, 204), (116, 122, 118), (72, 74, 78), (150, 154, 160), 2, 8, 0.55),
    Scene("night_alley", "야간 골목", (18, 20, 30), (34, 34, 38), (44, 44, 48), (52, 50, 54), 3, 1, 0.45, True),
    Scene("night_road", "야간 도로", (14, 16, 26), (30, 32, 34), (40, 42, 46), (46, 48, 56), 1, 5, 0.52, True),
)


@dataclass(frozen=True)
class Mover:
    """Something that crosses the picture once a loop, so that the loop closes without a jump."""

    lane: float
    phase: float
    size: float
    colour: tuple[int, int, int]
    rounds: int


def movers(scene: Scene, kind: str, count: int) -> list[Mover]:
    rng = random.Random(f"{scene.name}:{kind}")  # noqa: S311
    low, high = (30, 140) if scene.night else (50, 230)
    return [
        Mover(
            lane=rng.random(),
            phase=rng.random(),
            size=rng.uniform(0.8, 1.2),
            colour=(rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)),
            rounds=rng.choice((-1, 1)) * (1 if kind == "people" else rng.choice((1, 2))),
        )
        for _ in range(count)
    ]


def backdrop(scene: Scene) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), scene.sky)
    draw = ImageDraw.Draw(image)
    horizon, vanish = int(HEIGHT * 0.34), int(WIDTH * scene.vanish_x)
    draw.rectangle((0, horizon, WIDTH, HEIGHT), fill=scene.ground)
    rng = random.Random(scene.name)  # noqa: S311
    for side in (-1, 1):
        edge = vanish + side * 70
        while 0 < edge < WIDTH:
            width = rng.randint(70, 150)
            top = horizon - int(abs(edge - vanish) * rng.uniform(0.18, 0.55)) - 20
            shade = rng.randint(-18, 18)
            colour = tuple(max(0, min(255, channel + shade)) for channel in scene.wall)
            left, right = sorted((edge, edge + side * width))
            draw.rectangle((left, top, right, horizon + abs(edge - vanish) // 6), fill=colour)
            lit = (214, 190, 120) if scene.night else (96, 112, 128)
            for x in range(left + 10, right - 14, 24):
                for y in range(top + 12, horizon - 10, 30):
                    if rng.random() < (0.3 if scene.night else 0.85):
                        draw.rectangle((x, y, x + 11, y + 15), fill=lit)
            edge += side * (width + rng.randint(4, 18))
    draw.polygon(
        ((vanish - 26, horizon), (vanish + 26, horizon), (WIDTH * 0.98, HEIGHT), (WIDTH * 0.02, HEIGHT)),
        fill=scene.road,
    )
    for step in range(9):
        near, far = (step + 0.45) / 9, step / 9
        y0, y1 = (horizon + (HEIGHT - horizon) * value**2 for value in (far, near))
        x0, x1 = (vanish + (WIDTH * 0.5 - vanish) * value**2 for value in (far, near))
        draw.line((x0, y0, x1, y1), fill=(212, 206, 180), width=2 + int(8 * near**2))
    return image


def draw_person(
    draw: ImageDraw.ImageDraw, scene: Scene, mover: Mover, at: tuple[float, float, float], time: float
) -> None:
    """Somebody walking at `at` (x, y, scale)."""
    x, y, scale = at
    height = 190 * scale * mover.size
    sway = math.sin(time * 2 * math.pi * 12 + mover.lane * 9) * height * 0.06
    draw.ellipse(
        (x - height * 0.22, y - 3 * scale, x + height * 0.22, y + 8 * scale),
        fill=tuple(int(c * 0.6) for c in scene.ground),
    )
    draw.line((x, y - height * 0.45, x - sway - height * 0.06, y), fill=(40, 40, 46), width=max(2, int(height * 0.09)))
    draw.line((x, y - height * 0.45, x + sway + height * 0.06, y), fill=(40, 40, 46), width=max(2, int(height * 0.09)))
    draw.rounded_rectangle(
        (x - height * 0.13, y - height * 0.84, x + height * 0.13, y - height * 0.4),
        radius=height * 0.08,
        fill=mover.colour,
    )
    draw.ellipse(
        (x - height * 0.08, y - height, x + height * 0.08, y - height * 0.84),
        fill=(196, 160, 132) if not scene.night else (96, 80, 70),
    )


def draw_car(draw: ImageDraw.ImageDraw, mover: Mover, at: tuple[float, float, float]) -> None:
    """A car at `at` (x, y, scale); its lamps tell which way it goes."""
    x, y, scale = at
    width, height = 250 * scale * mover.size, 150 * scale * mover.size
    draw.rounded_rectangle((x - width / 2, y - height * 0.7, x + width / 2, y), radius=height * 0.16, fill=mover.colour)
    draw.rounded_rectangle(
        (x - width * 0.36, y - height, x + width * 0.36, y - height * 0.6),
        radius=height * 0.14,
        fill=tuple(int(c * 0.7) for c in mover.colour),
    )
    lamp = (255, 244, 200) if mover.rounds > 0 else (220, 40, 36)
    for side in (-0.4, 0.4):
        draw.ellipse(
            (x + width * side - 12 * scale, y - height * 0.4, x + width * side + 12 * scale, y - height * 0.24),
            fill=lamp,
        )


def draw_marks(draw: ImageDraw.ImageDraw, scene: Scene, time: float, fonts: tuple[ImageFont.FreeTypeFont, ...]) -> None:
    """What says that it is simulated, and a hand that turns once a loop."""
    big, small = fonts
    draw.rectangle((0, HEIGHT - 46, WIDTH, HEIGHT), fill=(10, 12, 16))
    draw.text((18, HEIGHT - 40), f"모의 영상 SIMULATED · {scene.label}", font=small, fill=(255, 214, 90))
    sweep = time * 2 * math.pi
    draw.line(
        (WIDTH - 60, 60, WIDTH - 60 + 34 * math.sin(sweep), 60 - 34 * math.cos(sweep)), fill=(255, 255, 255), width=5
    )
    draw.ellipse((WIDTH - 98, 22, WIDTH - 22, 98), outline=(255, 255, 255), width=3)
    draw.text((18, 14), "모의", font=big, fill=(255, 214, 90))


def draw_frame(
    scene: Scene,
    base: Image.Image,
    parts: tuple[list[Mover], list[Mover]],
    time: float,
    fonts: tuple[ImageFont.FreeTypeFont, ...],
) -> Image.Image:
    image = base.copy()
    draw = ImageDraw.Draw(image)
    horizon, vanish = HEIGHT * 0.34, WIDTH * scene.vanish_x
    drawn: list[tuple[float, str, Mover, float]] = []
    for kind, group in zip(("people", "cars"), parts, strict=True):
        drawn += [((mover.phase + mover.rounds * time) % 1.0, kind, mover, mover.lane) for mover in group]
    for depth, kind, mover, lane in sorted(drawn, key=lambda item: item[0]):
        y = horizon + (HEIGHT * 1.12 - horizon) * depth**1.8
        scale = 0.06 + depth**1.8
        spread = WIDTH * (0.46 if kind == "people" else 0.26) * scale
        x = vanish + (WIDTH * 0.5 - vanish) * depth**1.8 + (lane * 2 - 1) * spread
        at = (x, y, scale)
        if kind == "people":
            draw_person(draw, scene, mover, at, time)
        else:
            draw_car(draw, mover, at)
    draw_marks(draw, scene, time, fonts)
    return image


def encode(scene: Scene, target: Path) -> None:
    fonts = (ImageFont.truetype(KOREAN_FONT, 34, index=1), ImageFont.truetype(KOREAN_FONT, 24, index=1))
    raw = f"rawvideoparse width={WIDTH} height={HEIGHT} format=rgb framerate={FPS}/1"
    coder = f"openh264enc bitrate=330000 rate-control=bitrate gop-size={GOP} complexity=high"
    pipeline = (
        f"fdsrc fd=0 ! {raw} ! videoconvert ! video/x-raw,format=I420 ! {coder} ! h264parse "
        f"! mp4mux faststart=true ! filesink location={target}"
    )
    process = subprocess.Popen(["gst-launch-1.0", "-q", *pipeline.split()], stdin=subprocess.PIPE)  # noqa: S607
    assert process.stdin is not None
    base, parts = backdrop(scene), (movers(scene, "people", scene.people), movers(scene, "cars", scene.cars))
    total = FPS * SECONDS
    for index in range(total):
        process.stdin.write(draw_frame(scene, base, parts, index / total, fonts).tobytes())
    process.stdin.close()
    if process.wait(60):
        raise SystemExit(f"encoding {scene.name} failed")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        encode(scene, out / f"{scene.name}.mp4")


if __name__ == "__main__":
    main()
