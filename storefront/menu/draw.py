"""Draw the menu's pictures: `python storefront/menu/draw.py [--sheet FILE] [id ...]`.

Each picture is written as SVG by `art/` and rendered by Chromium to WebP.  Nothing is downloaded and nothing is random:
the same code and the same Chromium give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from art import coffee, cold, kitchen, oven, shelf  # noqa: E402, F401  (each registers its pictures)
from art.kit import HEIGHT, PICTURES, WIDTH, Drawing  # noqa: E402

LIMIT_BYTES = 30_000
TO_WEBP = """async ([svg, width, height, quality]) => {
  const image = new Image();
  image.src = 'data:image/svg+xml;base64,' + svg;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  canvas.getContext('2d', {alpha: false}).drawImage(image, 0, 0, width, height);
  return canvas.toDataURL('image/webp', quality).split(',')[1];
}"""


def svg_of(product_id: str) -> str:
    backdrop, draw = PICTURES[product_id]
    drawing = Drawing()
    drawing.scene(backdrop)
    with drawing.group(transform="translate(320 380) scale(1.13) translate(-320 -386)"):
        draw(drawing)
    return drawing.svg()


def webp(page: Page, svg: str, quality: float = 0.86) -> bytes:
    """The picture at the best quality that stays under the limit."""
    while True:
        encoded = base64.b64encode(svg.encode()).decode()
        data = base64.b64decode(page.evaluate(TO_WEBP, [encoded, WIDTH, HEIGHT, quality]))
        if len(data) <= LIMIT_BYTES:
            return data
        quality -= 0.06


def contact_sheet(page: Page, ids: list[str], target: Path) -> None:
    """All pictures on one page, to judge them side by side."""
    cells = ""
    for i in ids:
        svg = svg_of(i).replace('id="', f'id="{i}-').replace("url(#", f"url(#{i}-")
        cells += f"<figure>{svg}<figcaption>{i}</figcaption></figure>"
    style = (
        "body{margin:8px;display:grid;grid-template-columns:repeat(4,1fr);gap:8px;font:14px sans-serif}"
        "figure{margin:0}svg{width:100%;height:auto;display:block}"
    )
    page.set_viewport_size({"width": 1600, "height": 900})
    page.set_content(f"<style>{style}</style>{cells}")
    page.screenshot(path=str(target), full_page=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the menu's pictures.")
    parser.add_argument("ids", nargs="*", help="products to draw; all of menu.json if none is given")
    parser.add_argument("--sheet", type=Path, help="write one PNG with all of them instead of the pictures")
    arguments = parser.parse_args()
    menu = [product["id"] for product in json.loads((HERE / "menu.json").read_text())["products"]]
    ids = arguments.ids or menu
    if unknown := sorted(set(ids) - PICTURES.keys()):
        sys.exit(f"No drawing for {', '.join(unknown)}: write a function for it in storefront/menu/art/.")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("Chromium is needed to render the pictures: install the package `chromium`.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        if arguments.sheet:
            contact_sheet(page, ids, arguments.sheet)
        else:
            for product_id in ids:
                data = webp(page, svg_of(product_id))
                (HERE / "pictures" / f"{product_id}.webp").write_bytes(data)
                print(f"{product_id:22} {len(data):6} bytes")
        browser.close()


if __name__ == "__main__":
    main()
