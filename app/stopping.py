"""Whether this process is about to end: what would go on for long looks here, and ends by itself."""

import threading

STOPPING = threading.Event()
