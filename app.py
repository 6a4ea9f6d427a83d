"""The front door of the laptop and of the Space: settings, studio, page, launch."""

import os

from studio.settings import Settings
from studio.studio import Studio
from studio.ui.page import build, launch_options


def main(settings: Settings | None = None) -> None:
    """Serve the page until it is stopped."""
    settings = settings or Settings()
    in_space = "SPACE_ID" in os.environ
    with Studio(settings) as studio:
        build(studio).launch(
            server_name="0.0.0.0" if in_space else settings.host,
            server_port=settings.port,
            **launch_options(studio),
        )


if __name__ == "__main__":
    main()
