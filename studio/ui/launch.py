"""Serving the page."""

import os
import socket
from typing import Any

from studio.errors import InputError
from studio.settings import Settings, read_settings
from studio.studio import Studio
from studio.ui.live import ASSETS, script
from studio.ui.page import build
from studio.ui.theme import theme


def launch(settings: Settings | None = None, *, open_browser: bool = False) -> None:
    """Open the studio and serve its page until it is stopped.

    Args:
        settings: every option; None reads the environment.
        open_browser: show the page in a browser.

    Raises:
        InputError: if there is no model of the name that is chosen at first, this machine has no such
            address, or the port is taken.
    """
    settings = settings or read_settings()
    host = "0.0.0.0" if "SPACE_ID" in os.environ else settings.host
    check_host(host)
    with Studio(settings) as studio:
        studio.card(settings.model)
        try:
            build(studio).launch(
                server_name=host,
                server_port=settings.port,
                inbrowser=open_browser,
                **options(settings),
            )
        except OSError as error:
            if "empty port" not in str(error):
                raise
            raise InputError(
                f"The port {settings.port or 'from 7860 on'} is taken. Choose another with --port or "
                "STUDIO_PORT."
            ) from error


def check_host(host: str) -> None:
    """Check that the page can listen at an address; Gradio would try a hundred ports for minutes first.

    Raises:
        InputError: if this machine has no such address.
    """
    try:
        known = socket.getaddrinfo(host.strip("[]") or None, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        known = []
    if not any(_is_here(family, address) for family, _, _, _, address in known):
        raise InputError(
            f"{host} is no address of this machine. Set STUDIO_HOST or --host to 127.0.0.1 for this machine "
            "alone, or to 0.0.0.0 for others too."
        )


def _is_here(family: int, address: Any) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


def options(settings: Settings) -> dict[str, Any]:
    """What `gr.Blocks.launch` needs besides the address: the look, the keys, and which files may be read."""
    data = settings.data_dir.resolve()
    # Not as `css`: Gradio would put its own container in front of every selector, `body.dark` too.
    sheets = (ASSETS / "css" / name for name in ("studio.css", "narrow.css"))
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return {
        "theme": theme(),
        "js": script("page"),
        "head": f"<style>\n{style}\n</style>",
        "favicon_path": ASSETS / "pictures" / "icon.png",
        "allowed_paths": [str(data / "media"), str(ASSETS / "examples")],
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": f"{max(settings.max_upload_mb, settings.max_film_mb)}mb",
        "show_error": True,
        "ssr_mode": False,
    }
