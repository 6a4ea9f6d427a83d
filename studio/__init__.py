"""What people do with frames: projects, search, extension, jobs, media, the page. Imports no torch."""
