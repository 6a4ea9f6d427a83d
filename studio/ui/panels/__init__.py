"""The panels of the page, one file each: its components, and what happens when they are touched."""
