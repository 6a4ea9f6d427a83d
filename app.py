"""The front door of the laptop and of the Space: settings, studio, page."""

from studio.ui.launch import launch

if __name__ == "__main__":
    launch()
