"""Matplotlib's SVG made small and safe: no style attributes or sheets, metadata or ids that two figures could share.

The page's security policy refuses style attributes, so styles become presentation attributes, whose colours are
variables of the page's style sheet.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from copy import deepcopy
from xml.etree.ElementTree import Element

from workflow_scripts.reporting.drawing.style import COLOURS

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
TIP = "tip:"  # start of the id of an element that has a text for the pointer
_VARIABLES = {value: f"var(--{name})" for name, value in COLOURS.items()}
_UNUSED = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}
_DECIMAL = re.compile(r"(?<!\d)\d++\.\d++")
_NO_ROTATION = re.compile(r"rotate\(-?0( [^)]*)?\)")

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def tidy(drawn: bytes, title: str, alt: str) -> Element:
    """The drawing with title and description, in the fixed colours of the style."""
    root = ElementTree.fromstring(drawn)
    used = {address.removeprefix("#") for element in root.iter() if (address := element.get(f"{{{XLINK}}}href"))}
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    said = [Element(f"{{{SVG}}}title"), Element(f"{{{SVG}}}desc")]
    said[0].text, said[1].text = title, alt
    children = [kept for child in root for kept in _tidied(child, used)]
    root.clear()
    root.attrib |= {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}pt", "height": f"{height:g}pt"}
    root.attrib |= {"role": "img", "stroke-linejoin": "round"}
    root.extend([*said, *children])
    return root


def _tidied(element: Element, used: set[str]) -> Iterator[Element]:
    """The element as it is kept: itself, its children if it says nothing of its own, or nothing."""
    if element.tag in _UNUSED:
        return
    for name, value in [pair.split(":", 1) for pair in element.attrib.pop("style", "").split(";") if pair.strip()]:
        element.set(name.strip(), value.strip())
    name = element.attrib.pop("id", "")
    if name in used:
        element.set("id", name)
    for attribute, value in element.attrib.items():
        if attribute in ("d", "x", "y", "transform", "stroke-dasharray", "stroke-width"):
            element.set(attribute, " ".join(_DECIMAL.sub(_short, value).split()))
    if element.get("fill") == "none" and "stroke" not in element.attrib:
        return
    if _NO_ROTATION.fullmatch(element.get("transform", "")):
        del element.attrib["transform"]
    element[:] = children = [kept for child in element for kept in _tidied(child, used)]
    element.tail = None
    if element.tag != f"{{{SVG}}}text":
        element.text = None
    if element.tag == f"{{{SVG}}}g":
        if name.startswith(TIP):
            tip = Element(f"{{{SVG}}}title")
            tip.text = name.removeprefix(TIP)
            element.insert(0, tip)
        elif not element.attrib or not children:
            yield from children
            return
    yield element


def _short(number: re.Match[str]) -> str:
    """A coordinate in points with one decimal, if it needs it."""
    return f"{float(number[0]):.1f}".removesuffix(".0")


def standalone(root: Element) -> bytes:
    """A file on white paper."""
    root = deepcopy(root)
    paper = Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    root.insert(2, paper)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def inline(root: Element) -> str:
    """Markup for the page, in the page's font and colours."""
    root = deepcopy(root)
    for element in root.iter():
        element.attrib.pop("font-family", None)
        for attribute in ("fill", "stroke"):
            if (value := element.get(attribute)) is not None:
                element.set(attribute, _VARIABLES.get(value, value))
    return ElementTree.tostring(root, encoding="unicode")
