"""People over time: tracking, filters, gaps and placement of whole tracks."""
