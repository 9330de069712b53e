import signal


def pytest_configure():
    """A shell starts its background jobs with Ctrl-C ignored, which child processes inherit and some tests send."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
