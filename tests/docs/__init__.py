"""What tests/test_docs.py and tests/test_site.py share."""
