"""The front door: estimator, runtime and command line."""
