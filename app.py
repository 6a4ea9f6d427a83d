"""The front door of the laptop and of the Space: settings, studio, page."""

import sys

from studio.errors import InputError
from studio.ui.launch import launch

if __name__ == "__main__":
    try:
        launch()
    except InputError as error:
        sys.exit(str(error))
