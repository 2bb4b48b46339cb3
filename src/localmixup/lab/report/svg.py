"""Turn the SVG files of matplotlib into elements of a page."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

INK = "#1b1f24"
"""The colour of text and axes. In the SVG it becomes `currentColor`, so that it follows light and dark mode."""

_PNG = "data:image/png;base64,"
_MANY_CHARACTERS = 30_000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def inline_svg(svg: bytes, name: str, label: str) -> str:
    """Turn an SVG file that matplotlib wrote into an element that can stand beside others on a page.

    Args:
        svg: the file.
        name: begins all ids, so that they are unique on the page.
        label: what screen readers say.

    Returns:
        An element that fills the width of its container, takes the text colour and the font of the page, and is
        well-formed XML. Styles and metadata of the file are gone.
    """
    root = ElementTree.fromstring(_CONTROL.sub("", svg.decode()))
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag.endswith(("}metadata", "}style"))]:
            parent.remove(child)
    used = {reference for element in root.iter() for value in element.attrib.values() for reference in _links(value)}
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    for element in root.iter():
        element.tag = _plain(element.tag)
        if element.tag not in ("text", "tspan"):
            element.text = None
        element.tail = None
        attributes = {_plain(key): value for key, value in element.attrib.items()}
        element.attrib.clear()
        for key, value in attributes.items():
            if key == "id" and value not in used:
                continue
            element.set(key, _attribute(key, value, prefix))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {
        "xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": _CONTROL.sub("", label),
        "style": "width: 100%; height: auto", "stroke-linejoin": "round", "stroke-linecap": "butt",
        "fill": "currentColor",
    }  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode")


def _plain(name: str) -> str:
    """A name without its namespace, which HTML does not need."""
    return name.rpartition("}")[2]


def _links(value: str) -> list[str]:
    """The ids that an attribute refers to."""
    return [found for pair in re.findall(r"^#(\S+)$|url\(#([^)]+)\)", value) for found in pair if found]


def _attribute(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if value.startswith(_PNG):
        return _smaller(value)
    if key == "style":
        value = re.sub(r"font: [^;]*?([\d.]+px)[^;]*", r"font-size: \1", value)  # before matplotlib 3.11
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
    if key in ("d", "points"):  # a hundredth of a point is enough
        return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(value.split()))
    # colours begin with a # too
    value = re.sub(r"(url\(|^)#(?![0-9a-f]{6}\b)", rf"\1#{prefix}-", value)
    return value.replace(INK, "currentColor")


def _smaller(uri: str) -> str:
    """A large picture in 256 colours, which takes a quarter of the space; a small one as it is."""
    from PIL import Image

    uri = "".join(uri.split())
    if len(uri) < _MANY_CHARACTERS:
        return uri
    picture = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(_PNG)))).convert("RGBA")
    buffer = io.BytesIO()
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return _PNG + base64.b64encode(buffer.getvalue()).decode()
