"""What the tests in tests/clients and tests/compat share."""
