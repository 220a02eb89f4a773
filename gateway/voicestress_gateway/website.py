"""The page at ``/``: one file that carries its own script and style, and may run no others."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

PAGE = Path(__file__).parent / "page" / "index.html"


def website_router(page: Path = PAGE) -> APIRouter:
    """``/``, which asks for no key."""
    html = page.read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": content_security_policy(html), "Cache-Control": "no-cache"}
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def website() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    return router


def content_security_policy(html: str) -> str:
    """What ``html`` may do: run its own inline scripts and styles, and ask this gateway."""
    directives = {
        "default-src": "'none'",
        "script-src": f"{_hashes(html, 'script')} blob:",  # the module of the page's AudioWorklet, made by its script
        "style-src": _hashes(html, "style"),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _hashes(html: str, tag: str) -> str:
    blocks = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}\s*>", html, flags=re.DOTALL | re.IGNORECASE)
    # A browser hashes what it parsed, with line ends as it has them.
    digests = (hashlib.sha256(block.replace("\r\n", "\n").encode()).digest() for block in blocks if block)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
