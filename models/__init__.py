"""What makes frames: video models behind one contract, and the scorers that rank their clips."""
