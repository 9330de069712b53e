"""`--report`: one HTML page with the figures, curves and pictures of an evaluation."""
