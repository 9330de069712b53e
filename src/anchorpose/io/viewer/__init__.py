"""Tracked people to look at: a page that plays by itself, a live scene in the browser, a panel beside a video."""
